#!/bin/bash
# evaluation.sh [TREE]: seconds of `make eval` over four variants of two videos of 832x480x81, with the small CLIP of
# fixtures/clip: of their frames, and of the mp4. With TREE, another checkout that is built, its evaluation of the mp4
# as well. What is measured is drawn by ffmpeg. SIZE and FRAMES make it smaller.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
size=${SIZE:-832x480} frames=${FRAMES:-81}
T=$(mktemp -d "${TMPDIR:-/tmp}/evaluation.XXXXXX")
trap 'rm -rf "$T"' EXIT
"$root/fixtures/clip/unpack.sh" "$T/clip"

draw() { # NOISE FILE
    ffmpeg -nostdin -v error -f lavfi -i "testsrc2=s=$size:r=16" -f lavfi -i "mandelbrot=s=$size:r=16:end_pts=81" \
        -filter_complex "[0][1]blend=all_mode=average,noise=alls=$1:allf=t,format=yuv420p" \
        -frames:v "$frames" -c:v libx264 -crf 18 "$2"
}
draw 4 "$T/a.mp4"
draw 7 "$T/b.mp4"
for v in x y z u; do
    mkdir -p "$T/mp4/$v" "$T/frames/$v"
    film=$T/b
    [ $v != x ] || film=$T/a
    [ -e "$film.st" ] || "$root/build/cpu/mp42frames" "$film.mp4" > "$film.st"
    for name in 01_seed1 02_seed1; do
        cp "$film.mp4" "$T/mp4/$v/$name.mp4"
        ln "$film.st" "$T/frames/$v/$name.frames.safetensors"
    done
done

seconds() { # TREE OUT [VARIABLE=VALUE]..
    local tree=$1 out=$2
    rm -rf "$2/eval"
    shift 2
    TIMEFORMAT='%U + %S s of the processor, %R s'
    time make -s -C "$tree" DEVICE=cpu BUILD="$tree/build/cpu" eval OUT="$out" VARIANTS='x y z u' CLIP="$T/clip" "$@" \
        > "$T/log" 2>&1 || { tail -n 3 "$T/log" >&2; exit 1; }
}
export OMP_WAIT_POLICY=passive
exec 2>&1 # what `time` prints stands in its place
echo frames; seconds "$root" "$T/frames" MEASURE=frames
echo mp4; seconds "$root" "$T/mp4" MEASURE=mp4
if [ $# -gt 0 ]; then
    echo "mp4, $1"
    seconds "$(cd "$1" && pwd)" "$T/mp4"
fi
