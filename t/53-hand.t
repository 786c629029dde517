#!/bin/bash
# By hand and by make the same names and bytes; nothing binary on a terminal; every quality is a video that players know.
. "$(dirname "$0")/tap.sh"
have ffmpeg || skip_all "there is no ffmpeg"
cd "$ROOT" || exit 1
model=fixtures/tiny
printf 'a red circle moves right\na red circle moves right\na blue ring stands still\n' >"$TMP/p.txt"

# ---- names ----

mkdir "$TMP/hand"
wan-encode-text -q -m $model --negative-file pipelines/negative.txt <"$TMP/p.txt" |
    wan-denoise -q -m $model --size 64x64 --frames 5 -s 2 --seed 1,2 | wan-vae-decode -q -m $model |
    frames2mp4 -q -o "$TMP/hand/%02n_seed%s.mp4"
make -s DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" fp16 MODEL=$model PROMPTS="$TMP/p.txt" SEEDS='1 2' SIZE=64x64 FRAMES=5 STEPS=2 \
    OUT="$TMP/made" >/dev/null 2>&1
is "$(cd "$TMP/hand" && ls | paste -sd ' ')" "$(cd "$TMP/made/fp16" && ls -- *.mp4 | paste -sd ' ')" \
    "the names of two seeds of three prompts, two of which are equal"
same=0
for f in "$TMP"/hand/*.mp4; do
    mp42frames "$f" >"$TMP/a" && mp42frames "$TMP/made/fp16/${f##*/}" >"$TMP/b" && tensor-diff -q "$TMP/a" "$TMP/b" >/dev/null && same=$((same + 1))
done
is $same 6 "and their frames"
frames=$TMP/frames
mp42frames "$TMP"/hand/01_seed1.mp4 "$TMP"/hand/01_seed2.mp4 >"$frames"
fails 1 "frames2mp4: document 2 would replace *1.mp4, which is document 1: -o needs %s, the seed" "two seeds of a prompt need %s" \
    sh -c 'frames2mp4 -o "$0/%n.mp4" <"$1"' "$TMP" "$frames"

# ---- qualities ----

wan-vae-decode -q -m $model <"$TMP/made/fp16/01_seed1.latents.safetensors" >"$frames"
for quality in 0 8 9.9 10; do
    frames2mp4 -Q $quality -o "$TMP/q.mp4" <"$frames"
    is "$(ffprobe -v error -show_entries stream=profile,pix_fmt -of csv=p=0 "$TMP/q.mp4")" "High,yuv420p" "-Q $quality is as playable as the others"
done

# ---- a terminal ----

if have script && script -qec true /dev/null >/dev/null 2>&1 </dev/null; then
    latents=$TMP/made/fp16/01_seed1.latents.safetensors
    while IFS= read -r line; do
        script -qec "$line" "$TMP/typescript" >/dev/null 2>&1 </dev/null
        said=$(sed '1d; $d' "$TMP/typescript" | tr -d '\r')
        like "$said" "${line%% *}: standard output is a terminal: *" "${line%% *} writes no binary to a terminal"
    done <<LINES
tensor-pick $latents
tensor-split --pass $TMP/x <$latents
tensor-view $latents
wan-encode-text -m $model <$TMP/p.txt
wan-denoise -m $model -s 1 <$TMP/made/text/01.safetensors
wan-vae-decode -m $model <$latents
wan-quantize -q -t w8a16 -m $model
mp42frames $TMP/hand/01_seed1.mp4
flowmag --flow <$frames
LINES
else
    skip "there is no script" "nothing binary on a terminal"
fi
done_testing
