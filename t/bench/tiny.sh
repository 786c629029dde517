#!/bin/sh
# What the small checkpoint in fixtures/tiny (or MODEL) paints for its 48 unseen captions, each with
# a seed of its own, at 20 steps: a table of shares, in F16 and W8A16. Some three minutes of a processor.
# t/80-tiny.t tests a few of them.
set -eu
cd "$(dirname "$0")/../.."
export PATH="${BUILD:-$PWD/build/cpu}:$PATH" OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"
M=${MODEL:-fixtures/tiny}
T=$(mktemp -d "${TMPDIR:-/tmp}/tiny.XXXXXX")
trap 'rm -rf "$T"' EXIT
trap 'exit 1' INT TERM
tab=$(printf '\t')

column() { # NAME < TABLE: its cells, one a line
    awk -F "$tab" -v c="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == c) k = i }
        NR > 1 { print $k }'
}
percent() { awk '{ n += $1 } END { printf "%.1f", 100 * n / NR }'; } # of lines that are 1
paint() { # MODEL: text with seeds to video
    wan-denoise -q -m "$1" -s "${STEPS:-20}" --size 128x80 --frames 13 ${OPTIONS-} |
        wan-vae-decode -m "$M"
}
seeded() { # DOCUMENTS: text to text whose seeds count from 1
    cat >"$T/all"
    for i in $(seq "$1"); do
        tensor-pick -d "$i" -k seed="$i" "$T/all:context" "$T/all:context_null"
    done
}

wan-quantize -q -t w8a16 -m "$M" >"$T/w8a16.safetensors"
wan-encode-text -m "$M" <"$M/unseen.txt" | seeded 48 >"$T/text"
for variant in fp16 w8a16; do
    model=$M
    [ $variant = fp16 ] || model=$T/w8a16.safetensors
    paint "$model" <"$T/text" >"$T/$variant"
    tiny-look <"$T/$variant" >"$T/seen"
    for what in colour shape direction speed background kind; do
        printf 'right %s, %s\t%s %%\n' $what $variant "$(column right_$what <"$T/seen" | percent)"
    done
done
framediff "$T/fp16" "$T/w8a16" | column psnr |
    awk '$1 == "inf" { same++ } { s += $1 } END {
        printf "w8a16 from fp16\t%.1f dB, %d the same\n", s / NR, same }'

# Sixteen videos at a time, each scored against the captions of all of them.
tensor-split $(seq -f "$T/one.%02.0f" 48) <"$T/fp16"
for fit in crop squash pad; do
    for first in 1 17 33; do
        cat $(seq -f "$T/one.%02.0f" $first $((first + 15))) >"$T/sixteen"
        sed -n "$first,$((first + 15))p" "$M/unseen.txt" | while IFS= read -r caption; do
            clipscore -m "$M/clip" --fit $fit -p "$caption" <"$T/sixteen" | column clip | paste -sd ' ' -
        done
    done | awk -v fit=$fit '{ row = (NR - 1) % 16; for (i = 1; i <= NF; i++) s[row, i - 1] = $i }
        row == 15 {
            for (v = 0; v < 16; v++) {
                best = 1
                for (k = 1; k < 16; k++)
                    best = best && s[(v + k) % 16, v] < s[v, v]
                first += best
                less += s[(v + 1) % 16, v] < s[v, v]
            }
        }
        END {
            printf "own caption first of 16, --fit %s\t%.1f %%\n", fit, 100 * first / NR
            printf "the next caption scores less, --fit %s\t%.1f %%\n", fit, 100 * less / NR
        }'
done

# Sixteen looks, each still, slowly and quickly in one direction, from one seed each.
awk '{ sub(/ (moves|stands).* over/, " MOTION over")
       split("right,left,up,down,up and right,up and left,down and right,down and left", way, ",")
       for (i = 0; i < 3; i++) {
           line = $0
           motion = i ? "moves " way[NR % 8 + 1] (i > 1 ? " quickly" : " slowly") : "stands still"
           sub(/MOTION/, motion, line)
           print line
       } }' "$M/unseen.txt" | head -n 48 | wan-encode-text -m "$M" >"$T/ways"
for i in $(seq 48); do
    tensor-pick -d "$i" -k seed=$(((i + 2) / 3)) "$T/ways:context" "$T/ways:context_null"
done | paint "$M" | flowmag | column magnitude | awk '
    NR % 3 != 1 { n++; more += $1 > last }
    { last = $1 }
    END { printf "more motion than the slower one\t%.1f %% of %d\n", 100 * more / n, n }'
