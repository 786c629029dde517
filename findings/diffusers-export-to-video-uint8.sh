#!/bin/sh
# diffusers: export_to_video writes the negative of uint8 frames, and other pixels from arrays than from PIL images.
#
# Versions: diffusers==0.42.1, imageio==2.38.1, imageio-ffmpeg==0.6.0, numpy==2.4.6, torch==2.15.0.
# Behaviour: the argument is list[np.ndarray] or list[PIL.Image]. Arrays are taken for floats in 0..1: each is
#   multiplied by 255 and cast. For uint8 frames numpy stays in uint8 and wraps: p becomes 256 - p, and 0 stays
#   0, so the video is the negative; no error and no warning. Floats are cut off, while the pipelines' own
#   output_type="pil" rounds: the same tensor through "np" and through "pil" gives two videos, the first half a
#   level darker.
# Seen: grey frames of 60 come back as 195, of 200 as 55; frames of (p + 0.9) / 255 come back about one level
#   lower through "np" than through "pil". All through quality=10.
# Why it matters: frames read back from a video are uint8, and the pipelines' own are floats. The negative is a
#   valid film that moves as it should, and no program stops at it. And two videos of one model, written the two
#   ways, differ by about a level.
# Source: seen by running; diffusers/utils/export_utils.py and numpy_to_pil in diffusers/image_processor.py.
# Needs python3 with venv and 6 GB of temporary space. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: torch==2.15.0 numpy==2.4.6 \
    diffusers==0.42.1 imageio==2.38.1 imageio-ffmpeg==0.6.0 || { echo "cannot install" >&2; exit 2; }
"$dir/venv/bin/python" -W error - "$dir" 2>"$dir/stderr" <<'PY' || { tail -5 "$dir/stderr"; echo "has changed"; exit 1; }
import sys, warnings
warnings.filterwarnings("ignore", category=DeprecationWarning)
import diffusers, imageio, numpy as np, torch
from diffusers.utils import export_to_video
from diffusers.video_processor import VideoProcessor
print("diffusers", diffusers.__version__)
film = sys.argv[1] + "/film.mp4"

def film_of(frames):
    export_to_video(frames, film, fps=8, quality=10)
    with imageio.get_reader(film) as f:
        return np.stack([x for x in f]).astype(float)

ok = True
for p in 60, 128, 200:
    back = film_of([np.full((64, 96, 3), p, np.uint8)] * 4).mean()
    print("uint8 frames of %3d come back as %.1f; the negative is %d" % (p, back, 256 - p))
    ok &= abs(back - (256 - p)) < 1.5

ramp = np.arange(96) + 60
video = torch.from_numpy(((ramp + 0.9) / 255 * 2 - 1).astype(np.float32)).expand(1, 3, 4, 64, 96).contiguous()
out = {}
for kind in "np", "pil":
    frames = VideoProcessor(vae_scale_factor=8).postprocess_video(video, output_type=kind)[0]
    out[kind] = film_of(list(frames))
    print("a ramp of p + 0.9 through %-3s: %s, %.2f levels from p" % (kind, type(frames[0]).__name__, (out[kind] - ramp[:, None]).mean()))
gap = (out["pil"] - out["np"]).mean()
print("the second video is %.2f levels lighter" % gap)
ok &= 0.7 < gap < 1.3
print("as described" if ok else "not so")
sys.exit(not ok)
PY
