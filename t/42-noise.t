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

# ---- the last bit: --perturb ----
# bits FILE: of the noise, each F32 as a signed whole number: those of neighbours are 1 apart
bits() {
    tensor-pick "$1:noise" > only
    tail -c +$((9 + $(od -An -tu8 -N8 only | tr -d ' '))) only | od -An -v -w4 -td4
}
# steps A B: how far values of two noises are from each other in value, in ulp: of a negative number
# the bits grow as it falls
steps() {
    bits "$1" > a.bits
    bits "$2" | paste a.bits - | awk '{ n[$1 < 0 ? $1 - $2 : $2 - $1]++ }
        END { for (d in n) print d ":" n[d] }' | sort -n | tr '\n' ' '
}
noise() { wan-denoise -s 0 -S 123 --size 80x64 --frames 9 "$@" < text; }
noise --perturb 1 > perturbed
like "$(steps small perturbed)" "-1:1??? 1:1??? " "--perturb: each value is one ulp above or below what it was"
comment "of 3840 values: $(steps small perturbed)"
noise --perturb 1 | cmp -s - perturbed
ok $? "the same again"
OMP_NUM_THREADS=7 noise --perturb 1 | cmp -s - perturbed
ok $? "with any number of threads"
for seed in 0 2 9007199254740992; do noise --perturb $seed > "seed$seed"; done
for pair in "perturbed seed2" "seed0 perturbed" "seed2 seed9007199254740992"; do
    # shellcheck disable=SC2086 # two words
    case $(steps $pair) in "-2:"???" 0:"1???" 2:"???" ") ok 0 "seeds are not alike: $pair" ;; *) ok 1 "seeds are not alike: $pair" ;; esac
done
like "$(tensor-info perturbed)" "*    perturb: 1
*" "the record says it"
is "$(tensor-info small | grep -c perturb)" 0 "and only where it is so"
wan-denoise -s 0 --perturb 1 < small > again
like "$(steps small again)" "-1:1??? 1:1??? " "stored noise is changed like what is drawn"
is "$(steps perturbed again)" "0:3840 " "by the same hash"
tensor-pick small:noise=latents text "$GOLDEN:t5.negative.context=context_null" > begun
wan-denoise -m "$ROOT/fixtures/random" --dtype fp32 -S 5 -s 4 --from 2 < begun > from
wan-denoise -m "$ROOT/fixtures/random" --dtype fp32 -S 5 -s 4 --from 2 --perturb 1 < begun > from-perturbed
tensor-diff --rel 1e-4 from:latents from-perturbed:latents > out && ! tensor-diff --same 1 from:latents from-perturbed:latents > out
ok $? "with --from the noise that meets the latents"
comment "$(cat out)"
recipe() { tensor-info "$1" | sed -n 's/^  recipe: //p'; }
model=$ROOT/fixtures/tiny
wan-encode-text -m "$model" > tiny << end
a red circle moves right
end
# F32: 16 bits make more of a last bit
sampled() { wan-denoise -m "$model" --dtype fp32 -S 1 -s 4 --size 64x48 --frames 5 "$@" < tiny; }
sampled > plain
sampled --perturb 1 > one
sampled --perturb 2 > two
[ "$(recipe plain)" != "$(recipe one)" ] && [ "$(recipe one)" != "$(recipe two)" ]
ok $? "another recipe for each seed"
is "$(sampled --perturb 1 --recipe | tensor-info | sed -n 's/^  recipe: //p')" "$(recipe one)" "which is known before"
for f in one two; do
    tensor-diff --same 1 plain:latents $f:latents > out
    is $? 1 "the result is another"
    close_to "and near: last bits of the noise are last bits of the latents" --rel 1e-4 plain:latents $f:latents
done
sampled --perturb 1 -G 2 > ranks 2> err
if [ "$DEVICE" = cpu ]; then
    close_to "ranks have one noise" --rel 1e-5 ranks:latents one:latents
else
    skip "it needs two cards" "ranks have one noise"
fi
fails 2 "*--perturb takes a whole number from 0, not -1*" "--perturb -1" noise --perturb -1
fails 2 "*--perturb takes a*number*" "--perturb 1.5" noise --perturb 1.5
fails 2 "*--perturb is for what begins with noise*" "not with --forward" wan-denoise -m "$model" --forward 5 --perturb 1
fails 2 "*--perturb is for what begins with noise*" "nor with --stat" wan-denoise -m "$model" --stat 'blocks.*' --perturb 1
sampled --until 2 > half
fails 1 "*a sampling that goes on, whose noise was drawn before: --perturb is not for it" "nor where a sampling goes on" \
    sh -c "wan-denoise -m '$model' --perturb 1 < half"
sampled --until 2 --perturb 1 | wan-denoise -m "$model" > whole
close_to "whose first half may have it" --same 1 whole:latents one:latents

# ---- a pair that differs in it ----
mkdir a b c
for f in plain:a one:b two:c; do
    wan-vae-decode -m "$model" < "${f%:*}" | tensor-info --json > "${f#*:}/01.json"
done
refusal() { pair-check "$@" 2>&1 >/dev/null | head -n 1; }
is "$(refusal a b)" "pair-check: 01 is no pair: differs in wan-denoise.perturb: nothing and 1" "is no pair"
is "$(refusal b c)" "pair-check: 01 is no pair: differs in wan-denoise.perturb: 1 and 2" "nor are two that have it"
is "$(pair-check -d perturb a b | sed -n 2p | cut -f 2,3 | tr '\t' ' ')" "provenance wan-denoise.perturb" "unless it may differ"

done_testing
