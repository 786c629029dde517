#!/bin/bash
# A metric is three files: the example in CONTRIBUTING.md, as it stands there, is built and measured by make eval.
. "$(dirname "$0")/tap.sh"
have ffmpeg || skip_all "there is no ffmpeg"
[ "$DEVICE" = cpu ] && [ "$BUILD" = "$ROOT/build/cpu" ] || skip_all "it is built in build/cpu"
cd "$ROOT" || exit 1

# block TEXT N: the N-th block of code behind the line of CONTRIBUTING.md that has TEXT
block() {
    awk -v text="$1" 'index($0, text) { on = 1; next }
        on && /^    / { print substr($0, 5); any = 1; next }
        on && /^$/ { if (any) print ""; next }
        on && any { exit }' CONTRIBUTING.md | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
}

tree=$TMP/tree
mkdir -p "$tree/build" "$tree/bin/framelight"
cp -a Makefile common kernels pipelines "$tree"
cp -a bin/pair-tables "$tree/bin"
ln -s "$ROOT/t" "$tree/t"
mkdir -p "$tree/build/cpu/bin"
find "$BUILD" -maxdepth 1 -type f -exec cp -a {} "$tree/build/cpu" \;
cp -a "$BUILD/common" "$BUILD/usage" "$tree/build/cpu"
cp -a "$BUILD/bin/pair-tables" "$tree/build/cpu/bin"
block 'bin/framelight/framelight.c' >"$tree/bin/framelight/framelight.c"
block 'bin/framelight/framelight.1' >"$tree/bin/framelight/framelight.1"
block 'In `common/metrics.c`' >"$TMP/rows"
awk -v rows="$TMP/rows" '
    /^};/ { getline row < rows; print "    " row }
    { print }' common/metrics.c >"$tree/common/metrics.c"
is "$(diff common/metrics.c "$tree/common/metrics.c" | grep -c '^>')" 2 "a program, a man page, two rows in a table"
make -s -C "$tree" DEVICE=cpu build/cpu/framelight build/cpu/pair-tables 2>"$TMP/err"
is "$?:$(grep -c 'error:' "$TMP/err")" 0:0 "they are built"
comment "$(tail -n 2 "$TMP/err")"

for v in a b; do
    mkdir -p "$TMP/films/$v"
    ffmpeg -nostdin -v error -f lavfi -i "color=$([ $v = a ] && echo black || echo white):s=64x48:r=8" -frames:v 3 \
        -pix_fmt yuv420p -y "$TMP/films/$v/one.mp4"
done
cd "$tree" || exit 1
make -s -f pipelines/t2v.mk BUILD=build/cpu OUT="$TMP/films" VARIANTS='a b' METRICS='light psnr' eval >"$TMP/out" 2>"$TMP/err"
is "$?:$(paste -s -d ' ' "$TMP/out")" "0:a_vs_b.diff: one a.light: one b.light: one" "make eval measures it"
comment "$(tail -n 1 "$TMP/err")"
cell() { tr -d '\r' <"$TMP/films/$1" | awk -F , -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i } NR > 1 { print $at }'; }
is "$(cell metrics_per_video.csv light | paste -s -d ' '):$(cell pairs.csv light_a),$(cell pairs.csv light_b)" "0 255:0,255" \
    "it is in the tables of videos and pairs"
is "$(cell metrics_summary.csv metric):$(cell metrics_summary.csv difference)" "light:255" "in the summary"
is "$(cell metrics_per_frame.csv light | wc -l):$(cell tidy.csv metric | grep -c light)" "6:2" "frame by frame, and long"

done_testing
