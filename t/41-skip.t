#!/bin/sh
# wan-denoise --skip: which steps are answered, with what, and what is said of it; against loops in
# Python (fixtures/sampling/make.py).
. "$(dirname "$0")/tap.sh"
model=$ROOT/fixtures/random G=$ROOT/fixtures/sampling/golden.safetensors
cd "$TMP" || exit 1
tensor-pick "$GOLDEN:t5.prompt.context=context" "$GOLDEN:t5.negative.context=context_null" > text
sample() { # OPTIONS...: as the fixtures were sampled
    wan-denoise -m "$model" --dtype fp32 --rng torch-cpu -S 123 --size 32x32 --frames 1 "$@" < text
}
# floats FILE:NAME: its F32 values, with commas
floats() {
    tensor-pick "$1=x" > floats
    tail -c +$((9 + $(od -An -tu8 -N8 floats))) floats | od -An -v -tf4 | tr -s ' \n' ',,' |
        sed 's/^,*//; s/,*$//'
}
# said FILE MEMBER: of its record
said() { tensor-info "$1" | sed -n "s/^ *$2: //p" | tr -d ' []'; }

# ---- three rules and a list, against their sources' loops ----
tensor-pick "$G:ratios=residual.ratio" > ratios
check() { # CASE RULE
    sample -s 20 --skip "$2" --stats stats > out
    close_to "$1" --rel 1e-5 out:latents "$G:$1.latents"
    taken=$(floats "$G:$1.taken")
    is "$(said out skipped)" "$taken" "$1: the record has the steps that were answered"
    n=$(echo "$taken" | tr ',' '\n' | wc -l)
    is "$(sed -n 's/.*"calls_saved": \([0-9]*\).*/\1/p' stats)" $((2 * n)) "$1: --stats counts both passes"
}
check teacache teacache:2:2,0.5,0.01
check teacache-list 4,6-7,15
check magcache magcache:0.15,2,0.2:ratios
check easycache easycache:0.8,3

done_testing
