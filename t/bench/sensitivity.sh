#!/bin/bash
# sensitivity.sh: seconds of wan-sensitivity with random weights of the 1.3B's real sizes: every linear of 30
# blocks at 5 timesteps, and each kind sampled to the end. The rank correlations are of these weights: noise in
# all layers alike, so they tell little; those of a trained model are the ones to quote.
#
#   BUILD=build/cuda t/bench/sensitivity.sh       SIZE, FRAMES, STEPS, POINTS, RULE, DTYPE
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
BUILD=$(realpath "${BUILD:-$here/../../build/cuda}")
SIZE=${SIZE:-832x480} FRAMES=${FRAMES:-13} STEPS=${STEPS:-20} POINTS=${POINTS:-5} RULE=${RULE:-int4-g128} DTYPE=${DTYPE:-fp16}
directory=${TMPDIR:-/tmp}/wan-bench
mkdir -p "$directory"
PATH=$BUILD:$BUILD/t/bench:$PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
model=$directory/diffusion_pytorch_model.safetensors
[ -e "$model" ] || random-model "$directory" 1.3B
[ -e "$directory/$RULE.safetensors" ] || {
    wan-quantize -q -t "$RULE" -m "$directory" > "$directory/$RULE.part"
    mv "$directory/$RULE.part" "$directory/$RULE.safetensors"
}
cd "$work"
tensor-pick -t F32 "$model:text_embedding.0.weight[0:20]=context" "$model:text_embedding.0.weight[20:147]=context_null" > text

number() { sed -n "s/.*\"$2\": \([0-9.e+-]*\).*/\1/p" "$1" | head -1; }
run() { # OPTIONS...
    wan-sensitivity -m "$directory" --size "$SIZE" --frames "$FRAMES" -s "$STEPS" --points "$POINTS" --dtype "$DTYPE" \
        --stats json "$@" "$directory/$RULE.safetensors" < text > table
    awk -v swaps="$(number json swaps)" -v all="$(number json total)" -v load="$(number json load)" \
        -v bytes="$(number json peak_device_bytes)" \
        '{ if (/^[0-9]/) n++ } END { printf "%d swaps in %.1f s, of which load %.1f s, swaps %.1f s; %.2f GB at most\n",
            n, all, load, swaps, bytes / 1e9 }' table
    awk 'NR > 1 && NR < 6' table
}
echo "$FRAMES frames of $SIZE, $RULE, $DTYPE"
run
run --by kind --final
