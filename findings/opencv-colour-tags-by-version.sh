#!/bin/sh
# OpenCV's VideoCapture: 4.12 takes BT.601 whatever the file says, 4.13 follows it: other frames, and other metrics.
#
# Versions: opencv-python-headless==4.12.0.88, 4.13.0.92, 5.0.0.93 (x86-64 wheels); the videos by ffmpeg 7.0.2
#   (imageio-ffmpeg==0.6.0).
# Behaviour: one test picture, coded once as BT.709 and tagged so, and once as BT.601 without a tag (H.264, 4:2:0). Both
#   mean the same colours. 4.12 reads the tagged file as if it were BT.601.
# Seen: mean absolute difference of the two files' frames: 4.12 7.1 levels of 255, 4.13 and 5.0 0.5 (coding and
#   rounding). The tagged file read by 4.12 and by 4.13: 7.1; the file without a tag: 0, every byte the same.
# Why it matters: most tools tag what they write as BT.709 (diffusers, players' exports). A CLIP score, a colour
#   statistic or a PSNR against frames from memory changes with a pip upgrade, and by more than quantising a model
#   changes it. Pin the version, or say it beside the number.
# Source: cap_ffmpeg_impl.hpp calls sws_scale up to 4.12, which knows no tags, and sws_scale_frame since.
# Needs python3 with venv, x86-64 and 2 GB of temporary space. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
install() {
    python3 -m venv "$dir/$1"
    "$dir/$1/bin/pip" install -q --disable-pip-version-check --only-binary :all: "$2" || { echo "cannot install $2" >&2; exit 2; }
}
install tool imageio-ffmpeg==0.6.0
ffmpeg=$("$dir/tool/bin/python" -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
# film NAME MATRIX OPTIONS...
film() {
    name=$1 matrix=$2
    shift 2
    "$ffmpeg" -nostdin -v error -f lavfi -i testsrc2=s=320x240:r=8 -frames:v 3 \
        -vf "format=gbrp,scale=out_color_matrix=$matrix:flags=bicubic+accurate_rnd+full_chroma_int,format=yuv420p" \
        -c:v libx264 -qp 4 "$@" "$dir/$name.mp4"
}
film tagged bt709 -colorspace bt709 -color_primaries bt709 -color_trc bt709
film plain bt601 -bsf:v h264_metadata=matrix_coefficients=2
for version in 4.12.0.88 4.13.0.92 5.0.0.93; do
    install "cv$version" "opencv-python-headless==$version"
    "$dir/cv$version/bin/python" - "$dir" "$version" <<'PY'
import sys
import cv2
import numpy as np
for name in "tagged", "plain":
    film = cv2.VideoCapture(f"{sys.argv[1]}/{name}.mp4")
    np.save(f"{sys.argv[1]}/{name}-{sys.argv[2]}.npy", np.stack([film.read()[1] for _ in range(3)]))
PY
done
"$dir/cv5.0.0.93/bin/python" - "$dir" <<'PY'
import sys
import numpy as np
def frames(name, version): return np.load(f"{sys.argv[1]}/{name}-{version}.npy").astype(int)
def apart(a, b): return float(np.abs(a - b).mean())
versions = "4.12.0.88", "4.13.0.92", "5.0.0.93"
pair = [apart(frames("tagged", v), frames("plain", v)) for v in versions]
tagged = apart(frames("tagged", versions[0]), frames("tagged", versions[1]))
plain = [apart(frames("plain", v), frames("plain", versions[2])) for v in versions]
print("tagged against untagged:", *("%s %.2f" % x for x in zip(versions, pair)))
print("the tagged file, 4.12 against 4.13: %.2f; the other: %.2f" % (tagged, plain[0]))
ok = pair[0] > 4 and pair[1] < 2 and pair[1] == pair[2] and tagged > 4 and plain == [0, 0, 0]
print("as described" if ok else "has changed")
sys.exit(not ok)
PY
