#!/bin/sh
# comfy-kitchen: a rotated int8 weight has the tensors of a plain row-wise one, and the rotation in none of them.
#
# Versions: comfy-kitchen==0.2.40 (it needs packaging and does not declare it), torch==2.15.0, numpy==2.4.6.
# Behaviour: TensorWiseINT8Layout.quantize has three forms. The default is one scale for the tensor, unlike
#   other tools' rows; per_channel=True one for each row, absmax / 127; per_channel and convrot=True multiplies
#   groups of 256 columns by a regular Hadamard matrix first. state_dict_tensors gives the last two the same
#   names, shapes and types: int8 [out, in] and F32 [out, 1]. That it is rotated, and the group's size, are in
#   the Params object only, which a writer has to save by itself. Multiplied out as codes times scale the
#   rotated weight is another matrix of the same norm.
# Seen: 64 x 512, rows of different size: relative error by its own dequantize 0.0149 (tensor), 0.0074 (rows),
#   0.0072 (rotated); codes times scale 0.0149, 0.0074 and 1.36. The rotated one's norm is right to 1 %.
# Why it matters: as W8A16 from "weight" and "weight_scale" it loads without a complaint, and no check of
#   magnitudes finds it.
# Source: seen by running; comfy_kitchen/tensor/int8.py and int8_utils.py.
# Needs python3 with venv and 6 GB of temporary space. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: torch==2.15.0 numpy==2.4.6 \
    comfy-kitchen==0.2.40 packaging==26.4 || { echo "cannot install" >&2; exit 2; }
"$dir/venv/bin/python" -W ignore - 2>"$dir/stderr" <<'PY' || { tail -5 "$dir/stderr"; echo "has changed"; exit 1; }
import sys
import torch
from comfy_kitchen.tensor import TensorWiseINT8Layout as Layout
torch.manual_seed(0)
w = torch.randn(64, 512) * torch.rand(64, 1)
def error(x): return ((x - w).norm() / w.norm()).item()
seen = {}
for name, how in ("default", {}), ("rows", {"per_channel": True}), ("rotated", {"per_channel": True, "convrot": True}):
    q, params = Layout.quantize(w, **how)
    d = Layout.state_dict_tensors(q, params)
    x = d[""].float() * d["_scale"]
    tensors = {"weight" + k: (str(v.dtype)[6:], list(v.shape)) for k, v in d.items()}
    seen[name] = tensors, error(Layout.dequantize(q, params)), error(x), (x.norm() / w.norm()).item(), d["_scale"]
    print("%-8s %s\n    relative error by itself %.4f, codes times scale %.4f, norm %.3f" % (name, *seen[name][:4]))
ok = seen["rows"][0] == seen["rotated"][0] != seen["default"][0] and seen["default"][0]["weight_scale"] == ("float32", [])
ok &= all(e[1] < 0.02 for e in seen.values()) and all(seen[n][2] < 0.02 for n in ("default", "rows"))
ok &= seen["rotated"][2] > 1.2 and abs(seen["rotated"][3] - 1) < 0.01
ok &= torch.allclose(seen["rows"][4], w.abs().amax(1, keepdim=True) / 127, rtol=1e-6, atol=0)
print("as described" if ok else "not so")
sys.exit(not ok)
PY
