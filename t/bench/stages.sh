#!/bin/bash
# stages.sh: seconds, GFLOP/s and peak memory of each stage, with random models of the 1.3B's real sizes,
# at 128x64, 5 frames. Needs 3 GB of disk under ${TMPDIR:-/tmp}, and 11 GB more for the whole umT5-xxl:
# TEXT_LAYERS=24 (default) is all of it, fewer layers are timed as they are.
#
# Operations counted: products (two a multiply and add) of linears, attention and convolutions.
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
wan-denoise -m "$directory" --size "$SIZE" --frames "$FRAMES" -s 0 < text > noise
wan-vae-decode -m "$directory" --stats decode.json < noise > frames

number() { sed -n "s/.*\"$2\": \([0-9.e+-]*\).*/\1/p" "$1" | head -1; }
weights() { sed -n 's/.*"weight_bytes\.[A-Z0-9]*": \([0-9]*\).*/\1/p' "$1" | awk '{ s += $1 } END { print s / 1e9 }'; }
row() { # STAGE SECONDS GFLOP STATS
    awk -v n="$1" -v s="$2" -v f="$3" -v w="$(weights "$4")" -v p="$(number "$4" peak_resident_bytes)" \
        -v t="$(number "$4" total)" 'BEGIN {
        printf "%-24s %9.2f %9.2f %9.1f %9.1f %9.2f %9.2f %9.2f\n", n, t, s, f, f / s, w, p / 1e9, p / 1e9 - w }'
}

flops() { # GFLOP of the three stages
    awk -v size="$SIZE" -v frames="$FRAMES" -v steps="$STEPS" -v layers="$TEXT_LAYERS" 'BEGIN {
        split(size, s, "x"); T = int((frames - 1) / 4) + 1; y = s[2] / 8; x = s[1] / 8
        n = 20; m = 127
        text = 2 * (n + m) * layers * (4 * 4096 * 4096 + 3 * 4096 * 10240) + 4 * (n * n + m * m) * 4096 * layers
        L = T * y * x / 4; D = 1536; F = 8960
        block = 2 * L * (6 * D * D + 2 * D * F) + 4 * L * L * D + 4 * L * ((n + m) / 2 + 1) * D
        denoise = steps * 2 * (30 * block + 2 * L * D * 128) + 30 * 2 * (n + m + 2) * 2 * D * D
        for (i = 0; i < T; i++) {
            t1 = 1; t2 = i ? 2 : 1; t3 = i ? 4 : 1; p = y * x
            decode += conv(p, 16, 384, 27) + 4 * conv(p, 384, 384, 27) + conv(p, 384, 1152, 1) + conv(p, 384, 384, 1) + 4 * p * p * 384
            decode += 6 * conv(p, 384, 384, 27) + (i ? conv(p, 384, 768, 3) : 0) + conv(4 * p * t2, 384, 192, 9)
            p *= 4
            decode += conv(p * t2, 192, 384, 28) + 5 * conv(p * t2, 384, 384, 27) + (i ? conv(p * t2, 384, 768, 3) : 0) + conv(4 * p * t3, 384, 192, 9)
            p *= 4
            decode += 6 * conv(p * t3, 192, 192, 27) + conv(4 * p * t3, 192, 96, 9)
            p *= 4
            decode += 6 * conv(p * t3, 96, 96, 27) + conv(p * t3, 96, 3, 27)
        }
        print text / 1e9, denoise / 1e9, decode / 1e9
    }
    function conv(pixels, from, to, taps) { return 2 * pixels * from * to * taps }'
}
read -r text denoise decode <<< "$(flops)"

echo "$SIZE, $FRAMES frames, $STEPS steps, umT5 of $TEXT_LAYERS layers"
printf '%-24s %9s %9s %9s %9s %9s %9s %9s\n' stage 'total s' 'work s' GFLOP GFLOP/s 'weights GB' 'peak GB' 'rest GB'
row "encode 20 + 127 tokens" "$(number text.json encode)" "$text" text.json
row "denoise" "$(number denoise.json steps)" "$denoise" denoise.json
row "decode" "$(number decode.json decode)" "$decode" decode.json
