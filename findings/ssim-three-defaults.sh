#!/bin/sh
# SSIM of one pair of frames at the defaults of three libraries: 0.77, 0.70, 0.96; and one default looks at the batch.
#
# Versions: scikit-image==0.26.0, torchmetrics==1.9.0, piq==0.8.0, pytorch-msssim==1.0.0, torch==2.15.0,
#   numpy==2.4.6.
# Behaviour: for an 832 x 480 frame and itself with noise: scikit-image uses a flat 7 x 7 window with the sample
#   covariance; torchmetrics and pytorch-msssim the 11 x 11 Gaussian of sigma 1.5; piq the same Gaussian after
#   halving both sides, because its downsample=True averages by round(shorter side / 256). They agree to 0.001
#   with scikit-image at gaussian_weights=True, sigma=1.5, use_sample_covariance=False, piq at downsample=False.
#   torchmetrics' data_range=None takes the greatest minus the least value of what it was given: a dim frame
#   counts as if it were bright, and its value depends on which other frames are in the batch.
# Seen: 832 x 480: 0.766, 0.704, 0.956, 0.704; with the settings above 0.704 four times. At 416 x 240 piq does
#   not halve: 0.702. A dim pair with torchmetrics' default: 0.704 alone, 0.928 in a batch with the bright pair.
# Why it matters: "SSIM 0.96" of a paper and 0.77 of a reproduction can be the same pixels, and a table of
#   original against quantised may depend on the batch size.
# Source: seen by running; the functions' docstrings name the settings; piq/ssim.py has the factor, and says
#   that downsample=True is the setting to match scikit-image, where it is the other that does.
# Needs python3 with venv and 6 GB of temporary space. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: torch==2.15.0 torchvision==0.29.2 numpy==2.4.6 \
    torchmetrics==1.9.0 scikit-image==0.26.0 piq==0.8.0 pytorch-msssim==1.0.0 || { echo "cannot install" >&2; exit 2; }
"$dir/venv/bin/python" -W ignore - 2>"$dir/stderr" <<'PY' || { tail -5 "$dir/stderr"; echo "has changed"; exit 1; }
import sys
import numpy as np, piq, torch
from pytorch_msssim import ssim as msssim
from skimage.metrics import structural_similarity as skimage
from torchmetrics.functional.image import structural_similarity_index_measure as torchmetrics

def pair(H, W):
    draw = np.random.default_rng(0)
    y, x = np.mgrid[:H, :W]
    a = 127 + 60 * np.sin(x / 7) + 50 * np.cos(y / 9) + draw.normal(0, 6, (H, W))
    a = np.stack([a, np.roll(a, 5, 0), np.roll(a, 9, 1)], -1).clip(0, 255)
    b = (a + draw.normal(0, 12, a.shape)).clip(0, 255)
    return [v.round().astype(np.uint8) for v in (a, b)]

def tensor(a): return torch.from_numpy(a).permute(2, 0, 1)[None].float() / 255

ok = True
for H, W in (480, 832), (240, 416):
    a, b = pair(H, W)
    A, B = tensor(a), tensor(b)
    d = skimage(a, b, channel_axis=-1), torchmetrics(A, B).item(), piq.ssim(A, B).item(), msssim(A, B, data_range=1.0).item()
    s = (skimage(a, b, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False),
         torchmetrics(A, B, data_range=1.0).item(), piq.ssim(A, B, downsample=False).item(), d[3])
    print("%d x %d  scikit-image, torchmetrics, piq, pytorch-msssim: defaults %.4f %.4f %.4f %.4f; one definition %.4f %.4f %.4f %.4f"
          % (W, H, *d, *s))
    ok &= max(s) - min(s) < 1e-3 and d[0] - s[0] > 0.05 and abs(d[1] - s[1]) < 1e-3
    ok &= d[2] - s[2] > 0.2 if H == 480 else abs(d[2] - s[2]) < 1e-6
    if H == 480:
        A2, B2 = 0.2 * A + 0.1, 0.2 * B + 0.1
        dim = (torchmetrics(A2, B2).item(), torchmetrics(torch.cat([A, A2]), torch.cat([B, B2]), reduction="none")[1].item(),
               torchmetrics(A2, B2, data_range=1.0).item())
        print("a dim pair, torchmetrics: alone %.4f, beside a bright pair %.4f; data_range=1 %.4f" % dim)
        ok &= dim[1] - dim[0] > 0.1 and abs(dim[1] - dim[2]) < 1e-3
print("as described" if ok else "not so")
sys.exit(not ok)
PY
