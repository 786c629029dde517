#!/bin/bash
# inside.sh: what looking inside costs, and what products of codes gain: seconds of a step plain, with
# --stat '*', with --act int8 of F16 weights (a fake), and with int8 and fp8-row weights and inputs in such
# codes, the int8 ones with attention in int8 and fp8 too; and with --attention int8-pv alone. Random
# weights of the 1.3B's real sizes.
#
#   BUILD=build/cuda t/bench/inside.sh            SIZE, FRAMES, FEW, MANY (steps), ROUNDS
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
BUILD=${BUILD:-$here/../../build/cuda}
SIZE=${SIZE:-832x480} FRAMES=${FRAMES:-81} FEW=${FEW:-1} MANY=${MANY:-4} ROUNDS=${ROUNDS:-3}
directory=${TMPDIR:-/tmp}/wan-bench
mkdir -p "$directory"
PATH=$BUILD:$BUILD/t/bench:$PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
model=$directory/diffusion_pytorch_model.safetensors
[ -e "$model" ] || random-model "$directory" 1.3B
for rule in int8 fp8-row; do
    mkdir -p "$directory/$rule"
    cp "$directory/config.json" "$directory/$rule/"
    [ -e "$directory/$rule/model.safetensors" ] ||
        { wan-quantize -q -t $rule -m "$directory" > "$work/model" && mv "$work/model" "$directory/$rule/model.safetensors"; }
done
cd "$work"
tensor-pick -t F32 "$model:text_embedding.0.weight[0:20]=context" "$model:text_embedding.0.weight[20:147]=context_null" > text

number() { sed -n "s/.*\"$2\": \([0-9.e+-]*\).*/\1/p" "$1" | head -1; }
median() { sort -g "$1" | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }
step() { # NAME WEIGHTS OPTIONS...: seconds of a step, a line of NAME
    _name=$1 weights=$2; shift 2
    for n in $FEW $MANY; do
        wan-denoise -q -m "$weights" --size "$SIZE" --frames "$FRAMES" -s "$n" --stats "json.$n" "$@" < text > out
    done
    awk -v a="$(number "json.$FEW" steps)" -v b="$(number "json.$MANY" steps)" -v n=$((MANY - FEW)) \
        'BEGIN { print (b - a) / n }' >> "$_name"
}
for ((i = 0; i < ROUNDS; i++)); do
    step plain "$directory"
    step stat "$directory" --stat '*'
    step fake "$directory" --act int8
    step int8 "$directory/int8/model.safetensors" --act int8
    step fp8 "$directory/fp8-row/model.safetensors" --act fp8
    step all-int8 "$directory/int8/model.safetensors" --act int8 --attention int8
    step all-fp8 "$directory/int8/model.safetensors" --act int8 --attention fp8
    step int8-pv "$directory" --attention int8-pv
done
echo "$FRAMES frames of $SIZE, of $ROUNDS rounds the median"
for name in plain stat fake int8 fp8 all-int8 all-fp8 int8-pv; do
    paste "$name" plain | awk '{ print $1 / $2 }' > ratio
    printf '%-8s %8.1f ms a step, ratio %s\n' $name "$(median $name | awk '{ print 1e3 * $1 }')" "$(median ratio)"
done
