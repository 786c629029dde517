#!/bin/bash
# methods.sh: what is left of a layer's squared output error by GPTQ, of what rounding to nearest leaves:
# the small model with int4-g128, calibrated with captions of its grammar, judged by unseen ones. Two
# minutes of a processor.
#
#     t/bench/methods.sh                    BUILD, CAPTIONS (to calibrate with: 192), STEPS (8)
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$root/build/cpu} CAPTIONS=${CAPTIONS:-192} STEPS=${STEPS:-8}
make -s -C "$root" DEVICE=cpu O="${BUILD#"$root"/}" "${BUILD#"$root"/}/t/tools/output-error"
PATH=$BUILD:$BUILD/t/tools:$PATH
M=$root/fixtures/tiny
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Captions with every colour, shape, way and background, none of which is in unseen.txt.
awk -v most="$CAPTIONS" 'function a(word) { return (word == "orange" ? "an " : "a ") word }
BEGIN {
    n = split("black blue red green orange cyan yellow white", colour)
    split("circle square triangle cross ring", shape)
    split("right left up down", way)
    for (i = 0; i < 8 * most; i++) {
        c = colour[i % n + 1]; behind = colour[(3 * i + 1 + int(i / n)) % n + 1]
        move = i % 9 == 8 ? "stands still" : "moves " way[int(i / 3) % 4 + 1] (i % 2 ? " quickly" : " slowly")
        if (c != behind)
            print a(c) " " shape[i % 5 + 1] " " move " over " a(behind) (i % 3 ? "" : " gradient") " background"
    }
}' | sort -u | grep -vxF -f "$M/unseen.txt" | shuf -n "$CAPTIONS" --random-source=<(yes) > calibration.txt
tail -n 24 "$M/unseen.txt" | head -n 20 > unseen.txt

for what in calibration unseen; do
    wan-encode-text -m "$M" < $what.txt > text
    for i in $(seq "$(wc -l < $what.txt)"); do
        tensor-pick -d "$i" -k seed="$i" text:context text:context_null
    done | wan-denoise -q -m "$M" --size 128x80 --frames 13 -s "$STEPS" --stat 'blocks.*:gram' > $what.stat
done
wide() { wan-quantize -q "$@" -m "$M" > codes && wan-quantize -q -t fp32 -m codes > "$work/model"; }
wan-quantize -q -t fp32 -m "$M" > reference
wide -t int4-g128
output-error unseen.stat reference model > nearest
for options in '' --act-order; do
    wide -t int4-g128 --method gptq $options --stat calibration.stat
    output-error unseen.stat reference model | paste - nearest | awk -F '\t' -v what="gptq $options" '
        { r = $2 / $4; s += r; if (r > most) { most = r; at = $1 } }
        END { printf "%s: %.3f in the mean of %d layers, %.3f at most, %s\n", what, s / NR, NR, most, at }'
done
