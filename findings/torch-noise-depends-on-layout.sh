#!/bin/sh
# PyTorch on the CPU: a seed's normal numbers depend on the number of elements, the layout and the type.
#
# Versions: torch==2.15.0.
# Behaviour: below 16 elements randn draws each number in its own way, from 16 on in blocks of 16 by another. A
#   tensor that is not contiguous in the default order, channels_last too, is filled in the first way whatever
#   its size; .contiguous() of it is other noise than the same call on a contiguous tensor. If the size is no
#   multiple of 16 the last 16 numbers are drawn again, so a longer tensor is not the shorter one with more
#   behind. F64 is other noise than F32 from 16 on, and the same below; BF16 and F16 are the rounded F32.
# Seen, one seed: no number of randn(15) is in randn(16); of randn(40) the first 24 are those of randn(48) and
#   16 are not; empty(1, 4, 8, 8, channels_last).normal_() has no number in common with randn(1, 4, 8, 8);
#   drawing 8 and 8 is not drawing 16, but 16 and 16 is 32; randn F64 of 64 differs from F32 everywhere, of 15
#   nowhere.
# Why it matters: "the same seed" is what makes two videos a pair. A model converted to channels_last, a latent
#   of odd size made longer by some frames, or noise drawn in F64 for exactness is another video, and a
#   difference that is then measured is the noise's.
# Source: seen by running; read in torch/include/ATen/native/cpu/DistributionTemplates.h of the package ("size
#   >= 16 and is_contiguous").
# Needs python3 with venv and 6 GB of temporary space. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: torch==2.15.0 numpy==2.4.6 ||
    { echo "cannot install" >&2; exit 2; }
"$dir/venv/bin/python" - <<'PY'
import sys
import torch
print("torch", torch.__version__)
def seed(): return torch.Generator().manual_seed(123)
def randn(*shape, dtype=torch.float32): return torch.randn(*shape, generator=seed(), dtype=dtype)
ok = True

def alike(what, a, b, wanted):
    global ok
    n = min(a.numel(), b.numel())
    same = (a.flatten()[:n].double() == b.flatten()[:n].double()).sum().item()
    print("%-62s %3d of %3d numbers alike" % (what, same, n))
    ok &= same == wanted

alike("randn(15), randn(16)", randn(15), randn(16), 0)
alike("randn(32), randn(48)", randn(32), randn(48), 32)
alike("randn(40), randn(48)", randn(40), randn(48), 24)
g = seed()
alike("randn(8) twice, randn(16)", torch.cat([torch.randn(8, generator=g), torch.randn(8, generator=g)]), randn(16), 0)
g = seed()
alike("randn(16) twice, randn(32)", torch.cat([torch.randn(16, generator=g), torch.randn(16, generator=g)]), randn(32), 32)
shape = 1, 4, 8, 8
empty = torch.empty(shape, memory_format=torch.channels_last)
alike("empty(channels_last).normal_(), randn", empty.normal_(generator=seed()), randn(shape), 0)
both = set(empty.flatten().tolist()) & set(randn(shape).flatten().tolist())
print("   numbers that are anywhere in both: %d" % len(both))
ok &= not both
alike("randn(64, F64), randn(64)", randn(64, dtype=torch.float64).float(), randn(64), 0)
alike("randn(15, F64), randn(15)", randn(15, dtype=torch.float64).float(), randn(15), 15)
for half in torch.bfloat16, torch.float16:
    alike("randn(64, %s), randn(64) rounded to it" % half, randn(64, dtype=half), randn(64).to(half), 64)
print("as described" if ok else "has changed")
sys.exit(not ok)
PY
