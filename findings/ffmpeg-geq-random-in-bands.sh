#!/bin/sh
# ffmpeg's geq: random() draws the same numbers in every thread's rows, so a picture depends on the machine.
#
# Versions: ffmpeg 7.0.2 (imageio-ffmpeg==0.6.0) and n9.0.2-17 (imageio-ffmpeg==0.8.1).
# Behaviour: geq=lum=255*random(1) divides a picture's rows among threads, and each has generators of its own
#   that begin alike. With n threads the picture is one band of rows, n times. The number of threads is by
#   default the machine's. A source given by -f lavfi -i is a graph of the demuxer's own: -filter_threads and
#   -filter_complex_threads, which hold for the other graphs, do not reach it, and it cannot be told.
# Seen: 64 x 64 pixels in one thread are noise; in 2, 4 and 16 threads they are 2, 4 and 16 equal bands; four
#   digests for one command line. By -f lavfi one digest whatever the options say, on 2 processors that of three
#   bands, on 16 that of sixteen.
# Why it matters: geq with random() is the usual way to make a textured test video. On 16 processors it has a
#   period of 16 rows at 256, to which optical flow may lock: for a shift of 5 pixels a frame a dense method
#   found 13.4, where the same command's video made on 2 processors gave 5.0. A film of noise is not the same on
#   two machines though nothing else differs. A formula of X and Y is, for instance
#   geq=lum=255*mod(43758*abs(sin(13*X+78*Y)+cos(X*Y))\,1).
# Source: seen by running. The documentation of expressions says of random's index only that it names the
#   variable that holds the state.
# Needs python3 with venv. Exit 0: as described; 1: has changed; 2: no install.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
get() { # FOLDER PACKAGE==VERSION
    "$dir/venv/bin/pip" install -q --disable-pip-version-check --no-deps --target "$dir/$1" "$2" ||
        { echo "cannot install $2" >&2; exit 2; }
}
get 7.0.2 imageio-ffmpeg==0.6.0
get 9.0.2 imageio-ffmpeg==0.8.1

changed=0
noise='nullsrc=size=64x64:rate=1,format=gray,geq=lum=255*random(1)'
same() { # WHAT SEEN EXPECTED
    echo "$1: $2"
    [ "$2" = "$3" ] || changed=1
}
bands() { # FILE N: how many different bands of 64 / N rows there are
    for k in $(seq 0 $(($2 - 1))); do
        dd if="$1" bs=$((64 * 64 / $2)) skip="$k" count=1 2>/dev/null | md5sum
    done | sort -u | wc -l
}
for v in 7.0.2 9.0.2; do
    binary=$(find "$dir/$v" -type f -name 'ffmpeg-linux*')
    chmod +x "$binary"
    for n in 1 2 4 16; do
        "$binary" -nostdin -v error -filter_complex_threads "$n" -filter_complex "${noise}[o]" -map '[o]' \
            -frames:v 1 -f rawvideo -y "$dir/$n"
        [ "$n" = 1 ] || same "ffmpeg $v, $n threads: different bands among $n" "$(bands "$dir/$n" "$n")" 1
    done
    same "ffmpeg $v, one thread: different bands among 16" "$(bands "$dir/1" 16)" 16
    same "ffmpeg $v: pictures of 1, 2, 4 and 16 threads" \
        "$(cd "$dir" && cat 1 2 4 16 | wc -c),$(cd "$dir" && md5sum 1 2 4 16 | cut -d ' ' -f 1 | sort -u | wc -l)" 16384,4
    for options in '-filter_threads 1' '-filter_threads 16' '-filter_complex_threads 16' '-threads 16'; do
        # shellcheck disable=SC2086
        "$binary" -nostdin -v error $options -f lavfi -i "$noise" -frames:v 1 -pix_fmt gray -f rawvideo - | md5sum
    done | sort -u >"$dir/digests"
    same "ffmpeg $v: pictures by -f lavfi with four settings of threads" "$(wc -l <"$dir/digests")" 1
done
[ $changed = 0 ] || echo "this has changed"
exit $changed
