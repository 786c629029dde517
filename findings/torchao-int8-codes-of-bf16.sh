#!/bin/sh
# torchao: Int8WeightOnlyConfig of 0.18 gives a BF16 weight other codes than 0.17 did, with equal scales.
#
# Versions: torchao==0.17.0 and ==0.18.0, torch==2.15.0. On the CPU.
# Behaviour: the scale of a row is its absmax / 127.5 (not 127), rounded to the weight's type, so for BF16 the
#   divisor is between 127.01 and 127.5. 0.18 multiplies the weight by the scale's reciprocal in F32 and rounds;
#   0.17 gave other codes for BF16 and F16, as if a step were rounded to these. The scales are equal to the last
#   bit.
# Seen: 512 x 1536, normal numbers and torch.nn.Linear's uniform ones, codes that differ between the releases:
#   BF16 7.80 % and 15.76 %, F16 1.00 % and 2.16 %, F32 none; all scales equal; no difference greater than 1.
# Why it matters: "int8 by torchao" in a table is not one thing. A reproduction with the next release differs in
#   every sixth to thirteenth weight, by as much as rounding itself can, and the scales do not show it.
# Source: seen by running. The new class is Int8Tensor, in torchao/quantization/quantize_/workflows/int8 of
#   0.18.0.
# Needs python3 with venv and 6 GB of temporary space. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
pip() {
    "$dir/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: "$@" ||
        { echo "cannot install $*" >&2; exit 2; }
}
pip torch==2.15.0 numpy==2.4.6
for version in 0.17.0 0.18.0; do
    pip --no-deps --target "$dir/$version" torchao==$version
    PYTHONPATH=$dir/$version "$dir/venv/bin/python" -W ignore - $version "$dir" 2>"$dir/stderr" <<'PY' ||
import sys
import torch, torchao
from torchao.quantization import Int8WeightOnlyConfig, quantize_
version, dir = sys.argv[1:]
assert torchao.__version__ == version
out = {}
for kind in "normal", "uniform":
    for dtype in torch.float32, torch.float16, torch.bfloat16:
        torch.manual_seed(0)
        m = torch.nn.Sequential(torch.nn.Linear(1536, 512, bias=False))
        if kind == "normal":
            torch.nn.init.normal_(m[0].weight, std=0.02)
        m = m.to(dtype)
        w = m[0].weight.detach().float()
        quantize_(m, Int8WeightOnlyConfig())
        q = m[0].weight
        codes, scale = (q.tensor_impl.int_data, q.tensor_impl.scale) if version == "0.17.0" else (q.qdata, q.scale)
        out[kind, dtype] = codes.clone(), scale.detach().float().flatten(), w
torch.save(out, f"{dir}/{version}.pt")
PY
        { tail -5 "$dir/stderr"; echo "has changed"; exit 1; }
done
"$dir/venv/bin/python" - "$dir" <<'PY' || { echo "has changed"; exit 1; }
import sys
import torch
old, new = (torch.load(f"{sys.argv[1]}/{v}.pt") for v in ("0.17.0", "0.18.0"))
ok = True
for (kind, dtype), (c, s, w) in old.items():
    c2, s2, w2 = new[kind, dtype]
    assert torch.equal(w, w2)
    differ = (c != c2).float().mean().item()
    absmax = w.abs().amax(1)
    print("%-8s %-15s %5.2f %% of codes differ; scales equal %s; absmax / scale %.2f..%.2f; 0.18 is rint(w (1 / scale)) in F32 %s"
          % (kind, dtype, 100 * differ, torch.equal(s, s2), (absmax / s).min(), (absmax / s).max(),
             torch.equal((w * (1 / s)[:, None]).round().clamp(-128, 127), c2.float())))
    ok &= torch.equal(s, s2) and torch.equal(s, (absmax / 127.5).to(dtype).float())
    ok &= torch.equal((w * (1 / s)[:, None]).round().clamp(-128, 127), c2.float())
    ok &= (c.int() - c2.int()).abs().max().item() <= 1
    low, high = {torch.float32: (0, 0), torch.float16: (0.003, 0.03), torch.bfloat16: (0.05, 0.2)}[dtype]
    ok &= low <= differ <= high
print("as described" if ok else "not so")
sys.exit(not ok)
PY
