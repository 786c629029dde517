#!/bin/sh
# What the small checkpoint paints: the line from caption to frames, measured from the frames by
# tiny-look; W8A16 beside F16; flowmag and clipscore as they order what is known to differ.
. "$(dirname "$0")/tap.sh"
M=$ROOT/fixtures/tiny
look() { tiny-look; }
tab=$(printf '\t')
cd "$TMP" || exit 1

# column NAME < TABLE: its cells, one a line
column() {
    awk -F "$tab" -v c="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == c) k = i }
        NR > 1 { print $k }'
}
row() { paste -sd ' ' -; }

# share NAME COLUMN LEAST TABLE: so many in the column of tiny-look's table are 1
share() {
    _got=$(column "$2" <"$4" | grep -cx 1)
    [ "$_got" -ge "$3" ]
    ok $? "$1: $3 at least of 6"
    comment "$_got"
}

# ---- the measure itself, and the VAE ----

size=$(cd "$M" && du -cb config.json *.safetensors *.pth google clip | awk '$2 == "total" { print $1 }')
[ "$size" -le 10000000 ]
ok $? "the checkpoint is 10 MB at most"
comment "$size bytes"
gzip -dc "$M/drawn.safetensors.gz" >drawn
look <drawn >seen
is "$(wc -l <seen)" 17 "sixteen clips as they were drawn"
is "$(cut -f 10- seen | tail -n +2 | sort -u)" "1${tab}1${tab}1${tab}1${tab}1${tab}1${tab}1" \
    "tiny-look sees in all of them what their captions say"
for i in 1 2 3 4; do
    tensor-pick -d $i drawn:latents | wan-vae-decode -m "$M" >trip
    tensor-pick -d $i drawn:frames >frames
    framediff frames trip | column psnr
done >psnr
awk '{ s += $1 } END { exit !(NR == 4 && s / NR >= 30) }' psnr
ok $? "four unseen clips through encoder and decoder: 30 dB in the mean"
i=0
while read -r db; do
    i=$((i + 1))
    awk "BEGIN { exit !($db >= 30) }"
    ok $? "clip $i through encoder and decoder: 30 dB at least"
done <psnr
comment "$(row <psnr) dB"

# ---- words ----

is "$(wan-encode-text -m "$M" --print-ids <"$M/unseen.txt" | awk '{ print NF }' | row)" \
    "$(awk '{ print NF + 1 }' "$M/unseen.txt" | row)" \
    "every word of the grammar is one piece"
is "$(clipscore -m "$M/clip" --print-ids <"$M/unseen.txt" | awk '{ print NF }' | row)" \
    "$(awk '{ print NF + 2 }' "$M/unseen.txt" | row)" "and one token"

# ---- six captions that no training saw, in F16 and W8A16 ----

denoise() { wan-denoise -q -s 20 --size 128x80 --frames 13 "$@"; }
wan-quantize -q -t w8a16 -m "$M" >w8a16.safetensors
head -n 6 "$M/unseen.txt" | wan-encode-text -m "$M" >text
for variant in fp16 w8a16; do
    model=$M
    [ $variant = fp16 ] || model=w8a16.safetensors
    denoise -m "$model" --seed 1 <text | wan-vae-decode -m "$M" >$variant
    look <$variant >$variant.seen
    share "$variant: right colour" right_colour 6 $variant.seen
    share "$variant: right shape" right_shape 5 $variant.seen
    share "$variant: right direction" right_direction 6 $variant.seen
    share "$variant: right background" right_background 6 $variant.seen
done
framediff fp16 w8a16 | column psnr >psnr
is "$(grep -c '^[0-9]' psnr)" 6 "the frames of all six differ between F16 and W8A16"
comment "$(row <psnr) dB apart"
tensor-pick -d 2 text:context text:context_null >second
denoise -m "$M" --seed 7 <second | wan-vae-decode -m "$M" >once
denoise -m "$M" --seed 7 <second | wan-vae-decode -m "$M" >twice
cmp -s once twice
ok $? "the same command twice: the same bytes"

# ---- motion, by flowmag ----

for way in right "up and left"; do
    printf '%s\n' "a white circle moves $way quickly over a blue background" \
        "a white circle moves $way slowly over a blue background" \
        "a white circle stands still over a blue background"
done | wan-encode-text -m "$M" | denoise -m "$M" --seed 3 | wan-vae-decode -m "$M" | flowmag | column magnitude >motion
comment "$(row <motion) pixels a frame"
is "$(awk 'NR % 3 != 1 { print ($1 < last) } { last = $1 }' motion | row)" "1 1 1 1" "quickly is more motion than slowly, slowly than still"

# ---- CLIP ----

# A video is scored against the sixteen captions, its own among them.
head -n 16 "$M/unseen.txt" >captions
while IFS= read -r caption; do
    clipscore -m "$M/clip" --fit squash -p "$caption" <fp16 | column clip | row
done <captions >scores
best=$(awk '{ for (i = 1; i <= NF; i++) if (NR == 1 || $i > most[i]) { most[i] = $i; at[i] = NR } }
    END { for (i = 1; i <= 6; i++) n += at[i] == i; print n }' scores)
[ "$best" -ge 5 ]
ok $? "a video's own caption ranks first among 16 for five of six at least"
comment "$best of 6"
less=$(awk '{ for (i = 1; i <= NF; i++) s[NR, i] = $i }
    END { for (i = 1; i <= 6; i++) n += s[i % 6 + 1, i] < s[i, i]; print n }' scores)
is "$less" 6 "another video's caption scores less than its own"

# ---- diffusers' layout ----

BUILD=$BUILD "$M/diffusers.sh" "$TMP/a pipeline"
for part in transformer vae text_encoder; do
    [ -s "a pipeline/$part/config.json" ]
    ok $? "diffusers.sh: $part"
done
head -n 3 "$M/unseen.txt" | wan-encode-text -m "a pipeline" >theirs
head -n 3 "$M/unseen.txt" | wan-encode-text -m "$M" >ours
close_to "in diffusers' layout the same contexts" --same 1 theirs ours
wan-quantize -q -t w8a16 -m "a pipeline" >theirs
tensor-diff --same 1 theirs w8a16.safetensors >out
ok $? "the same codes"
comment "$(wc -l <out) tensors"
tensor-pick -k seed=7 second:context second:context_null |
    tee ours | denoise -m "a pipeline" -s 2 >theirs
denoise -m "$M" -s 2 <ours >once
close_to "the same latents" --same 1 theirs once
wan-vae-decode -m "a pipeline" <once >theirs
wan-vae-decode -m "$M" <once >ours
close_to "the same frames" --same 1 theirs ours
fails 2 "usage: diffusers.sh DIR" "diffusers.sh without a directory" "$M/diffusers.sh"
done_testing
