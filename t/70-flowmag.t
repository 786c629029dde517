#!/bin/sh
# flowmag: Farneback's flow against OpenCV's on a real video, against known motion, and at the edges.
. "$(dirname "$0")/tap.sh"
have ffmpeg || skip_all "there is no ffmpeg"
cd "$ROOT" || exit 1
CV=fixtures/farneback-cat.safetensors

# document N H W FILE: a document of frames whose values are in FILE
document() {
    _n=$(($1 * $2 * $3 * 3))
    _h="{\"frames\":{\"dtype\":\"U8\",\"shape\":[$1,$2,$3,3],\"data_offsets\":[0,$_n]}}"
    printf "\\$(printf %03o ${#_h})\\000\\000\\000\\000\\000\\000\\000%s" "$_h"
    cat "$4"
}
# data FILE: what follows the header of the first document
data() { tail -c +$((9 + $(od -An -tu4 -N4 "$1"))) "$1"; }
# numbers TYPE NAME: a tensor of the golden as text, a number a line (f4 flow: two)
numbers() {
    tensor-pick "$CV:$2" >"$TMP/picked"
    data "$TMP/picked" | od -An -v -t "$1" -w8
}
peak() { sed -n 's/.*"peak_resident_bytes": \([0-9]*\).*/\1/p' "$1"; }

# ---- as OpenCV's, on a video of the real model ----

# swscale's default conversion, which is what the golden was made from; mp42frames's is more exact.
ffmpeg -nostdin -v error -i fixtures/cat.mp4 -pix_fmt rgb24 -f rawvideo "$TMP/cat.raw"
document 33 480 832 "$TMP/cat.raw" >"$TMP/cat"
flowmag --per-pair --stats "$TMP/stats" <"$TMP/cat" >"$TMP/pairs"
ok $? "33 frames of 832x480"
is "$(head -n 1 "$TMP/pairs")" "document	seed	variant	prompt	pair	magnitude" "the header line"
numbers f8 mean_magnitude >"$TMP/wanted"
error=$(tail -n +2 "$TMP/pairs" | cut -f6 | paste - "$TMP/wanted" |
    awk '{ e = $1 / $2 - 1; e = e < 0 ? -e : e; if (e > most) most = e }
         END { print NR == 32 ? most : "pairs: " NR }')
awk "BEGIN { exit !($error <= 0.005) }"
ok $? "every pair's magnitude within 0.5 % of OpenCV's"
comment "greatest relative difference $error"
flowmag <"$TMP/cat" >"$TMP/whole"
is "$(sed -n 2p "$TMP/whole" | cut -f1-5)" "1				32" "a line for the video"
mean=$(awk '{ s += $1 } END { print s / NR }' "$TMP/wanted")
error=$(awk "NR == 2 { e = \$NF / $mean - 1; print e < 0 ? -e : e }" "$TMP/whole")
awk "BEGIN { exit !($error <= 1e-4) }"
ok $? "its magnitude is the mean over pairs"

pixels=$((480 * 832 * 3))
for pair in 0 20; do
    tail -c +$((pair * pixels + 1)) "$TMP/cat.raw" | head -c $((2 * pixels)) >"$TMP/two"
    document 2 480 832 "$TMP/two" | flowmag --flow --stats "$TMP/stats2" >"$TMP/flow"
    numbers f4 "flow$pair.every8" >"$TMP/wanted"
    error=$(data "$TMP/flow" | od -An -v -t f4 -w8 |
        awk '{ y = int((NR - 1) / 832); x = (NR - 1) % 832 } y % 8 == 0 && x % 8 == 0' |
        paste - "$TMP/wanted" | awk 'NF == 4 { s += sqrt(($1 - $3) ^ 2 + ($2 - $4) ^ 2); n++ }
            END { print n == 60 * 104 ? s / n : "pixels: " n }')
    awk "BEGIN { exit !($error <= 0.01) }"
    ok $? "flow of pair $pair: mean error at most 0.01 pixels"
    comment "mean error $error"
done
head -c $((6 * pixels)) "$TMP/cat.raw" >"$TMP/six"
document 6 480 832 "$TMP/six" | OMP_NUM_THREADS=2 flowmag --stats "$TMP/stats2" >/dev/null
OMP_NUM_THREADS=2 flowmag --stats "$TMP/stats" <"$TMP/cat" >/dev/null
[ $(($(peak "$TMP/stats") - $(peak "$TMP/stats2"))) -lt 4000000 ]
figure $? "33 frames need the memory of 6, on two threads"

# The frames as OpenCV 5.0 reads them, and its flow of them: fixtures/opencv/make.py.
if [ "$(uname -m)" = x86_64 ]; then
    error=$(mp42frames --conversion opencv fixtures/cat.mp4 | flowmag --per-pair | tail -n +2 | cut -f6 |
        paste - fixtures/opencv/flow.tsv | awk '{ e = $1 / $3 - 1; e = e < 0 ? -e : e; if (e > most) most = e }
            END { print NR == 32 ? most : "pairs: " NR }')
    awk "BEGIN { exit !($error <= 1e-6) }"
    ok $? "every pair's magnitude within 1e-6 of OpenCV's of an mp4"
    comment "greatest relative difference $error"
else
    skip "libswscale's conversion is that of another processor" "OpenCV's flow of an mp4"
fi

# ---- warping error, dynamic degree ----

# OpenCV's flow and numpy: fixtures/opencv/warp.py. With one flow they agree to 1e-15; pixels at the
# masks' thresholds count or not by the last bits of it.
if [ "$(uname -m)" = x86_64 ]; then
    mp42frames --conversion opencv fixtures/cat.mp4 >"$TMP/cv"
    flowmag --per-pair --warp --dynamic <"$TMP/cv" >"$TMP/warp"
    is "$(head -n 1 "$TMP/warp")" "document	seed	variant	prompt	pair	magnitude	warp	dynamic" "columns behind the others"
    error=$(tail -n +2 "$TMP/warp" | cut -f7 | paste - fixtures/opencv/warp.tsv | awk '
        NF == 4 { e = $1 / $3 - 1; e = e < 0 ? -e : e; if (e > most) most = e; ours += $1; theirs += $3; n++ }
        END { e = ours / theirs - 1; print n == 32 ? most : "pairs: " n, e < 0 ? -e : e }')
    awk "BEGIN { split(\"$error\", e, \" \"); exit !(e[1] <= 2e-4 && e[2] <= 1e-4) }"
    ok $? "warping error as with OpenCV's flow: a pair within 2e-4, the video within 1e-4"
    comment "greatest and mean relative difference $error"
    is "$(tail -n +2 "$TMP/warp" | cut -f8 | sort -u)" "$(sed -n 's/^moves.//p' fixtures/opencv/warp.tsv)" \
        "dynamic degree as with OpenCV's flow"
    cut -f1-6 "$TMP/warp" | tail -n +2 >"$TMP/columns"
    flowmag --per-pair <"$TMP/cv" | tail -n +2 | cmp - "$TMP/columns"
    ok $? "the other columns' bytes stay"
else
    skip "libswscale's conversion is that of another processor" "warping error and dynamic degree by OpenCV"
fi

# ---- known motion ----

# Waves that move by 3 to the left and 2 down a frame.
wave="128+60*sin((X+3*N)/5)*cos((Y-2*N)/7)+40*sin((X+3*N+2*(Y-2*N))/11)"
ffmpeg -nostdin -v error -f lavfi -i "nullsrc=s=320x240:r=8,format=gbrp,geq=r=$wave:g=$wave:b=$wave" \
    -frames:v 3 -pix_fmt rgb24 -f rawvideo "$TMP/moving.raw"
document 3 240 320 "$TMP/moving.raw" >"$TMP/moving"
flowmag --flow <"$TMP/moving" >"$TMP/flow"
like "$(tensor-info "$TMP/flow")" '*flow*F32*\[2, 240, 320, 2\]*' "the flow's shape"
motion=$(data "$TMP/flow" | od -An -v -t f4 -w8 |
    awk '{ i = NR - 1; y = int(i / 320) % 240; x = i % 320 }
         y >= 40 && y < 200 && x >= 40 && x < 280 { u += $1; v += $2; n++ }
         END { print u / n, v / n }')
echo "$motion" | awk '{ exit !(($1 + 3) ^ 2 + ($2 - 2) ^ 2 < 0.05 ^ 2) }'
ok $? "a shift by -3, 2 is found"
comment "mean flow inside $motion"
tail -c $((2 * 240 * 320 * 3)) "$TMP/moving.raw" >"$TMP/later.raw"
document 2 240 320 "$TMP/later.raw" | flowmag --flow >"$TMP/later"
data "$TMP/later" >"$TMP/later.flow"
tail -c $((240 * 320 * 8)) "$TMP/flow" | cmp - "$TMP/later.flow"
ok $? "a pair's flow is what it is without the pairs before it: nothing of theirs is left in any row"
head -c $((240 * 320 * 3)) "$TMP/moving.raw" >"$TMP/one.raw"
cat "$TMP/one.raw" "$TMP/one.raw" >"$TMP/still.raw"
# The last row and column have no neighbours to be found between: there alone something is seen.
document 2 240 320 "$TMP/still.raw" >"$TMP/still0"
flowmag --flow <"$TMP/still0" >"$TMP/still"
still=$(data "$TMP/still" | od -An -v -t f4 -w8 |
    awk '{ i = NR - 1; y = int(i / 320); x = i % 320 }
         y < 80 && x < 160 && ($1 != 0 || $2 != 0) { n++ } END { print n + 0 }')
is "$still" 0 "equal pictures do not move"

# VBench's bound is 6 pixels at a side of 256, of each max(1, round(fps / 8))th frame.
for case in '5 8 0' '7 8 1' '4 16 1' '2 16 0' '7 4 0' '3 24 1'; do
    set -- $case
    ffmpeg -nostdin -y -v error -f lavfi -i "nullsrc=s=352x256:r=8,format=gray,geq=lum=255*mod(43758*abs(sin(13*X+78*Y)+cos(X*Y))\,1),trim=end_frame=1,\
gblur=sigma=3,lut=y=(val-128)*6+128,loop=12:1,crop=256:256:$1*n:0" \
        -frames:v 13 -pix_fmt rgb24 -f rawvideo "$TMP/moves.raw"
    document 13 256 256 "$TMP/moves.raw" >"$TMP/moves"
    is "$(tensor-pick -k fps="$2" "$TMP/moves" | flowmag --dynamic | sed -n 2p | cut -f7)" "$3" \
        "$1 pixels a frame at $2 frames a second: dynamic $3"
done
for fps in abc 0 8x; do
    tensor-pick -k fps=$fps "$TMP/moves" >"$TMP/bad"
    fails 1 "flowmag: fps of document 1 is '$fps', not a number from 0.01 to 1000" "fps that is $fps" \
        sh -c "flowmag --dynamic <'$TMP/bad'"
done
flowmag <"$TMP/bad" >/dev/null
ok $? "which is of no matter where nothing depends on it"
awk "BEGIN { exit !($(flowmag --warp <"$TMP/still0" | sed -n 2p | cut -f7) < 0.1) }"
ok $? "equal pictures: less than a tenth of a level of warping error"

tensor-pick "$GOLDEN:vae.frames=frames" >"$TMP/small" # 64x80: its first row moves as the others do
flowmag --per-pair <"$TMP/small" | tail -n +2 | cut -f 6 >"$TMP/small.pairs"
flowmag --flow <"$TMP/small" >"$TMP/small.flow"
error=$(data "$TMP/small.flow" | od -An -v -tf4 -w8 | awk '{ s += sqrt($1 * $1 + $2 * $2); if (NR % 5120 == 0) { print s / 5120; s = 0 } }' OFMT=%.9g |
    paste - "$TMP/small.pairs" | awk '{ e = $1 / $2 - 1; e = e < 0 ? -e : e; if (e > most) most = e } END { print NR == 8 ? most : "pairs: " NR }')
awk "BEGIN { exit !($error <= 1e-6) }"
ok $? "a magnitude is the mean of all of the flow"
comment "greatest relative difference $error"

# ---- threads, several documents, one frame ----

OMP_NUM_THREADS=1 flowmag --flow <"$TMP/moving" >"$TMP/flow1"
OMP_NUM_THREADS=5 flowmag --flow <"$TMP/moving" >"$TMP/flow5"
cmp "$TMP/flow" "$TMP/flow1" && cmp "$TMP/flow" "$TMP/flow5"
ok $? "any number of threads gives the same bytes"
document 1 240 320 "$TMP/one.raw" >"$TMP/one"
cat "$TMP/one" "$TMP/moving" "$TMP/one" >"$TMP/many"
is "$(flowmag <"$TMP/many" | cut -f1,5- | sed 's/[0-9]\.[0-9]*$/X/' | tr '\t\n' '| ')" \
    "document|pairs|magnitude 1|0| 2|2|X 3|0| " "one frame: an empty cell, and the rest is measured"
is "$(flowmag --per-pair <"$TMP/many" | cut -f1,5- | sed 's/[0-9]\.[0-9]*$/X/' | tr '\t\n' '| ')" \
    "document|pair|magnitude 1|| 2|1|X 2|2|X 3|| " "by pairs, too"
is "$(flowmag --per-pair --warp --dynamic <"$TMP/one" | sed -n 2p)" "1							" "one frame: all cells are empty"
for threads in 1 5; do
    OMP_NUM_THREADS=$threads flowmag --warp --dynamic <"$TMP/moving" >"$TMP/warp$threads"
done
cmp "$TMP/warp1" "$TMP/warp5"
ok $? "any number of threads gives the same warping error"
like "$(flowmag --flow <"$TMP/one" | tensor-info)" '*flow*F32*\[0, 240, 320, 2\]*' "its flow is empty"

# ---- metadata, other tensors ----

tensor-pick -k seed=7 -k variant=w8a16 -k prompt='a	cat
猫' "$GOLDEN:noise" "$GOLDEN:vae.frames=frames" >"$TMP/meta"
is "$(flowmag <"$TMP/meta" | sed -n 2p | cut -f1-5)" "1	7	w8a16	a cat 猫	8" \
    "seed, variant and prompt, in one line; other tensors are passed over"
tensor-pick -k 'wan-denoise={"dtype":"bf16"}' "$GOLDEN:vae.frames=frames" >"$TMP/dtype"
is "$(flowmag <"$TMP/dtype" | sed -n 2p | cut -f3)" bf16 "without a variant, the dtype stands for it"
info=$(flowmag --flow <"$TMP/meta" | tensor-info)
like "$info" '*seed: 7*' "the flow keeps the metadata"
like "$info" '*flowmag:*version*' "and adds its own"

# ---- small and odd sizes ----

for size in '1 1' '2 2' '1 70' '70 1' '5 9' '33 47' '65 131'; do
    h=${size% *} w=${size#* }
    head -c $((3 * h * w * 3)) "$TMP/cat.raw" >"$TMP/small.raw"
    document 3 "$h" "$w" "$TMP/small.raw" | flowmag --warp --dynamic >"$TMP/small"
    rc=$?
    is "$rc $(sed -n 2p "$TMP/small" | cut -f5)" "0 2" "${w}x$h: a table"
    document 3 "$h" "$w" "$TMP/small.raw" | flowmag --flow >"$TMP/small"
    rc=$?
    count=$(data "$TMP/small" | od -An -v -t f4 -w4 | grep -c '^ *-\{0,1\}[0-9.e+-]*$')
    is "$rc $count" "0 $((2 * h * w * 2))" "${w}x$h: finite numbers"
done

# ---- bad input ----

# from FILE OPTIONS...: flowmag with FILE as standard input
from() {
    _input=$1
    shift
    flowmag "$@" <"$_input"
}
fails 1 "flowmag: standard input has no document" "nothing" from /dev/null
fails 2 "flowmag: unwanted operand 'x'*" "an operand" from "$TMP/one" x
fails 2 "flowmag: either --per-pair or --flow*" "two kinds of output" from "$TMP/one" --flow --per-pair
fails 2 "flowmag: --flow is no table: neither --warp nor --dynamic*" "a column without a table" from "$TMP/one" --flow --warp
is "$(for o in '' --warp --dynamic; do flowmag --recipe $o; done | sort -u | wc -l)" 3 "the recipe has the columns"
head -c 5000 "$TMP/moving" >"$TMP/bad"
fails 1 "flowmag: standard input, document 1: 'frames' ends short: *" "a short file" from "$TMP/bad"
document 0 4 4 /dev/null >"$TMP/bad"
fails 1 "flowmag: the frames of document 1 of standard input are empty: *" "no frames" from "$TMP/bad"
tensor-pick "$GOLDEN:noise=frames" >"$TMP/bad"
fails 1 "flowmag: *'frames'*" "frames of another type" from "$TMP/bad"
tensor-pick "$GOLDEN:noise" >"$TMP/bad"
fails 1 "flowmag: *'frames'*" "no tensor of that name" from "$TMP/bad"
document 1 1 16385 "$TMP/cat.raw" | head -c 60000 >"$TMP/bad"
fails 1 "flowmag: the frames of document 1 of standard input are 16385x1: a side is at most 16384" \
    "a side that is too long" from "$TMP/bad"
full() { flowmag <"$TMP/one" >/dev/full; }
if [ -w /dev/full ]; then
    fails 1 "flowmag: cannot write standard output: No space left on device" "a full disk" full
fi

done_testing
