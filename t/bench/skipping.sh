#!/bin/bash
# skipping.sh: what --skip saves: seconds of a sampling's steps with all calls, with half of them answered
# (a list), and what the rules themselves take with nothing answered (threshold 0). Random weights of the
# 1.3B's real sizes. On an H100, 81 frames, 6 steps: 5.24 s, 2.63 s (0.50), 5.25 s, 5.33 s; what a list
# keeps is 0.40 GB.
#
#   BUILD=build/cuda t/bench/skipping.sh            SIZE, FRAMES, STEPS (even), ROUNDS
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
BUILD=${BUILD:-$here/../../build/cuda}
SIZE=${SIZE:-832x480} FRAMES=${FRAMES:-81} STEPS=${STEPS:-6} ROUNDS=${ROUNDS:-3}
directory=${TMPDIR:-/tmp}/wan-bench
mkdir -p "$directory"
PATH=$BUILD:$BUILD/t/bench:$PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
model=$directory/diffusion_pytorch_model.safetensors
[ -e "$model" ] || random-model "$directory" 1.3B
cd "$work"
tensor-pick -t F32 "$model:text_embedding.0.weight[0:20]=context" "$model:text_embedding.0.weight[20:147]=context_null" > text

number() { sed -n "s/.*\"$2\": \([0-9.e+-]*\).*/\1/p" "$1" | head -1; }
median() { sort -g "$1" | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }
denoise() { wan-denoise -q -m "$directory" --size "$SIZE" --frames "$FRAMES" "$@"; }
steps() { # NAME OPTIONS...: seconds, a line of NAME
    _name=$1; shift
    denoise -s "$STEPS" --stats json "$@" < text > out
    number json steps >> "$_name"
    number json calls_saved > "$_name.saved"
    number json peak_device_bytes > "$_name.peak"
}
half=$(seq -s , 2 2 "$STEPS")
for ((i = 0; i < ROUNDS; i++)); do
    steps all
    steps half --skip "$half"
    steps teacache-0 --skip teacache:0
    steps easycache-0 --skip easycache:0,1
done
echo "$STEPS steps, $FRAMES frames of $SIZE, of $ROUNDS rounds the median"
for name in all half teacache-0 easycache-0; do
    paste "$name" all | awk '{ print $1 / $2 }' > ratio
    printf '%-12s %7.3f s, ratio %.3f, passes answered %s, peak %.2f GB\n' $name "$(median $name)" "$(median ratio)" \
        "$(grep . $name.saved || echo 0)" "$(awk '{ print $1 / 1e9 }' $name.peak)"
done
