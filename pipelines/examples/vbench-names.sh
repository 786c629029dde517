#!/bin/bash
# Videos of an experiment under the names that VBench reads: PROMPT-0.mp4, PROMPT-1.mp4 and so on, an index a seed.
#   vbench-names.sh dataset/fp16 vbench
set -eu
from=$1 to=$2
mkdir -p "$to"
declare -A count
while IFS=$'\t' read -r name number _; do # in the order of prompts and seeds
    prompt=$(sed -n "$((10#$number))p" "$from/../text/prompts")
    n=${count[$number]:-0}
    count[$number]=$((n + 1))
    cp "$from/$name.mp4" "$to/${prompt//\//_}-$n.mp4"
done < "$from/rows"
