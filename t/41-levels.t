#!/bin/sh
# wan-denoise's solvers, schedules and few-step rules against others' samplers, with a small model:
# fixtures/sampling/golden.safetensors (made by make.py there). t/solvers.c has their levels.
. "$(dirname "$0")/tap.sh"
model=$ROOT/fixtures/random G=$ROOT/fixtures/sampling/golden.safetensors
cd "$TMP" || exit 1
tensor-pick "$GOLDEN:t5.prompt.context=context" "$GOLDEN:t5.negative.context=context_null" > text
sample() { # OPTIONS...: as the fixtures were sampled
    wan-denoise -m "$model" --dtype fp32 --rng torch-cpu -S 123 --size 32x32 --frames 1 "$@" < text
}
near() { close_to "$1" --rel 1e-5 "$2:latents" "$G:$3.latents"; } # NAME FILE CASE

# ---- schedules and solvers ----
for case in $(tensor-info --names "$G" | sed -n 's/^\(.*@.*\)\.latents.*/\1/p'); do
    solver=${case%%@*} rest=${case#*@}
    levels=${rest%%.n*} n=${rest##*.n}
    sample --solver "$solver" --schedule "$levels" -s "${n%%.*}" -F "${n##*shift}" > out
    near "$case" out "$case"
done

# ---- few steps that were given, noised again: CausVid's, Self-Forcing's, FastWan's ----
few="--solver lcm --schedule trained -g 1"
sample $few -F 5 --timesteps 1000,937.5,833.33333,625 > out
near "Self-Forcing's four steps, warped" out self-forcing
sample $few -F 8 --timesteps 1000,757,522 > out
near "CausVid's and FastWan's three" out causvid
sigmas=$(tensor-pick "$G:causvid.sigmas=x" | tail -c 16 | od -An -tf4 -w4 -N12 |
    awk '{ printf "%s%.9g", (NR > 1 ? "," : ""), $1 }')
sample --solver lcm -g 1 --timesteps 1000,757,522 --sigmas "$sigmas" > out
near "the same with its levels given: $sigmas" out causvid

# ---- Wan2.2-T2V-A14B: two experts; here a model and itself with its blocks in each other's place ----
W=$model/diffusion_pytorch_model.safetensors
tensor-info --names "$W" | sed 's/[[:space:]].*//' | awk -v w="$W" '{ to = $0
    if (sub(/^blocks\.0\./, "blocks.1.", to) || sub(/^blocks\.1\./, "blocks.0.", to)) { }
    print w ":" $0 "=" to }' > names
mkdir second
cp "$model/config.json" second
tensor-pick $(cat names) > second/diffusion_pytorch_model.safetensors
low() { wan-denoise -m second --dtype fp32 "$@"; }
sample -s 40 -F 12 -g 4 --until 0.875 | low -g 3 > out
near "the official loop of two experts" out a14b
wan-denoise -m "$model" --rng torch-cpu -S 123 --size 32x32 --frames 1 -s 40 -F 12 -g 4 --until 0.875 < text |
    wan-denoise -m second -g 3 > half
close_to "the same in fp16" --rel 1e-3 half:latents "$G:a14b.latents"
steps=$(sample -s 40 -F 12 -g 4 --until 0.875 | tensor-info | sed -n 's/^  step: //p')
sample -s 40 -F 12 -g 4 --until "$steps" | low -g 3 > again
close_to "the boundary is after step $steps" --same 1 again:latents out:latents

# ---- guidance that changes, latents that are given ----
sample -s 8 --cfg-zero 1 > out
near "CFG-Zero*" out cfg-zero
sample -s 8 --skip-layers 1:3-6 > out
near "a block left out of the pass without the prompt, in steps 3 to 6" out skip-layers
sample -s 8 --guidance-steps 3-6 --stats stats > out
near "guidance in steps 3 to 6" out guidance-steps
is "$(grep -c '"calls": 12\b' stats)" 1 "which is 12 passes, not 16"
wan-denoise -s 0 --rng torch-cpu -S 7 --size 32x32 --frames 1 < text > seven
tensor-pick text seven:noise=latents > given
wan-denoise -m "$model" --dtype fp32 --rng torch-cpu -S 123 -s 8 --from 3 < given > out
near "--from 3" out from
wan-denoise -s 0 --rng torch-cpu -S 123 --size 32x32 --frames 1 < text > first
tensor-pick text seven:noise=latents first:noise > given
wan-denoise -m "$model" --dtype fp32 -s 8 --from 0.9 < given > out
near "the same by its level, with stored noise" out from

done_testing
