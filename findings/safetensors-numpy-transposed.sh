#!/bin/sh
# safetensors 0.8.0: save_file of its numpy interface writes a transposed array's values in the wrong order.
#
# Versions: safetensors==0.7.0 and ==0.8.0, numpy==2.4.6.
# Behaviour: an array that is contiguous, but in Fortran's order, such as w.T, is written by 0.8.0 with the
#   shape of w.T and the bytes of w as they lie in memory. Nothing is said; load_file gives an array of the
#   right shape and type with permuted values. save() does the same. 0.7.0 wrote the right values. The file is a
#   valid one, so a digest of it or a check of shapes finds nothing.
# Seen: for a 3 x 4 float32 array a: 0.7.0 gives back a.T and np.asfortranarray(a) as they were; 0.8.0 gives
#   back [[0 1 2] [3 4 5] ...] for a.T = [[0 4 8] [1 5 9] ...]; with np.ascontiguousarray it is right.
# Why it matters: converters of checkpoints transpose weights (in, out) to (out, in), and frames are moved from
#   channels first to channels last, with views. A square weight written so has the right norm and the right
#   histogram: the model runs and makes noise, which is easily blamed on its quantisation.
# Source: seen by running; safetensors/numpy.py of 0.8.0 hands on tensor.ctypes.data and nbytes. Its docstring
#   asks for tensors that are "contiguous and dense", which an array in Fortran's order is; 0.7.0's had the same
#   words.
# Needs python3 with venv. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
pip() {
    "$dir/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: "$@" ||
        { echo "cannot install $*" >&2; exit 2; }
}
pip numpy==2.4.6
pip --no-deps --target "$dir/0.7.0" safetensors==0.7.0
pip --no-deps --target "$dir/0.8.0" safetensors==0.8.0
changed=
for version in 0.7.0 0.8.0; do
    PYTHONPATH=$dir/$version "$dir/venv/bin/python" - "$version" "$dir/x.safetensors" <<'PY' || changed=1
import sys
import numpy as np, safetensors
from safetensors.numpy import load, load_file, save, save_file
version, file = sys.argv[1:]
assert safetensors.__version__ == version
a = np.arange(12, dtype=np.float32).reshape(3, 4)
square = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
cases = {"a": a, "a.T": a.T, "np.asfortranarray(a)": np.asfortranarray(a), "square.T": square.T,
         "frames moved to channels last": np.moveaxis(np.arange(24, dtype=np.uint8).reshape(3, 2, 4), 0, -1),
         "np.ascontiguousarray(a.T)": np.ascontiguousarray(a.T)}
ok = True
for name, x in cases.items():
    assert name.startswith("frames") or x.flags.forc, name
    save_file({"x": x}, file)
    y, z = load_file(file)["x"], load(save({"x": x}))["x"]
    assert y.shape == x.shape and y.dtype == x.dtype and np.array_equal(np.sort(y, None), np.sort(x, None))
    right = np.array_equal(x, y)
    ok &= right == np.array_equal(x, z)
    ok &= right == (version == "0.7.0" or bool(x.flags.c_contiguous))
    print("%s  %-30s %s" % (version, name, "as it was" if right else "permuted, silently"))
save_file({"x": a.T}, file)
print("%s  a.T comes back as" % version, load_file(file)["x"].tolist())
sys.exit(not ok)
PY
done
[ -z "$changed" ] || { echo "has changed"; exit 1; }
echo "as described"
