#!/bin/bash
# stages.sh: seconds, GFLOP/s and peak memory of each stage, with random models of the 1.3B's real sizes,
# at 128x64, 5 frames. Needs 3 GB of disk under ${TMPDIR:-/tmp}, and 11 GB more for the whole umT5-xxl:
# TEXT_LAYERS=24 (default) is all of it, fewer layers are timed as they are.
#
# Operations are counted in flops.awk. On a card, cuda.sh is run instead.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
BUILD=${BUILD:-$here/../../build/cpu}
SIZE=${SIZE:-128x64} FRAMES=${FRAMES:-5} STEPS=${STEPS:-2} TEXT_LAYERS=${TEXT_LAYERS:-24}
directory=${TMPDIR:-/tmp}/wan-bench
mkdir -p "$directory"
PATH=$BUILD:$BUILD/t/bench:$PATH

[ -e "$directory/diffusion_pytorch_model.safetensors" ] || random-model "$directory" 1.3B
[ -e "$directory/vae_random.safetensors" ] || random-model "$directory" vae
if [ ! -e "$directory/text$TEXT_LAYERS/umt5_random.safetensors" ]; then
    random-model "$directory/text$TEXT_LAYERS" text "$TEXT_LAYERS"
fi

# A prompt of 20 tokens and the default negative prompt's length.
ids=$(seq 1000 1018) negative=$(seq 2000 2125)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
echo $ids 1 | wan-encode-text -m "$directory/text$TEXT_LAYERS" --token-ids -n "$(echo $negative) 1" --stats text.json > text
wan-denoise -m "$directory" --size "$SIZE" --frames "$FRAMES" -s "$STEPS" --stats denoise.json < text > latents
# Random weights make latents of any size; the decoder wants latents of order one, so it gets noise.
wan-denoise -m "$directory" --size "$SIZE" --frames "$FRAMES" -s 0 < text > drawn
tensor-pick drawn:noise=latents > noise
wan-vae-decode -m "$directory" --stats decode.json < noise > frames

number() { sed -n "s/.*\"$2\": \([0-9.e+-]*\).*/\1/p" "$1" | head -1; }
weights() { sed -n 's/.*"weight_bytes\.[A-Z0-9]*": \([0-9]*\).*/\1/p' "$1" | awk '{ s += $1 } END { print s / 1e9 }'; }
row() { # STAGE SECONDS GFLOP STATS
    awk -v n="$1" -v s="$2" -v f="$3" -v w="$(weights "$4")" -v p="$(number "$4" peak_resident_bytes)" \
        -v t="$(number "$4" total)" 'BEGIN {
        printf "%-24s %9.2f %9.2f %9.1f %9.1f %9.2f %9.2f %9.2f\n", n, t, s, f, f / s, w, p / 1e9, p / 1e9 - w }'
}

read -r text denoise decode < <(awk -v size="$SIZE" -v frames="$FRAMES" -v steps="$STEPS" \
    -v layers="$TEXT_LAYERS" -f "$here/flops.awk")

device=$(sed -n 's/.*"device": "\(.*\)".*/\1/p' denoise.json)
echo "$device; $SIZE, $FRAMES frames, $STEPS steps, umT5 of $TEXT_LAYERS layers"
case $device in *avx2* | *avx512* | *neon*) ;; *)
    echo "warning: without AVX2 products take three times as long" >&2 ;;
esac
printf '%-24s %9s %9s %9s %9s %9s %9s %9s\n' stage 'total s' 'work s' GFLOP GFLOP/s 'weights GB' 'peak GB' 'rest GB'
row "encode 20 + 127 tokens" "$(number text.json encode)" "$text" text.json
row "denoise" "$(number denoise.json steps)" "$denoise" denoise.json
row "decode" "$(number decode.json decode)" "$decode" decode.json
