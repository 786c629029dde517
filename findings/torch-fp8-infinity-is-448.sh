#!/bin/sh
# PyTorch 2.13 and later: an infinity cast to float8_e4m3fn becomes 448, and only in this one of the float8 types.
#
# Versions: torch==2.12.1 and ==2.15.0, ml_dtypes==0.5.4 with numpy==2.4.6. The CPU's casts, from F32, BF16 and
#   F16.
# Behaviour: until 2.12 a cast to e4m3fn gave NaN above 464, as ml_dtypes does: an overflow stayed visible.
#   Since then it saturates, and not finite values alone: +inf is 448 and -inf -448. NaN stays NaN. float8_e5m2
#   still overflows to infinity, and e4m3fnuz and e5m2fnuz to NaN. So a check with isfinite after the cast finds
#   nothing in e4m3fn, and what it finds in the other three it finds in each version.
# Seen: 465, 1e9 and inf: NaN in 2.12.1 and ml_dtypes, 448 in 2.15.0; 464 is 448 in all. e5m2 of 61440 and inf:
#   inf; fnuz: NaN; the same in both versions and in ml_dtypes.
# Why it matters: a NaN in e4m3 weights or activations was the sign of a scale that is too small; the same check
#   now reports a good run. Files made by ml_dtypes (JAX's side) and by PyTorch differ in bytes for the same
#   floats.
# Source: seen by running; pull request 178817 of pytorch ("properly saturate E4M3 on finite-overflow");
#   torch/headeronly/util/ Float8_e4m3fn.h has the branch in 2.13.0, 2.14.1 and 2.15.0, and not in 2.12.1.
# Needs python3 with venv and 7 GB of temporary space. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
changed=
for version in 2.12.1 2.15.0; do
    python3 -m venv "$dir/venv"
    "$dir/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: \
        torch==$version ml_dtypes==0.5.4 numpy==2.4.6 || { echo "cannot install torch $version" >&2; exit 2; }
    "$dir/venv/bin/python" - $version <<'PY' || changed=1
import sys
import ml_dtypes, numpy as np, torch
version = sys.argv[1]
assert torch.__version__.split("+")[0] == version
print("torch", version, "ml_dtypes", ml_dtypes.__version__)
inf, nan = float("inf"), float("nan")

def same(a, b):
    return all(x == y or (x != x and y != y) for x, y in zip(a, b))

def cast(values, name):
    values = torch.tensor(values)
    t = values.to(getattr(torch, name)).float().tolist()
    for half in torch.bfloat16, torch.float16:  # what is exact in half precision must be cast alike
        h = values.to(half)
        exact = h.float() == values
        assert same(h.to(getattr(torch, name)).float()[exact].tolist(), torch.tensor(t)[exact].tolist())
    with np.errstate(all="ignore"):
        m = values.numpy().astype(getattr(ml_dtypes, name)).astype(np.float32).tolist()
    print("   %-16s %s  torch %s  ml_dtypes %s" % (name, values.tolist(), t, m))
    return t, m

t, m = cast([448.0, 464.0, 465.0, 512.0, 1e9, inf, -inf, nan], "float8_e4m3fn")
over = [448.0, 448.0, nan, nan, nan, nan, nan, nan]
ok = same(m, over) and same(t, over if version == "2.12.1" else [448.0] * 6 + [-448.0, nan])
for name, v, want in (("float8_e5m2", [57344.0, 61440.0, inf, -inf], [57344.0, inf, inf, -inf]),
                      ("float8_e4m3fnuz", [240.0, 248.0, inf, -inf], [240.0, nan, nan, nan]),
                      ("float8_e5m2fnuz", [57344.0, 61440.0, inf, -inf], [57344.0, nan, nan, nan])):
    t, m = cast(v, name)
    ok &= same(t, want) and same(m, want)
sys.exit(not ok)
PY
    rm -rf "$dir/venv"
done
[ -z "$changed" ] || { echo "has changed"; exit 1; }
echo "as described"
