#!/bin/sh
# Four-bit floats: equal names, shapes and types of tensors, and three orders of the nibbles in their bytes.
#
# Versions: comfy-kitchen==0.2.40, torchao==0.18.0, compressed-tensors==0.20.0, gguf==0.19.0, torch==2.15.0,
#   numpy==2.4.6.
# Behaviour: one F32 weight as NVFP4 by comfy-kitchen and by torchao: U8 codes [out, in/2], e4m3fn scales [out,
#   in/16], an F32 tensor scale, the same values in each. comfy-kitchen puts the first of two neighbours in the
#   high nibble and the block scales in the tiled order of cuBLAS, in a tensor of the same shape [out, in/16];
#   torchao and compressed-tensors put the first in the low nibble and the scales row by row. Nothing in the
#   tensors tells. compressed-tensors also keeps the tensor scale's reciprocal (weight_global_scale divides).
#   For MXFP4 gguf-py has the very values and scales of torchao, but a byte holds the elements i and i + 16 of a
#   block of 32, not neighbours.
# Seen: of comfy-kitchen's code bytes 6 % are torchao's, and all after the nibbles are swapped; of the scales 11
#   %, and all as a multiset. compressed-tensors' reader gives torchao's weight with a relative error of 0.095,
#   as its own, and comfy-kitchen's with 1.44. MXFP4: equal values and scales, 1.4 % of the code bytes equal.
# Why it matters: the suffixes weight, weight_scale, weight_scale_2 are the ones of other tools' checkpoints, so
#   a reader that goes by names, types and shapes loads the other's file, has plausible magnitudes and renders
#   noise.
# Source: comfy_kitchen's quantize_nvfp4 documents hi_first=True; to_blocked in its float_utils.py; helpers.py
#   in compressed_tensors/compressors/nvfp4; gguf/quants.py, class MXFP4. Seen by running.
# Needs python3 with venv and 6 GB of temporary space. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: torch==2.15.0 numpy==2.4.6 \
    torchao==0.18.0 comfy-kitchen==0.2.40 compressed-tensors==0.20.0 gguf==0.19.0 ||
    { echo "cannot install" >&2; exit 2; }
"$dir/venv/bin/python" -W ignore - 2>"$dir/stderr" <<'PY' || { tail -5 "$dir/stderr"; echo "has changed"; exit 1; }
import sys
import gguf, torch
from comfy_kitchen.tensor import TensorCoreNVFP4Layout
from compressed_tensors.compressors.nvfp4.helpers import unpack_fp4_from_uint8
from torchao.prototype.mx_formats.mx_tensor import MXTensor
from torchao.prototype.mx_formats.nvfp4_tensor import NVFP4Tensor, per_tensor_amax_to_scale

torch.manual_seed(0)
w = torch.randn(256, 128)
q, params = TensorCoreNVFP4Layout.quantize(w)
comfy = TensorCoreNVFP4Layout.state_dict_tensors(q, params)
a = NVFP4Tensor.to_nvfp4(w, per_tensor_scale=per_tensor_amax_to_scale(w.abs().amax()))
ao = {"": a.qdata, "_scale": a.scale, "_scale_2": a.per_tensor_scale}
for name, d in ("comfy-kitchen", comfy), ("torchao", ao):
    print("%-14s" % name, {"weight" + k: (str(v.dtype)[6:], list(v.shape)) for k, v in d.items()})

def bytes_of(x): return x.contiguous().view(torch.uint8).flatten()
def swapped(x): return (x >> 4) | (x << 4)
def share(x, y): return (x == y).float().mean().item()
def error(x): return ((x - w).norm() / w.norm()).item()
def read(d):  # as compressed-tensors unpacks; its weight_global_scale would be 1 / weight_scale_2
    codes = unpack_fp4_from_uint8(d[""], *w.shape, dtype=torch.float32).view(len(w), -1, 16)
    return (codes * (d["_scale"].float() * d["_scale_2"])[..., None]).view(w.shape)

c, t = bytes_of(comfy[""]), bytes_of(ao[""])
cs, ts = bytes_of(comfy["_scale"]), bytes_of(ao["_scale"])
print("code bytes equal %.3f, with nibbles swapped %.3f; scale bytes equal %.3f, as multisets %s"
      % (share(c, t), share(swapped(c), t), share(cs, ts), torch.equal(cs.sort()[0], ts.sort()[0])))
e = error(TensorCoreNVFP4Layout.dequantize(q, params)), error(read(ao)), error(read(comfy))
print("relative error: comfy-kitchen's by itself %.3f; read as compressed-tensors does: torchao's %.3f, comfy-kitchen's %.3f" % e)
same = [(k, v.dtype, v.shape) for k, v in comfy.items()] == [(k, v.dtype, v.shape) for k, v in ao.items()]
ok = same and torch.equal(comfy["_scale_2"], ao["_scale_2"]) and share(c, t) < 0.1 and share(swapped(c), t) == 1
ok &= share(cs, ts) < 0.2 and torch.equal(cs.sort()[0], ts.sort()[0])
ok &= abs(e[0] - e[1]) < 1e-6 and e[1] < 0.1 and e[2] > 1

m = MXTensor.to_mx(w, torch.float4_e2m1fn_x2, 32)
g = gguf.quants.quantize(w.numpy(), gguf.GGMLQuantizationType.MXFP4)
back = torch.from_numpy(gguf.quants.dequantize(g, gguf.GGMLQuantizationType.MXFP4))
g = torch.from_numpy(g).reshape(-1, 17)
codes = torch.stack([g[:, 1:] & 15, g[:, 1:] >> 4], 1).reshape(-1, 32)  # low nibbles are 0..15, high 16..31
mq = bytes_of(m.qdata).view(-1, 16)
both = torch.stack([mq & 15, mq >> 4], -1).view(-1, 32)  # neighbours
codes, both = ([x.where(x != 8, 0) for x in (codes, both)])  # torchao keeps the sign of zero
print("MXFP4, gguf-py and torchao: values equal %.3f, scales equal %.3f, code bytes equal %.3f, codes reordered %.3f"
      % (share(back, m.dequantize(torch.float32)), share(g[:, 0], bytes_of(m.scale)), share(g[:, 1:], mq), share(codes, both)))
ok &= torch.equal(back, m.dequantize(torch.float32)) and torch.equal(g[:, 0], bytes_of(m.scale))
ok &= share(g[:, 1:], mq) < 0.1 and torch.equal(codes, both)
print("as described" if ok else "not so")
sys.exit(not ok)
PY
