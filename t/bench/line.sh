#!/bin/bash
# line.sh: seconds from a prompt to frames, loading included, with random models of the 1.3B's real sizes: in 16 bits, and
# with int8 weights, products of int8 codes and attention in 8 bits.
#
#   BUILD=build/cuda t/bench/line.sh       SIZE, FRAMES, STEPS, ROUNDS, TEXT_LAYERS
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
BUILD=${BUILD:-$here/../../build/cuda}
SIZE=${SIZE:-832x480} FRAMES=${FRAMES:-81} STEPS=${STEPS:-50} ROUNDS=${ROUNDS:-3} TEXT_LAYERS=${TEXT_LAYERS:-24}
directory=${TMPDIR:-/tmp}/wan-bench
mkdir -p "$directory/int8"
PATH=$BUILD:$BUILD/t/bench:$PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ -e "$directory/diffusion_pytorch_model.safetensors" ] || random-model "$directory" 1.3B
[ -e "$directory/vae_random.safetensors" ] || random-model "$directory" vae
[ -e "$directory/text$TEXT_LAYERS/umt5_random.safetensors" ] || random-model "$directory/text$TEXT_LAYERS" text "$TEXT_LAYERS"
cp "$directory/config.json" "$directory/int8/"
[ -e "$directory/int8/model.safetensors" ] ||
    { wan-quantize -q -t int8 -m "$directory" > "$work/model" && mv "$work/model" "$directory/int8/model.safetensors"; }
cd "$work"

number() { sed -n "s/.*\"$2\": \([0-9.e+-]*\).*/\1/p" "$1" | head -1; }
ids() { echo "$(seq "$1" $(($1 + $2 - 2)) | tr '\n' ' ')1"; } # as a prompt of $2 tokens has
line() { # NAME WEIGHTS OPTIONS...
    local name=$1 weights=$2 start end
    shift 2
    start=$(date +%s.%N)
    ids 1000 20 | wan-encode-text -q -m "$directory/text$TEXT_LAYERS" --token-ids -n "$(ids 2000 127)" |
        wan-denoise -q -m "$weights" --size "$SIZE" --frames "$FRAMES" -s "$STEPS" --stats denoise.json "$@" |
        wan-vae-decode -q -m "$directory" --dtype "$DTYPE" --stats decode.json > frames
    end=$(date +%s.%N)
    awk -v n="$name" -v s="$start" -v e="$end" -v d="$(number denoise.json steps)" -v v="$(number decode.json decode)" \
        'BEGIN { printf "%-10s %7.2f s, of them sampling %.2f, decoding %.2f\n", n, e - s, d, v }'
}
DTYPE=fp16
case $BUILD in *cpu*) DTYPE=fp32 ;; esac
echo "$FRAMES frames of $SIZE, $STEPS steps"
for ((i = 0; i < ROUNDS; i++)); do
    line fp16 "$directory" --dtype $DTYPE
    line all-int8 "$directory/int8/model.safetensors" --dtype $DTYPE --act int8 --attention int8
    line all-fp8 "$directory/int8/model.safetensors" --dtype $DTYPE --act int8 --attention fp8
done
