#!/bin/bash
# The whole line: pairs through make, resumed after an interruption, with a stage swapped; many prompts
# through one pipe.
. "$(dirname "$0")/tap.sh"
have ffmpeg || skip_all "there is no ffmpeg"
cd "$ROOT" || exit 1
model=fixtures/random
set -o pipefail

videos() { # OUT MAKE-ARGUMENTS...
    local out=$1
    shift
    make -s DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" OUT="$out" MODEL="$model" PROMPTS="$TMP/prompts.txt" SEEDS='1 2' SIZE=64x48 \
        FRAMES=5 STEPS=2 "$@" 2>"$TMP/make.err"
}
printf 'a red circle moves right\n\na blue square stands still\n' > "$TMP/prompts.txt"

# ---- a pair of variants ----
out=$TMP/dataset
videos "$out" videos
ok $? "make videos"
comment "$(tail -3 "$TMP/make.err")"
for variant in fp16 w8a16; do
    is "$(cd "$out/$variant" && ls *.mp4 | tr '\n' ' ')" \
        "01_seed1.mp4 01_seed2.mp4 02_seed1.mp4 02_seed2.mp4 " "$variant: a video for each prompt and seed"
done
is "$(cd "$out/text" && ls *.safetensors | wc -l)" 2 "contexts are made once, for both variants"
tensor-diff -q "$out/fp16/01_seed1.latents.safetensors" "$out/w8a16/01_seed1.latents.safetensors" >/dev/null 2>&1
is $? 1 "fp16 and w8a16 differ"
mp42frames "$out/w8a16/02_seed2.mp4" > "$TMP/frames"
tensor-info "$TMP/frames" > "$TMP/info"
grep -q 'a blue square stands still' "$TMP/info" && grep -q 'U8.*5, 48, 64, 3' "$TMP/info"
ok $? "the mp4 gives prompt and frames back"

# ---- nothing to do, and what is missing alone ----
touch "$TMP/now"
videos "$out" videos
is "$(find "$out" -newer "$TMP/now" -type f)" "" "a second make makes nothing"
rm "$out/fp16/01_seed2.latents.safetensors" "$out/fp16/01_seed2.mp4"
videos "$out" videos
is "$(find "$out" -newer "$TMP/now" -type f ! -path '*/runs/*' | sort | sed 's/.*dataset.//' | tr '\n' ' ')" \
    "fp16/01_seed2.latents.safetensors fp16/01_seed2.mp4 " "only what is missing is made again"
printf 'a green ring\n' >> "$TMP/prompts.txt"
sleep 1
touch "$TMP/now"
videos "$out" fp16
is "$(find "$out" -newer "$TMP/now" -name '*.mp4' | sort | sed 's/.*dataset.//' | tr '\n' ' ')" \
    "fp16/03_seed1.mp4 fp16/03_seed2.mp4 " "a prompt added makes its own videos alone"

# ---- interrupted ----
out=$TMP/interrupted
times=0
for delay in 0.05 0.2 0.4 0.7 1; do
    interrupted $delay make -s DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" OUT="$out" MODEL="$model" \
        PROMPTS="$TMP/prompts.txt" SEEDS='1 2' SIZE=64x48 FRAMES=5 STEPS=2 videos
    [ $? -ne 130 ] || times=$((times + 1))
done
[ $times -ge 2 ]
ok $? "make is interrupted while it works"
comment "$times times of 5"
videos "$out" videos
ok $? "and then goes on"
same=0
for f in "$TMP"/dataset/fp16/*.mp4; do
    cmp -s "$f" "$out/fp16/$(basename "$f")" && same=$((same + 1))
done
is $same 6 "and gives the same bytes as an undisturbed run"
is "$(find "$out" -name '*.part')" "" "no half file is left"

# ---- a stage swapped ----
videos "$TMP/euler" fp16 DENOISE="$BUILD/wan-denoise --solver euler"
ok $? "a stage is swapped from the command line"
tensor-diff "$TMP/euler/fp16/01_seed1.latents.safetensors" "$TMP/dataset/fp16/01_seed1.latents.safetensors" >/dev/null 2>&1
is $? 1 "and it makes something else"
videos "$TMP/kept" fp16 KEEP_FRAMES=1
is "$(tensor-info --names "$TMP/kept/fp16/01_seed1.frames.safetensors" 2>/dev/null | head -1)" frames "KEEP_FRAMES=1 keeps the frames"
videos "$TMP/kept" fp16 FPS=8
is "$(mp42frames "$TMP/kept/fp16/01_seed1.mp4" | tensor-info | grep -c '^  fps: 8$')" 1 \
    "another FPS makes the mp4 again"

# ---- other weights under the same name ----
cp -r $model "$TMP/model"
(model=$TMP/model; videos "$TMP/moved" fp16; touch "$TMP/now"; touch -d '1 hour' "$TMP/model/Wan2.1_VAE.pth"; videos "$TMP/moved" fp16)
is "$(find "$TMP/moved/fp16" -newer "$TMP/now" -type f)" "" "a VAE of another date is the same VAE"
poke() { # FILE AT: one bit of one byte, and the date as it was
    touch -r "$1" "$TMP/date"
    printf "$(printf '\\%03o' $(($(od -An -tu1 -j "$2" -N 1 "$1") ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
    touch -r "$TMP/date" "$1"
}
poke "$TMP/model/Wan2.1_VAE.pth" 300000
(model=$TMP/model; videos "$TMP/moved" fp16)
is "$(find "$TMP/moved/fp16" -newer "$TMP/now" -name '*.mp4' | wc -l),$(find "$TMP/moved" -newer "$TMP/now" -name '*.latents.*')" "6," \
    "one bit of the VAE, same size and date, makes the videos again, not the latents"
videos "$TMP/bf16" bf16
ok $? "a variant that is not among VARIANTS can be asked for"

# ---- faults ----
like "$(videos "$TMP/x" fp16 SEEDS='1 1' 2>&1; cat "$TMP/make.err")" "*SEEDS has one twice*" "a seed twice is refused"
like "$(videos "$TMP/x" fp16 SEEDS='1 b' 2>&1; cat "$TMP/make.err")" "*are not numbers*" "a seed that is no number is refused"
like "$(videos "$TMP/x" videos VARIANTS='fp16 fp17' 2>&1; cat "$TMP/make.err")" "*no variant*" "an unknown variant is refused"
like "$(videos "$TMP/x" fp16 STEPS=0 2>&1; cat "$TMP/make.err")" "*STEPS=0 would make videos of noise*" "no steps are refused"
like "$(make -s OUT='a b' videos 2>&1)" "*has a space*" "an output directory with a space is refused"
like "$(make -s OUT="$TMP/x" PROMPTS=/nonexistent fp16 2>&1)" "*PROMPTS=/nonexistent: there is no such file*" "a missing prompt file is said"
cp -r $model "$TMP/with space"
(model="$TMP/with space"; videos "$TMP/spaces" videos)
ok $? "MODEL may have a space"

# ---- twenty prompts, one pipe ----
wan-encode-text -q -m $model --stats "$TMP/text.json" < pipelines/prompts.txt |
    wan-denoise -q -m $model --size 32x32 --frames 1 -s 2 --stats "$TMP/denoise.json" |
    wan-vae-decode -q -m $model --stats "$TMP/decode.json" > "$TMP/twenty"
is $? 0 "twenty prompts through one pipe"
is "$(tensor-info --names "$TMP/twenty" | grep -c frames)" 20 "twenty documents come out"
for s in text denoise decode; do
    grep -q '"weight_loads": 1\b' "$TMP/$s.json" && grep -q '"documents": 20' "$TMP/$s.json"
    ok $? "$s loaded its weights once for 20 documents"
done

done_testing
