#!/bin/sh
# diffusers: FlowMatchEulerDiscreteScheduler shifts the lower end of its schedule twice.
#
# Versions: diffusers==0.42.1, torch==2.15.0.
# Behaviour: the constructor shifts 1000 sigmas and keeps the least as sigma_min, which is 0.001 after the
#   shift. set_timesteps(n) spreads n sigmas between this and 1 and shifts them all once more. So the last sigma
#   before 0 is not the shift of 0.001 but the shift of that shift, whatever n, and set_timesteps(1000) is not
#   the schedule that the constructor made. set_shift(shift) afterwards is not the same as the argument shift:
#   it leaves the end points alone, and shifts once.
# Seen: least sigma, constructor and set_timesteps(4, 50 or 1000): shift 1 0.001 and 0.001, 3 0.002994 and
#   0.008929, 5 0.004980 and 0.024414, 12 0.011869 and 0.125984. Built with shift 1, then set_shift(5):
#   0.004980.
# Why it matters: at shift 5 to 12, as used for video, the last Euler step starts at sigma 0.024 to 0.126 and
#   not at 0.005 to 0.012. Another program's Euler with "the same shift" differs in every step but the first.
# Source: seen by running; diffusers/schedulers/scheduling_flow_match_euler_discrete.py, __init__ and
#   set_timesteps.
# Needs python3 with venv and 6 GB of temporary space. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: torch==2.15.0 numpy==2.4.6 diffusers==0.42.1 ||
    { echo "cannot install" >&2; exit 2; }
"$dir/venv/bin/python" -W ignore - 2>"$dir/stderr" <<'PY' || { tail -5 "$dir/stderr"; echo "has changed"; exit 1; }
import sys
import diffusers, numpy as np
from diffusers import FlowMatchEulerDiscreteScheduler as Euler
print("diffusers", diffusers.__version__)
def shifted(u, s): return s * u / (1 + (s - 1) * u)
def near(a, b): return abs(a - b) < 1e-6
ok = True
for s in 1.0, 3.0, 5.0, 12.0:
    e = Euler(shift=s)
    least = e.sigmas[-1].item()
    last = []
    for n in 4, 50, 1000:
        e.set_timesteps(n)
        u = np.linspace(1, shifted(0.001, s), n)
        ok &= np.abs(e.sigmas[:-1].double().numpy() - shifted(u, s)).max() < 1e-5
        last.append(e.sigmas[-2].item())
    later = Euler(shift=1.0)
    later.set_shift(s)
    later.set_timesteps(50)
    print("shift %4g: least sigma %.6f; after set_timesteps(4, 50, 1000) %s; by set_shift %.6f"
          % (s, least, " ".join("%.6f" % x for x in last), later.sigmas[-2]))
    ok &= near(least, shifted(0.001, s)) and all(near(x, shifted(shifted(0.001, s), s)) for x in last)
    ok &= near(later.sigmas[-2].item(), shifted(0.001, s))
print("as described" if ok else "not so")
sys.exit(not ok)
PY
