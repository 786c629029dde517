#!/bin/bash
# profile.sh: where a step of wan-denoise goes, kernel by kernel: [FRAMES [DTYPE [STEPS]]], 13 fp16 10 unless
# given. `make profile` runs it; the models are those of `make bench DEVICE=cuda`.
#
# Kernels are named by their place in a block, which begins with the sum of its modulation, and the times
# of all blocks are added; a place in which blocks differ shows the last one's kernel. They run alone here
# (profile.c): the last line says what a step takes so, and as it is.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
BUILD=${BUILD:-$here/../../build/cuda}
frames=${1:-13} dtype=${2:-fp16} steps=${3:-10}
models=${TMPDIR:-/tmp}/wan-bench model=$models
[ "$dtype" = w8a16 ] && model=$models/w8a16 type=fp16 || type=$dtype
PATH=$BUILD:$PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

ids() { echo "$(seq "$1" $(($1 + $2 - 2)) | tr '\n' ' ')1"; }
ids 1000 20 | wan-encode-text -q -m "$models/text24" --token-ids -n "$(ids 2000 127)" > text
denoise() { # FILE
    LD_PRELOAD=$BUILD/t/bench/profile.so PROFILE=$1 wan-denoise -q -m "$model" --dtype "$type" \
        --frames "$frames" -s "$steps" < text > /dev/null
}
denoise together
PROFILE_ALONE=1 denoise alone
awk -F '\t' -v steps="$steps" '
    FNR == 1 { run++; n = 0 }
    $3 ~ /to_latents/ { ends[run]++; end[run, ends[run]] = $1 + $2 } # of each pass: the last of a step
    run == 2 {
        if ($3 ~ /combine/) { # a block is before it, or what lies between the last and the first
            if (attends)
                for (k = from; k <= n; k++) {
                    who[k - from] = name[k]; sum[k - from] += took[k]; calls[k - from]++
                }
            from = n + 1; attends = 0
        }
        name[++n] = $3; took[n] = $2
        if ($3 ~ /attention/) attends = 1
    }
    # From the end of the first step to that of the last.
    function step(r) { return (end[r, ends[r]] - end[r, ends[r] / steps]) / 1e3 / (steps - 1) }
    END {
        print "ms a step\tcalls\tkernel"
        for (k = 0; k in sum; k++) {
            printf "%.3f\t%.1f\t%s\n", sum[k] / 1e3 / steps, calls[k] / steps, who[k]
            blocks += sum[k] / 1e3 / steps
        }
        printf "%.2f\t\tall blocks\n%.2f\t\ta step, each kernel alone\n%.2f\t\ta step as it is\n",
            blocks, step(2), step(1)
    }' together alone | if command -v c++filt > /dev/null; then c++filt; else cat; fi
