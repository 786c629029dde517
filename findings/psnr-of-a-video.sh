#!/bin/sh
# PSNR of two frames, one of them equal to its pair: 29.3 dB, 53.1 dB or infinite, and reduction="none" reduces.
#
# Versions: torchmetrics==1.9.0, piq==0.8.0, scikit-image==0.26.0, torch==2.15.0, numpy==2.4.6.
# Behaviour: torchmetrics' peak_signal_noise_ratio pools the squared errors of the whole batch and takes one
#   logarithm; its argument reduction has no effect until dim is given, so reduction="none" returns one number
#   for any number of frames. piq's psnr is the mean of each frame's own value and adds 1e-8 to each error, so
#   an equal frame counts as 80 dB. scikit-image gives infinity for the equal frame, and the mean with it.
# Seen: frames at 26.3 dB and equal: torchmetrics 29.3 (the first plus 3.01) with reduction elementwise_mean and
#   none, and [26.3, inf] with dim=(1, 2, 3); piq 53.1 = (26.3 + 80) / 2; scikit-image [26.3, inf].
# Why it matters: equal frames do occur (black ones, or a run against itself as a control), and a video's mean
#   then hangs on an epsilon. A row "PSNR" needs its pooling beside it.
# Source: seen by running; the docstring of torchmetrics says what dim does; piq/psnr.py has the epsilon.
# Needs python3 with venv and 6 GB of temporary space. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: torch==2.15.0 torchvision==0.29.2 numpy==2.4.6 \
    torchmetrics==1.9.0 scikit-image==0.26.0 piq==0.8.0 || { echo "cannot install" >&2; exit 2; }
"$dir/venv/bin/python" -W ignore - 2>"$dir/stderr" <<'PY' || { tail -5 "$dir/stderr"; echo "has changed"; exit 1; }
import math, sys
import piq, torch
from skimage.metrics import peak_signal_noise_ratio as skimage
from torchmetrics.functional.image import peak_signal_noise_ratio as torchmetrics
torch.manual_seed(0)
a = torch.rand(2, 3, 64, 96)
b = a.clone()
b[0] = (b[0] + 0.05 * torch.randn(b[0].shape)).clamp(0, 1)
one = skimage(a[0].numpy(), b[0].numpy(), data_range=1.0)
each = [skimage(x.numpy(), y.numpy(), data_range=1.0) for x, y in zip(a, b)]
pooled = torchmetrics(b, a, data_range=1.0)
none = torchmetrics(b, a, data_range=1.0, reduction="none")
dims = torchmetrics(b, a, data_range=1.0, reduction="none", dim=(1, 2, 3))
mean = piq.psnr(b, a).item()
print("scikit-image, each frame  ", each)
print("torchmetrics              ", pooled.item())
print("torchmetrics, none        ", none)
print("torchmetrics, none and dim", dims)
print("piq                       ", mean, " equal frames", piq.psnr(a, a, reduction="none").tolist())
ok = each[1] == math.inf and abs(pooled.item() - one - 10 * math.log10(2)) < 1e-3 and none.ndim == 0 and bool(none == pooled)
ok &= abs(dims[0].item() - one) < 1e-3 and dims[1].item() == math.inf and abs(mean - (one + 80) / 2) < 1e-2
print("as described" if ok else "not so")
sys.exit(not ok)
PY
