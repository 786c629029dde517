#!/bin/sh
# wan-denoise -s 0: the initial noise without a model. (t/noise.c has all stored samples of torch's.)
. "$(dirname "$0")/tap.sh"
cd "$TMP" || exit 1
tensor-pick -k prompt='a lovely cat' "$GOLDEN:t5.prompt.context=context" > text
fixture=$ROOT/fixtures/noise.safetensors

# ---- the reference's ----
wan-denoise -s 0 -S 123 --size 80x64 --frames 9 < text > small
close_to "the golden noise" --abs 2e-6 small:noise "$GOLDEN:noise"
wan-denoise -s 0 -S 123 < text > large # 832x480, 81 frames
is "$(tensor-info large | grep -c 'noise .*\[16, 21, 60, 104\]')" 1 "the default is 832x480, 81 frames"
# The first 4096 of 16 x 21 x 60 x 104 numbers, as a file of their own.
head_of() { # FILE
    header=$(od -An -tu8 -N8 "$1" | tr -d ' ')
    printf '\140\0\0\0\0\0\0\0%-96s' '{"x":{"dtype":"F32","shape":[4096],"data_offsets":[0,16384]}}'
    tail -c +$((9 + header)) "$1" | head -c 16384
}
head_of large > large-head
close_to "of 81 frames as on an H200" --abs 2e-6 large-head:x "$fixture:cuda.123.81f.head"
wan-denoise -s 0 -S 123 --rng torch-cpu < text > cpu
head_of cpu > cpu-head
close_to "of 81 frames as on a CPU" --abs 2e-6 cpu-head:x "$fixture:cpu.123.81f.head"
is "$(tensor-info cpu | grep -c 'rng_card')" 0 "no card is named for the CPU's"

# ---- seeds and cards ----
wan-denoise -s 0 -S 7,123 --size 80x64 --frames 9 < text > two
is "$(tensor-info --names two | grep -c noise)" 2 "two seeds, two documents"
tensor-pick -d 2 two > second
close_to "the second is the second seed's" --same 1 second:noise small:noise
is "$(tensor-info two | sed -n 's/^  seed: //p' | tr '\n' ' ')" "7 123 " "and says so"
tensor-pick -k seed=123 text > seeded
wan-denoise -s 0 --size 80x64 --frames 9 < seeded > own
close_to "a document's own seed" --same 1 own:noise small:noise
wan-denoise -s 0 -S 7 --size 80x64 --frames 9 < seeded > other
tensor-pick -d 1 two > first
close_to "--seed goes before it" --same 1 other:noise first:noise
wan-denoise -s 0 --size 80x64 --frames 9 < text > zero
like "$(tensor-info zero)" "*
  seed: 0
*" "without any it is 0"
wan-denoise -s 0 -S 123 --size 80x64 --frames 9 --rng torch-cuda:128,1536 < text > rtx
close_to "cards agree on few numbers" --same 1 rtx:noise small:noise
wan-denoise -s 0 -S 123 --rng torch-cuda:128,1536 < text > rtx-large
tensor-diff --rel 1 rtx-large:noise large:noise > /dev/null
is $? 1 "and differ on many"
like "$(tensor-info large)" "*rng: \"torch-cuda:132,2048\"*rng_card: \"NVIDIA H200\"*" \
    "the metadata name the card"
like "$(tensor-info rtx)" "*rng: \"torch-cuda:128,1536\"*" "and the numbers given"
is "$(tensor-info rtx | grep -c rng_card)" 0 "of a card that has no name here none is given"
like "$(tensor-info large)" "*  prompt: a lovely cat*" "metadata pass through"

# ---- sizes ----
wan-denoise -s 0 --size 80x64 --frames 16 < text 2> err > sixteen
is "$(cat err)" "wan-denoise: --frames 16 gives 13 frames, as the reference does" "16 frames are 13"
like "$(tensor-info sixteen)" "*frames: 13*[[]16, 4, 8, 10[]]*" "and the metadata say so"
is "$(wan-denoise -q -s 0 --size 80x64 --frames 16 < text 2>&1 > /dev/null)" "" "-q: without a note"
fails 1 "*--frames 16 is not of the form 4n+1" "--strict refuses" \
    wan-denoise -s 0 --size 80x64 --frames 16 --strict
wan-denoise -s 0 --size 16x16 --frames 1 < text > least
like "$(tensor-info least)" "*[[]16, 1, 2, 2[]]*" "16x16, 1 frame"

for name in torch-cuda:132 torch-cuda:132, torch-cuda:132,2048x torch-cuda:x,1 torch-cpu:1; do
    fails 2 "*rng*$name*" "--rng $name" wan-denoise -s 0 --rng $name
done

# ---- stored noise ----
tensor-pick "$GOLDEN:noise" > stored
wan-denoise -s 0 < stored > passed
close_to "stored noise is used" --same 1 passed:noise "$GOLDEN:noise"
like "$(tensor-info passed)" "*size: \"80x64\"*rng: \"stored noise\"*" "and decides the size"
fails 1 "*brings its noise*each of 2 seeds" "not for several seeds" \
    sh -c 'wan-denoise -s 0 -S 1,2 < stored'

done_testing
