#!/bin/bash
# Another solver for the same noise: how far are 20 steps of Euler, and of DPM-Solver++, from 50 of UniPC?
#   swap-solver.sh MODEL 'PROMPT' [wan-denoise OPTION...]
set -eu -o pipefail
model=$1 prompt=$2
shift 2
echo "$prompt" | wan-encode-text -q -m "$model" > text.safetensors
wan-denoise -q -m "$model" --seed 1 "$@" < text.safetensors > unipc.safetensors
for solver in euler dpm++; do
    wan-denoise -q -m "$model" --seed 1 "$@" --solver $solver -s 20 < text.safetensors > $solver.safetensors
    echo "$solver: $(tensor-diff unipc.safetensors $solver.safetensors || true)" # that they differ is no failure
done
