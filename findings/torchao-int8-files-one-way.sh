#!/bin/sh
# torchao: 0.15 and 0.17 open the int8 weights that 0.18 saved; 0.18 does not open theirs.
#
# Versions: torchao==0.15.0, ==0.17.0 and ==0.18.0, torch==2.15.0, safetensors==0.8.0.
# Behaviour: quantize_(model, Int8WeightOnlyConfig()) and torch.save(state_dict). Up to 0.17 the default's
#   tensor is an AffineQuantizedTensor of torchao.dtypes, from 0.18 an Int8Tensor of torchao.quantization, a
#   class which 0.15 and 0.17 have too (behind version=2). So the older releases read the newer file, and the
#   newer one refuses the older files: the module is gone, with weights_only=True and False.
#   flatten_tensor_state_dict, torchao's way into safetensors, took the default's tensor in none of the older
#   ones.
# Seen: of nine pairs of writer and reader the two with reader 0.18 and an older writer fail, UnpicklingError or
#   ModuleNotFoundError; the others multiply to the same numbers. flatten_tensor_state_dict: ValueError in 0.15
#   and 0.17; in 0.18 a file with _weight_qdata, _weight_scale and an int8 _weight_zero_point, of a symmetric
#   scheme.
# Why it matters: an upgrade is what one tries when a file does not open; here it is what closes it. A quantised
#   checkpoint has to be kept with its release or in plain codes and scales.
# Source: seen by running; torchao/dtypes of 0.18.0 has no affine_quantized_tensor.py.
# Needs python3 with venv and 6 GB of temporary space. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
pip() {
    "$dir/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: "$@" ||
        { echo "cannot install $*" >&2; exit 2; }
}
pip torch==2.15.0 numpy==2.4.6 safetensors==0.8.0
for version in 0.15.0 0.17.0 0.18.0; do
    pip --no-deps --target "$dir/$version" torchao==$version
done
cat >"$dir/ao.py" <<'PY'
import sys
import torch, torchao
act, version, dir = sys.argv[1:]
assert torchao.__version__ == version
torch.manual_seed(0)
x, ok = torch.randn(4, 64), True
if act == "save":
    from torchao.prototype.safetensors.safetensors_support import flatten_tensor_state_dict
    from torchao.quantization import Int8WeightOnlyConfig, quantize_
    m = torch.nn.Sequential(torch.nn.Linear(64, 32, bias=False))
    quantize_(m, Int8WeightOnlyConfig())
    torch.save({"x": m.state_dict()}, f"{dir}/{version}.pt")
    torch.save(m(x).detach(), f"{dir}/{version}.y")
    try:
        flat = {k: str(v.dtype) for k, v in flatten_tensor_state_dict(m.state_dict())[0].items()}
        ok = version == "0.18.0" and flat.get("0._weight_zero_point") == "torch.int8"
    except ValueError as e:
        flat, ok = f"ValueError {e}", version != "0.18.0"
    print(version, "saved", type(m[0].weight).__name__, "and flattened:", flat)
else:
    for writer in "0.15.0", "0.17.0", "0.18.0":
        for weights_only in True, False:
            import torchao.quantization
            try:
                w = torch.load(f"{dir}/{writer}.pt", weights_only=weights_only)["x"]["0.weight"]
                y = torch.nn.functional.linear(x, w)
                seen = "opens, output off by %.1e" % (y - torch.load(f"{dir}/{writer}.y")).abs().max().item()
                ok &= (version != "0.18.0" or writer == "0.18.0") and float(seen.split()[-1]) < 1e-5
            except Exception as e:
                seen = type(e).__name__
                ok &= version == "0.18.0" and writer != "0.18.0" and seen in ("UnpicklingError", "ModuleNotFoundError")
            print("reader", version, "writer", writer, "weights_only", weights_only, seen)
sys.exit(not ok)
PY
for act in save load; do
    for version in 0.15.0 0.17.0 0.18.0; do
        PYTHONPATH=$dir/$version "$dir/venv/bin/python" -W ignore "$dir/ao.py" $act $version "$dir" 2>"$dir/stderr" ||
            { tail -5 "$dir/stderr"; echo "has changed"; exit 1; }
    done
done
echo "as described"
