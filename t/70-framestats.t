#!/bin/sh
# framestats: flicker and sharpness against OpenCV's, against values computed by hand, and with odd input.
. "$(dirname "$0")/tap.sh"
cd "$ROOT" || exit 1

# document N H W: writes a document of frames whose values are read from standard input
document() {
    _n=$(($1 * $2 * $3 * 3))
    _h="{\"frames\":{\"dtype\":\"U8\",\"shape\":[$1,$2,$3,3],\"data_offsets\":[0,$_n]}}"
    printf "\\$(printf %03o ${#_h})\\000\\000\\000\\000\\000\\000\\000%s" "$_h"
    cat
}
# greys LEVEL...: writes a grey pixel of each level
greys() { for _l; do printf "\\$(printf %03o "$_l")%.0s" 1 2 3; done; }
# measured FILE: prints the numbers of the first document's line, with | between them
measured() { framestats <"$1" | sed -n 2p | cut -f5- | tr '\t' '|'; }

if have ffmpeg && [ "$(uname -m)" = x86_64 ]; then
    mp42frames --conversion opencv fixtures/cat.mp4 >"$TMP/cat"
    framestats --per-frame <"$TMP/cat" >"$TMP/table"
    is "$(head -n 1 "$TMP/table")" "document	seed	variant	prompt	frame	flicker	flicker2	sharpness" "the header line"
    error=$(tail -n +2 "$TMP/table" | cut -f5- | paste - fixtures/opencv/stats.tsv | awk -F '\t' '
        { for (i = 1; i <= 4; i++) {
              if (($i == "") != ($(i + 4) == "")) print "line " NR
              if ($i == "") continue
              e = $i / $(i + 4) - 1; e = e < 0 ? -e : e; if (e > most) most = e; n++ } }
        END { print n == 33 * 4 - 3 ? most + 0 : "numbers: " n }')
    awk "BEGIN { exit !($error <= 1e-9) }"
    ok $? "33 frames: as OpenCV's Laplacian and absdiff"
    comment "greatest relative difference $error"
    framestats <"$TMP/cat" | sed -n 2p | cut -f6- >"$TMP/whole"
    error=$(tail -n +2 "$TMP/table" | cut -f6- | awk -F '\t' '
        { for (i = 1; i <= 3; i++) if ($i != "") { s[i] += $i; n[i]++ } }
        END { print s[1] / n[1], s[2] / n[2], s[3] / n[3] }' | tr ' ' '\n' | paste - - - | paste - "$TMP/whole" |
        awk '{ for (i = 1; i <= 3; i++) { e = $i / $(i + 3) - 1; s += e < 0 ? -e : e }; print s }')
    awk "BEGIN { exit !($error <= 1e-4) }"
    ok $? "the video's are the means over the frames that have them"
    OMP_NUM_THREADS=1 framestats --per-frame <"$TMP/cat" >"$TMP/one"
    OMP_NUM_THREADS=5 framestats --per-frame <"$TMP/cat" | cmp - "$TMP/one"
    ok $? "any number of threads gives the same bytes"
else
    skip "OpenCV's frames need ffmpeg and x86-64" "against OpenCV"
fi

# ---- by hand ----

# One pixel over five frames: an even ramp that ends in a step.
greys 10 20 30 40 80 | document 5 1 1 >"$TMP/ramp"
is "$(measured "$TMP/ramp")" "5|17.5|10|0" "a ramp counts in flicker, only its end in flicker2"
greys 0 255 0 255 | document 4 1 1 >"$TMP/blink"
is "$(measured "$TMP/blink")" "4|255|510|0" "black and white in turn: the greatest of both"
# A pixel of 90 in the middle of 3 x 3. As borders are mirrored, each of its four neighbours has it on two sides.
greys 0 0 0 0 90 0 0 0 0 | document 1 3 3 >"$TMP/dot"
is "$(measured "$TMP/dot")" "1|||27200" "a dot: four times 180, once -360"
greys 7 7 | document 2 1 1 >"$TMP/still"
is "$(measured "$TMP/still")" "2|0||0" "two frames: no second difference"
cat "$TMP/still" "$TMP/ramp" | framestats | cut -f1,5 | tr '\t\n' '| ' >"$TMP/many"
is "$(cat "$TMP/many")" "document|frames 1|2 2|5 " "two documents"
for size in '1 1' '1 70' '70 1' '2 2' '5 9'; do
    h=${size% *} w=${size#* }
    head -c $((3 * h * w * 3)) Makefile | document 3 "$h" "$w" | framestats --per-frame >"$TMP/small"
    is "$? $(tail -n +2 "$TMP/small" | cut -f8 | grep -c '^[0-9.e+]*$')" "0 3" "${w}x$h: finite numbers"
done
tensor-pick -k seed=7 -k variant=w8a16 -k prompt='a	cat' "$TMP/still" >"$TMP/meta"
is "$(framestats <"$TMP/meta" | sed -n 2p | cut -f1-5)" "1	7	w8a16	a cat	2" "seed, variant and prompt"

# ---- bad input ----

from() {
    _input=$1
    shift
    framestats "$@" <"$_input"
}
fails 1 "framestats: standard input has no document" "nothing" from /dev/null
fails 2 "framestats: unwanted operand 'x'*" "an operand" from "$TMP/still" x
head -c -3 "$TMP/ramp" >"$TMP/bad"
fails 1 "framestats: standard input, document 1: *" "a short file" from "$TMP/bad"
[ "$(framestats --recipe)" != "$(framestats --per-frame --recipe)" ]
ok $? "the recipe says what is printed"
full() { framestats <"$TMP/still" >/dev/full; }
if [ -w /dev/full ]; then
    fails 1 "framestats: cannot write standard output: No space left on device" "a full disk" full
fi

done_testing
