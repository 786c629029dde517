#!/bin/sh
# What the small checkpoint in fixtures/tiny (or MODEL) paints for its 48 unseen captions, each with
# a seed of its own, at 20 steps: a table of shares, in F16 and W8A16. A minute or two on two cores.
# t/80-tiny.t tests a few of them.
set -eu
cd "$(dirname "$0")/../.."
export PATH="${BUILD:-$PWD/build/cpu}:$PATH" OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"
LOOK=${BUILD:-build/cpu}/t/tools/tiny-look
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
    "$LOOK" <"$T/$variant" >"$T/seen"
    for what in colour shape direction speed background kind; do
        printf 'right %s, %s\t%s %%\n' $what $variant "$(column right_$what <"$T/seen" | percent)"
    done
done
framediff "$T/fp16" "$T/w8a16" | column psnr |
    awk '$1 == "inf" { same++ } { s += $1 } END {
        printf "w8a16 from fp16\t%.1f dB, %d the same\n", s / NR, same }'

# Every video's score against every caption; a video's 16 are its own and the 15 after it.
for fit in crop squash pad; do
    while IFS= read -r caption; do
        clipscore -m "$M/clip" --fit $fit -p "$caption" <"$T/fp16" | column clip | paste -sd ' ' -
    done <"$M/unseen.txt" | awk -v fit=$fit '{ for (i = 1; i <= NF; i++) s[NR, i] = $i }
        END {
            for (v = 1; v <= NR; v++) {
                best = 1
                for (k = 1; k < 16; k++)
                    best = best && s[(v + k - 1) % NR + 1, v] < s[v, v]
                first += best
                less += s[v % NR + 1, v] < s[v, v]
            }
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
