#!/bin/bash
# What self-attention of block 0 gives for the first evaluation of a sampling, as a heat map (rows are places of the
# latents, columns the channels) and what is in it.
#   look-at-attention.sh MODEL 'PROMPT' [wan-denoise OPTION...]
set -eu -o pipefail
model=$1 prompt=$2
shift 2
echo "$prompt" | wan-encode-text -q -m "$model" |
    wan-denoise -q -m "$model" --seed 1 "$@" --tap blocks.0.self_attn > taps.safetensors
tensor-info -v taps.safetensors | grep '^blocks.0.self_attn'
tensor-view -d 1 -k blocks.0.self_attn -o attention.png taps.safetensors
