#!/bin/sh
# transformers 5: CLIPImageProcessor divides frames in 0..1 by 255 again, without the warning that version 4 gave.
#
# Versions: transformers==5.24.0 and ==4.57.3, torch==2.15.0, torchvision==0.29.2, diffusers==0.42.1,
#   numpy==2.4.6.
# Behaviour: do_rescale=True multiplies by 1/255 whatever it is given. diffusers hands out frames as floats in
#   0..1 (output_type "np" and "pt"). Both versions then make nearly black pixels of them: after the
#   normalisation all lie within 0.016 of the value of black. The class named CLIPImageProcessor warned of
#   "already rescaled images" in 4.57.3; in 5.24.0 neither it, now torchvision's, nor CLIPImageProcessorPil says
#   anything.
# Seen: a frame from black to white, cropped, red channel: -1.559 to 1.697 as uint8, -1.791 to -1.779 as float
#   from postprocess_video, by both versions; lines on stderr that speak of rescaled images: 4.57.3 one, 5.24.0
#   none.
# Why it matters: a CLIP score of such frames is the score of a nearly black picture, for the original and for
#   the quantised model alike, which reads as "no loss".
# Source: seen by running; CLIPImageProcessor of 4.57.3 has the check in models/clip/image_processing_clip.py.
# Needs python3 with venv and 7 GB of temporary space. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
pip() {
    "$dir/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: "$@" ||
        { echo "cannot install $*" >&2; exit 2; }
}
pip torch==2.15.0 torchvision==0.29.2 numpy==2.4.6 diffusers==0.42.1 transformers==5.24.0 tokenizers==0.23.3
pip --no-deps --target "$dir/4.57.3" transformers==4.57.3 tokenizers==0.22.2 huggingface-hub==0.36.2
cat >"$dir/frames.py" <<'PY'
import sys
import numpy as np, torch
from diffusers.video_processor import VideoProcessor
ramp = torch.linspace(-1, 1, 256).expand(1, 3, 2, 224, 256).contiguous()
np.save(sys.argv[1], VideoProcessor().postprocess_video(ramp, output_type="np")[0])
PY
"$dir/venv/bin/python" -W ignore "$dir/frames.py" "$dir/frames.npy" 2>"$dir/stderr" ||
    { tail -5 "$dir/stderr"; echo "has changed"; exit 1; }
cat >"$dir/clip.py" <<'PY'
import sys
import numpy as np, transformers
version, name, file = sys.argv[1:]
assert transformers.__version__ == version
floats = np.load(file)
processor = getattr(transformers, name)()
def red(frames): return processor(list(frames), return_tensors="pt")["pixel_values"][:, 0]
u, f = red((255 * floats).round().astype(np.uint8)), red(floats)
print("transformers %s %s: uint8 %.3f..%.3f, float %.3f..%.3f" % (version, name, u.min(), u.max(), f.min(), f.max()))
black = -0.48145466 / 0.26862954
ok = floats.max() == 1 and u.max() > 1.5 and abs(f - black).max() < 0.016
sys.exit(not ok)
PY
changed=
see() { # version, class, folder, whether a warning is expected
    PYTHONPATH=$3 "$dir/venv/bin/python" "$dir/clip.py" "$1" "$2" "$dir/frames.npy" 2>"$dir/stderr" || changed=1
    lines=$(grep -ci "already rescaled" "$dir/stderr" || true)
    echo "   warnings of images already rescaled: $lines"
    if [ "$lines" -gt 0 ]; then warned=yes; else warned=no; fi
    [ $warned = "$4" ] || changed=1
}
see 4.57.3 CLIPImageProcessor "$dir/4.57.3" yes
see 5.24.0 CLIPImageProcessor "$dir" no
see 5.24.0 CLIPImageProcessorPil "$dir" no
[ -z "$changed" ] || { cat "$dir/stderr"; echo "has changed"; exit 1; }
echo "as described"
