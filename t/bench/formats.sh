#!/bin/bash
# formats.sh: weights that stay as codes on the device (GGUF's Q8_0 and Q4_K, fp8 with scales, and what
# wan-quantize -t makes), each beside the model that it stands for, expanded to F16: bytes, the peak of the
# device's memory at PEAK frames, seconds of a step, and how far a forward is from that of the expanded model
# in F32. Random weights of the 1.3B's real sizes; needs 20 GB of disk under ${TMPDIR:-/tmp}/wan-bench, and on
# a card about half a minute a format.
#
#   BUILD=build/cuda t/bench/formats.sh            SIZE, FRAMES, FEW, MANY (steps), ROUNDS, PEAK, FORMATS
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
BUILD=${BUILD:-$here/../../build/cuda}
SIZE=${SIZE:-832x480} FRAMES=${FRAMES:-13} FEW=${FEW:-2} MANY=${MANY:-12} ROUNDS=${ROUNDS:-3} PEAK=${PEAK:-81}
FORMATS=${FORMATS:-Q8_0 Q4_K F8_E4M3 int8 int4-g128 mxfp4 nvfp4 mxfp8}
directory=${TMPDIR:-/tmp}/wan-bench
mkdir -p "$directory"
PATH=$BUILD:$BUILD/t/bench:$PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
model=$directory/diffusion_pytorch_model.safetensors
[ -e "$model" ] || random-model "$directory" 1.3B
cd "$work"
cp "$directory/config.json" .

# A text's context may be any rows 4096 wide.
tensor-pick -t F32 "$model:text_embedding.0.weight[0:20]=context" "$model:text_embedding.0.weight[20:147]=context_null" > text
wan-denoise -q -m "$directory" --size "$SIZE" --frames "$FRAMES" -s 0 < text > noise
mv noise in

number() { sed -n "s/.*\"$2\": \([0-9.e+-]*\).*/\1/p" "$1" | head -1; }
median() { sort -g "$1" | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }
held() { sed -n 's/.*"weight_bytes\.[A-Za-z0-9_]*": \([0-9]*\).*/\1/p' "$1" | awk '{ s += $1 } END { print s }'; }
steps() { # NAME FILE: seconds of a step, a line of NAME.steps
    for n in $FEW $MANY; do
        wan-denoise -q -m "$2" --dtype fp16 --size "$SIZE" --frames "$FRAMES" -s "$n" --stats "$1.$n" < text > latents
    done
    awk -v a="$(number "$1.$FEW" steps)" -v b="$(number "$1.$MANY" steps)" -v n=$((MANY - FEW)) \
        'BEGIN { print (b - a) / n }' >> "$1.steps"
}
apart() { # NAME FILE
    wan-denoise -q -m "$2" --dtype fp16 --forward 500 < in > "$1.out"
    { tensor-diff "$1.out:cond" right:cond || true; } | sed 's/.*rel \([^	]*\).*/\1/'
}

echo "$SIZE, $FRAMES frames; MB in the file, on the device, and at most with $PEAK frames; seconds a step; forward's error"
printf '%-9s %9s %9s %7s %9s %9s %9s %7s %10s %10s\n' format file device ratio peak step 'of F16' ratio error 'of F16'
for format in $FORMATS; do
    file=$work/$format.safetensors
    case $format in
    [A-Z]*) recode "$format" "$model" > "$file" ;;
    *) wan-quantize -q -t "$format" -m "$directory" > "$file" ;;
    esac
    wan-denoise -q -m "$file" --dtype fp16 --size "$SIZE" --frames "$PEAK" -s 1 --stats peak < text > latents
    wan-quantize -q -t fp32 -m "$file" > wide.safetensors
    wan-quantize -q -t fp16 -m "$file" > half.safetensors
    wan-denoise -q -m wide.safetensors --dtype fp32 --forward 500 < in > right
    rm -f ./*.steps
    for _ in $(seq "$ROUNDS"); do
        steps codes "$file"
        steps half half.safetensors
    done
    awk -v f=$format -v stored="$(stat -c %s "$file")" -v held="$(held "codes.$FEW")" -v p="$(number peak peak_device_bytes)" -v a="$(median codes.steps)" \
        -v b="$(median half.steps)" -v x="$(apart codes "$file")" -v y="$(apart half half.safetensors)" 'BEGIN {
        printf "%-9s %9.1f %9.1f %7.3f %9.1f %9.4f %9.4f %7.3f %10.3g %10.3g\n", f, stored / 1e6, held / 1e6,
            held / stored, p / 1e6, a, b, a / b, x, y }'
    rm -f "$file" wide.safetensors half.safetensors
done
