#!/bin/sh
# libswscale on x86-64: YUV to RGB with accurate_rnd alone is less accurate than without any flag.
#
# Versions: ffmpeg 7.0.2 (imageio-ffmpeg==0.6.0) and n9.0.2-17 (imageio-ffmpeg==0.8.1); the readers
#   opencv-python-headless==5.0.0.93 and av==18.1.0 with numpy==2.4.6.
# Behaviour: every grey of the limited range (Y 16..235, U = V = 128) converted to rgb24. By default about half
#   the greys come out one level too dark. With the scale flag accurate_rnd all but black are 1 or 2 levels too
#   dark and white (235) is 253. full_chroma_int alone is as the default. Only accurate_rnd+full_chroma_int is
#   right for every grey. There is no chroma here to interpolate.
# Seen: mean error over Y 16..235: default -0.491, accurate_rnd -1.768, full_chroma_int -0.491, both 0.000; of
#   220 greys 112, 1, 112, 220 are right; white is 255, 253, 255, 255; the same numbers from both versions.
#   OpenCV's VideoCapture and PyAV's to_ndarray("rgb24") give the default's values.
# Why it matters: a flag that is added for exactness moves the mean of every frame by 1.8 of 255 levels, which a
#   PSNR against frames that did not go through it sees, and a figure of merit for a quantised model with it.
# Source: seen by running. The manual of ffmpeg-scaler says of accurate_rnd only that it enables accurate
#   rounding.
# Needs python3 with venv, x86-64 and 1 GB of temporary space. Exit 0: as described; 1: has changed; 2: no
#   install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
pip() {
    "$dir/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: "$@" ||
        { echo "cannot install $*" >&2; exit 2; }
}
pip imageio-ffmpeg==0.6.0 opencv-python-headless==5.0.0.93 av==18.1.0 numpy==2.4.6
pip --no-deps --target "$dir/f9" imageio-ffmpeg==0.8.1

"$dir/venv/bin/python" - "$dir" <<'PY'
import glob, os, subprocess, sys
import av, cv2, imageio_ffmpeg, numpy as np
dir = sys.argv[1]
exe = [imageio_ffmpeg.get_ffmpeg_exe(), glob.glob(dir + "/f9/imageio_ffmpeg/binaries/ffmpeg-linux*")[0]]
W, H = 256, 32
Y = np.arange(256).clip(16, 235).astype(np.uint8)
exact = np.floor((Y.astype(float) - 16) * 255 / 219 + 0.5).astype(int)
yuv = np.tile(Y, H).tobytes() + bytes([128]) * (W * H // 2)
film = dir + "/grey.mp4"
subprocess.run([exe[0], "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{W}x{H}", "-i", "-",
                "-c:v", "libx264", "-qp", "0", film], input=2 * yuv, check=True)
back = subprocess.run([exe[0], "-v", "error", "-i", film, "-f", "rawvideo", "-"], stdout=subprocess.PIPE, check=True).stdout
assert back == 2 * yuv, "the file is not lossless"

def error(name, rgb):
    row = rgb.reshape(-1, H, W, 3)[0, 0].astype(int)
    assert (row == row[:, :1]).all(), "grey is not grey"
    e = row[:, 0] - exact
    print("   %-34s error %d..%d, mean %.3f, %3d of 220 right, white %d"
          % (name, e.min(), e.max(), e[16:236].mean(), (e[16:236] == 0).sum(), row[235, 0]))
    return e.min(), e.max(), round(e[16:236].mean(), 3), row[235, 0]

ok = True
for p in exe:
    os.chmod(p, 0o755)
    print(subprocess.run([p, "-version"], stdout=subprocess.PIPE, text=True).stdout.split(" Copy")[0])
    seen = {}
    for flags in None, "accurate_rnd", "full_chroma_int", "accurate_rnd+full_chroma_int":
        r = subprocess.run([p, "-v", "error", "-i", film, *(["-vf", "scale=flags=" + flags] if flags else []),
                            "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], stdout=subprocess.PIPE, check=True)
        seen[flags] = error(flags or "default", np.frombuffer(r.stdout, np.uint8))
    default = seen[None]
    ok &= default[:2] == (-1, 0) and -0.55 < default[2] < -0.45 and seen["full_chroma_int"] == default
    ok &= seen["accurate_rnd"][0] == -2 and -1.8 < seen["accurate_rnd"][2] < -1.7 and seen["accurate_rnd"][3] == 253
    ok &= seen["accurate_rnd+full_chroma_int"] == (0, 0, 0, 255)
print("OpenCV", cv2.__version__, "PyAV", av.__version__)
ok &= error("cv2.VideoCapture", cv2.VideoCapture(film).read()[1]) == default
with av.open(film) as f:
    ok &= error("av to_ndarray(format='rgb24')", next(f.decode(video=0)).to_ndarray(format="rgb24")) == default
print("as described" if ok else "has changed")
sys.exit(not ok)
PY
