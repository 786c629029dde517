#!/bin/sh
# OpenCV's VideoCapture, 4.13 to 5.0: read() of an interlaced video returns True and a frame that nobody wrote.
#
# Versions: opencv-python-headless==4.12.0.88, 4.13.0.92, 4.14.0.94, 5.0.0.93 (x86-64 wheels); the videos by ffmpeg 7.0.2
#   (imageio-ffmpeg==0.6.0).
# Behaviour: three frames of 320 x 240, H.264 4:2:0, coded as fields; and the same progressive, tagged YCgCo. 4.12
#   reads both. From 4.13 on read() returns True for each frame, libswscale prints "Cannot convert interlaced to
#   progressive frames" (or "Unsupported input") on stderr, and the array is memory as it was allocated, the same for
#   every frame.
# Seen: mean level of the three frames of both videos: 4.12 162, 162, 162; of later versions anything from 0 to 162
#   (a frame of the video read before), three times the same. A progressive, untagged file of the same pictures is 162 in all.
# Why it matters: a metric of such videos is a number like any other: no flow, no flicker, a PSNR of nothing.
# Source: modules/videoio/src/cap_ffmpeg_impl.hpp does not look at what sws_scale_frame returns, and since 4.13 hands it
#   a progressive frame to fill; FFmpeg 8's libswscale refuses that.
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
# film NAME FILTERS OPTIONS...
film() {
    name=$1 filters=$2
    shift 2
    "$ffmpeg" -nostdin -v error -f lavfi -i mandelbrot=s=320x240:r=8 -frames:v 3 -vf "$filters" -c:v libx264 "$@" "$dir/$name.mp4"
}
film plain format=yuv420p
film fields format=yuv420p,setfield=tff -flags +ildct+ilme
film ycgco format=yuv420p -bsf:v h264_metadata=matrix_coefficients=8
ok=0
for version in 4.12.0.88 4.13.0.92 4.14.0.94 5.0.0.93; do
    install "cv$version" "opencv-python-headless==$version"
    "$dir/cv$version/bin/python" - "$dir" <<'PY' 2>"$dir/stderr" || ok=1
import sys
import cv2
good = True
for name in "plain", "fields", "ycgco":
    film = cv2.VideoCapture(f"{sys.argv[1]}/{name}.mp4")
    read = [film.read() for _ in range(3)]
    means = [float(f.mean()) if there else -1 for there, f in read]
    print("   ", cv2.__version__, name, "read() returned", *(there for there, _ in read), "mean levels", *("%.1f" % m for m in means))
    seen = name == "plain" or cv2.__version__.startswith("4.12")
    good &= all(there for there, _ in read) and bool((read[0][1] != read[1][1]).any()) == seen
sys.exit(not good)
PY
    grep -o 'Cannot convert interlaced[a-z ]*\|Unsupported input' "$dir/stderr" | sort | uniq -c || true
done
[ $ok = 0 ] && echo "as described" || echo "has changed"
exit $ok
