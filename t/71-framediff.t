#!/bin/sh
# framediff: PSNR, SSIM and mean absolute difference against scikit-image's, by hand, and refusals.
. "$(dirname "$0")/tap.sh"
cd "$ROOT" || exit 1

# document N H W FILE: a document of frames whose values are in FILE
document() {
    _n=$(($1 * $2 * $3 * 3))
    _h="{\"frames\":{\"dtype\":\"U8\",\"shape\":[$1,$2,$3,3],\"data_offsets\":[0,$_n]}}"
    printf "\\$(printf %03o ${#_h})\\000\\000\\000\\000\\000\\000\\000%s" "$_h"
    cat "$4"
}
# data FILE: what follows the header of the first document
data() { tail -c +$((9 + $(od -An -tu4 -N4 "$1"))) "$1"; }
# grey N H W LEVEL: a document of frames of one level, in octal
grey() {
    head -c $(($1 * $2 * $3 * 3)) /dev/zero | tr '\000' "\\$4" >"$TMP/grey.raw"
    document "$1" "$2" "$3" "$TMP/grey.raw"
}
# near NAME GOT WANTED BOUND: numbers in order, tabs between them
near() {
    _most=$(printf '%s\n%s\n' "$2" "$3" | awk -F '\t' '
        NR == 1 { n = split($0, got) }
        NR == 2 { if (n != NF) print "fields: " n; else for (i = 1; i <= n; i++) {
            e = got[i] - $i; e = e < 0 ? -e : e; if (e > most) most = e }; print most + 0 }')
    awk "BEGIN { exit !($_most <= $4) }"
    ok $? "$1"
    comment "greatest difference $_most"
}

# ---- as scikit-image's ----

# The decoded video's frames 0 to 7 beside its frames 1 to 8. scikit-image 0.26:
# structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
# data_range=255) of 0.299 R + 0.587 G + 0.114 B in F64; peak_signal_noise_ratio(data_range=255).
tensor-pick "$GOLDEN:vae.frames=frames" >"$TMP/frames"
frame=$((64 * 80 * 3))
data "$TMP/frames" | head -c $((8 * frame)) >"$TMP/a.raw"
data "$TMP/frames" | tail -c $((8 * frame)) >"$TMP/b.raw"
document 8 64 80 "$TMP/a.raw" >"$TMP/a"
document 8 64 80 "$TMP/b.raw" >"$TMP/b"
framediff --per-frame "$TMP/a" "$TMP/b" >"$TMP/table"
ok $? "8 frames of 80x64"
is "$(head -n 1 "$TMP/table")" \
    "document	seed	variant_a	variant_b	prompt	frame	psnr	ssim	mad" "the header line"
near "frame 1" "$(sed -n 2p "$TMP/table" | cut -f7-)" \
    "11.3905402651	0.0267282568549	54.106640625" 1e-7
near "frame 4" "$(sed -n 5p "$TMP/table" | cut -f7-)" \
    "7.94719276529	0.0488348661266	83.2259114583" 1e-7
near "frame 8" "$(sed -n 9p "$TMP/table" | cut -f7-)" \
    "7.43302012685	-0.0942489855374	87.9821614583" 1e-7
near "the video" "$(framediff "$TMP/a" "$TMP/b" | sed -n 2p | cut -f7-)" \
    "8.35895913862	0.000561698206046	77.9805908203" 1e-7
is "$(framediff "$TMP/a" "$TMP/b" | cut -f1-6)" "document	seed	variant_a	variant_b	prompt	frames
1					8" "a line for the video"

# ---- by hand ----

# Levels 100 and 110 everywhere: no variance, so SSIM is its first factor.
grey 2 12 16 144 >"$TMP/100"
grey 2 12 16 156 >"$TMP/110"
near "levels 100 and 110" "$(framediff "$TMP/100" "$TMP/110" | sed -n 2p | cut -f7-)" \
    "$(awk 'BEGIN { printf "%.12g\t%.12g\t10\n", 20 * log(25.5) / log(10),
        (2 * 100 * 110 + 6.5025) / (100 ^ 2 + 110 ^ 2 + 6.5025) }')" 1e-7
is "$(framediff "$TMP/a" "$TMP/a" | sed -n 2p | cut -f6-)" "8	inf	1	0" "equal frames"
is "$(framediff --per-frame "$TMP/a" "$TMP/a" | tail -n +2 | cut -f7- | sort -u)" "inf	1	0" \
    "each of them"
# One frame of two differs: the error is halved, which is 3 dB; the ratio of the other is infinite.
grey 1 12 16 144 >"$TMP/x"
data "$TMP/x" >"$TMP/half.raw"
grey 1 12 16 156 >"$TMP/x"
data "$TMP/x" >>"$TMP/half.raw"
document 2 12 16 "$TMP/half.raw" >"$TMP/half"
near "PSNR of a video is that of its mean error" \
    "$(framediff "$TMP/100" "$TMP/half" | sed -n 2p | cut -f7,9)" \
    "$(awk 'BEGIN { printf "%.12g\t5\n", (20 * log(25.5) + 10 * log(2)) / log(10) }')" 1e-7
grey 1 10 30 144 >"$TMP/low"
framediff "$TMP/low" "$TMP/low" >"$TMP/out" 2>"$TMP/err"
is "$(sed -n 2p "$TMP/out" | cut -f6- | tr '\t' '|')" "1|inf||0" "too small for SSIM: an empty cell"
like "$(cat "$TMP/err")" "framediff: warning: document 1 is 30x10: SSIM needs 11 pixels a side" \
    "and a warning"

# ---- streams ----

tensor-pick -k seed=7 -k variant=fp16 -k prompt='a	cat' "$GOLDEN:noise" "$TMP/a:frames" >"$TMP/meta-a"
tensor-pick -k seed=7 -k variant=w8a16 "$TMP/b:frames" >"$TMP/meta-b"
is "$(framediff "$TMP/meta-a" - <"$TMP/meta-b" | sed -n 2p)" \
    "1	7	fp16	w8a16	a cat	8	$(framediff "$TMP/a" "$TMP/b" | sed -n 2p | cut -f7-)" \
    "metadata in their columns, standard input, other tensors passed over"
is "$(framediff - "$TMP/b" <"$TMP/a")" "$(framediff "$TMP/a" "$TMP/b")" "standard input first"
cat "$TMP/a" "$TMP/100" >"$TMP/two-a"
cat "$TMP/b" "$TMP/110" >"$TMP/two-b"
is "$(framediff "$TMP/two-a" "$TMP/two-b" | tail -n 1)" \
    "$(framediff "$TMP/100" "$TMP/110" | sed -n '2s/^1/2/p')" "two documents"
OMP_NUM_THREADS=1 framediff --per-frame "$TMP/a" "$TMP/b" >"$TMP/table1"
OMP_NUM_THREADS=5 framediff --per-frame "$TMP/a" "$TMP/b" >"$TMP/table5"
cmp "$TMP/table" "$TMP/table1" && cmp "$TMP/table" "$TMP/table5"
ok $? "any number of threads gives the same bytes"

# ---- bad input ----

fails 1 "framediff: document 1 is 80x64 in $TMP/a and 16x12 in $TMP/100" "other sizes" \
    framediff "$TMP/a" "$TMP/100"
document 7 64 80 "$TMP/a.raw" | head -c -$frame >"$TMP/seven"
fails 1 "framediff: document 1 has 8 frames in $TMP/a and 7 in $TMP/seven" "other numbers of frames" \
    framediff "$TMP/a" "$TMP/seven"
fails 1 "framediff: document 2 of $TMP/two-a has no partner: $TMP/b has 1" "the second ends first" \
    framediff "$TMP/two-a" "$TMP/b"
fails 1 "framediff: document 2 of $TMP/two-b has no partner: $TMP/a has 1" "the first ends first" \
    framediff "$TMP/a" "$TMP/two-b"
is "$(framediff "$TMP/two-a" "$TMP/b" 2>/dev/null)" "$(framediff "$TMP/a" "$TMP/b")" \
    "the pairs before it are printed"
fails 1 "framediff: document 1 of $TMP/a has no partner: /dev/null has 0" "an empty side" \
    framediff "$TMP/a" /dev/null
fails 1 "framediff: cannot read $TMP/none: *" "no such file" framediff "$TMP/none" "$TMP/a"
fails 1 "framediff: /dev/null and standard input have no document" "nothing" framediff /dev/null -
head -c 5000 "$TMP/a" >"$TMP/short"
fails 1 "framediff: $TMP/short, document 1: 'frames' ends short: *" "a short file" \
    framediff "$TMP/a" "$TMP/short"
tensor-pick "$GOLDEN:noise=frames" >"$TMP/bad"
fails 1 "framediff: *'frames'*" "frames of another type" framediff "$TMP/a" "$TMP/bad"
full() { framediff "$TMP/a" "$TMP/a" >/dev/full; }
if [ -w /dev/full ]; then
    fails 1 "framediff: cannot write standard output: No space left on device" "a full disk" full
fi
fails 2 "framediff: two operands are needed, not 1*" "one operand" framediff "$TMP/a"
fails 2 "framediff: standard input can be only one of the two*" "- twice" framediff - -

done_testing
