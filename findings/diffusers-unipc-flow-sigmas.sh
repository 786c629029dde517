#!/bin/sh
# diffusers 0.37: UniPC with flow sigmas walks another schedule than before, from 0.999999 and towards 0.001.
#
# Versions: diffusers==0.36.0, ==0.37.0 and ==0.42.1, torch==2.15.0.
# Behaviour: UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True),
#   set_timesteps(50). Before the shift 0.36 took its sigmas from a descent from 0.999 towards 0, as the
#   authors' scheduler of Wan2.1 does, 0.37 and later from 1 towards 0.001; sigmas of 1 are then written as
#   0.999999. Every sigma but the last, 0, differs, and most of the integer timesteps that the model is given.
#   No option and no warning.
# Seen: shift 3, 50 steps: first sigma 0.999666 and 0.999999; last before 0 0.057637 and 0.060405; last timestep
#   57 and 60. At shift 1 all sigmas are about 0.001 higher. 0.37.0 and 0.42.1 are alike.
# Why it matters: the scheduler's JSON, the seed and the steps are equal, and two installations make different
#   videos: the last step, which decides the detail, goes another distance. A quantised model that was run after
#   the upgrade is not the pair of the original that was run before.
# Source: seen by running; set_timesteps in diffusers/schedulers/scheduling_unipc_multistep.py of both.
# Needs python3 with venv and 6 GB of temporary space. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
pip() {
    "$dir/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: "$@" ||
        { echo "cannot install $*" >&2; exit 2; }
}
pip torch==2.15.0 numpy==2.4.6 diffusers==0.42.1
pip --no-deps --target "$dir/0.36.0" diffusers==0.36.0
pip --no-deps --target "$dir/0.37.0" diffusers==0.37.0
for version in 0.36.0 0.37.0 0.42.1; do
    PYTHONPATH=$dir/$version "$dir/venv/bin/python" -W ignore - $version 2>"$dir/stderr" <<'PY' ||
import sys
import diffusers, numpy as np
version = sys.argv[1]
assert diffusers.__version__ == version
print("diffusers", version)
ok = True
for shift in 1.0, 3.0, 5.0:
    s = diffusers.UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift)
    s.set_timesteps(50)
    sigmas, t = s.sigmas.double().numpy(), s.timesteps.tolist()
    top, low = (0.999, 0.0) if version == "0.36.0" else (1.0, 0.001)
    u = np.linspace(top, low, 51)[:-1]
    want = shift * u / (1 + (shift - 1) * u)
    print("   shift %g: sigmas %.6f %.6f ... %.6f %g, timesteps %d %d ... %d" % (shift, *sigmas[:2], *sigmas[-2:], *t[:2], t[-1]))
    ok &= len(sigmas) == 51 and np.abs(sigmas[:-1] - np.minimum(want, 0.999999)).max() < 2e-6 and sigmas[-1] == 0
    if shift == 3:
        ok &= t[-1] == (57 if version == "0.36.0" else 60)
sys.exit(not ok)
PY
        { tail -5 "$dir/stderr"; echo "has changed"; exit 1; }
done
echo "as described"
