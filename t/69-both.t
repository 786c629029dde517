#!/bin/bash
# MEASURE=both: frames in OUT and mp4 in OUT/mp4, each as by itself; the report has them side by side; what changes is
# measured again, where it changes.
. "$(dirname "$0")/tap.sh"
have ffmpeg || skip_all "there is no ffmpeg"
cd "$ROOT" || exit 1
unset MEASURE
out=$TMP/made
lines() { paste -s -d ' '; }
printf 'a red circle moves right\na blue square stands still\n' >"$TMP/prompts.txt"
run() {
    make -s DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" OUT="$out" MODEL=fixtures/random PROMPTS="$TMP/prompts.txt" SIZE=64x48 FRAMES=5 \
        STEPS=2 SEEDS=1 VARIANTS='fp16 bf16' METRICS='psnr motion' "$@" >"$TMP/out" 2>"$TMP/err"
}
column() { tr -d '\r' <"$2" | awk -F , -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next } { print $at }'; }
# newer: tables of what was measured since `touch $TMP/now`
newer() { find "$out" -newer "$TMP/now" -name '*.tsv' ! -name pairs.tsv | sed "s|^$out/||; s|/[^/]*$||" | sort -u | lines; }

run plan experiment MEASURE=both
like "$?:$(cat "$TMP/out")" "0:*fp16: 2 of 2 videos to measure*fp16: 2 of 2 videos to measure as mp4*" "make plan has both"
[ ! -e "$out" ]
ok $? "and makes nothing"
run experiment MEASURE=both
ok $? "make experiment MEASURE=both"
comment "$(grep -v '^wan-' "$TMP/err" | tail -3)"
is "$(column measured "$out/pairs.csv" | sort -u):$(column measured "$out/mp4/pairs.csv" | sort -u)" "frames:mp4" "tables of frames, and in mp4/ of mp4 files"
is "$(find "$out" -name '*.mp4' -type f | wc -l):$(find "$out/mp4" -type l -exec readlink {} + | sort | lines)" "4:../bf16 ../fp16 ../text" \
    "which has links to the same videos"
like "$(cat "$out/report.md")" "*By frames and by mp4: effects against fp16*| bf16 | PSNR (dB) |*" "the report has them side by side"
is "$(for f in html md tex; do grep -c 'By frames and by mp4 the conclusions are the same' "$out/report.$f"; done | lines)" "1 1 1" "and says what follows, in all its forms"

touch "$TMP/now"
run experiment MEASURE=both
is "$?:$(find "$out" -newer "$TMP/now" -type f)" "0:" "a second make makes nothing"
run -q experiment MEASURE=both
is "$?:$(cat "$TMP/out" "$TMP/err")" "0:" "make -q agrees"
mv "$out" "$TMP/moved"
out=$TMP/moved
run -q eval MEASURE=both
is $? 0 "the directory may be moved"

# Each is what it is alone.
for m in frames mp4; do
    cp -a "$out" "$TMP/$m" && rm -r "$TMP/$m"/{mp4,eval,*.csv}
    (out=$TMP/$m && run eval MEASURE=$m) || comment "$(tail -n 2 "$TMP/err")"
done
for f in pairs motion_summary pairs_summary motion_per_frame; do
    cmp "$out/$f.csv" "$TMP/frames/$f.csv" && cmp <(tr -d '\r' <"$out/mp4/$f.csv") <(tr -d '\r' <"$TMP/mp4/$f.csv")
    ok $? "$f.csv is, of both, as of each alone"
done
cmp -s "$out/pairs.csv" "$out/mp4/pairs.csv"
is $? 1 "and they differ"

# What is coded anew is measured as mp4 alone; what is sampled anew, as both.
touch "$TMP/now"
run experiment MEASURE=both film.bf16='--dither 3' differs.bf16=dither
is "$?:$(newer)" "0:mp4/eval/bf16 mp4/eval/fp16_vs_bf16" "other mp4 of the same frames: they alone are measured"
touch "$TMP/now"
run experiment MEASURE=both film.bf16='--dither 3' differs.bf16=dither,guidance options.bf16='--dtype bf16 -g 4'
is "$?:$(newer)" "0:eval/bf16 eval/fp16_vs_bf16 mp4/eval/bf16 mp4/eval/fp16_vs_bf16" "another variant: in both"
run verify
is "$?:$(cat "$TMP/out")" "0:verify: all is as it was made" "make verify reads both"
sed -i 2s/mp4/frames/ "$out/mp4/pairs.csv"
run verify
like "$?:$(cat "$TMP/err")" "2:*mp4/pairs.csv is not as it was made*" "and names a table that was changed"
last=(film.bf16='--dither 3' differs.bf16=dither,guidance options.bf16='--dtype bf16 -g 4')
run report MEASURE=both "${last[@]}"
run verify
is $? 0 "which comes back"
run report "${last[@]}"
is "$?:$(grep -c 'By frames and by mp4' "$out/report.md")" "0:0" "without MEASURE=both the report is of one"

# ---- refused ----

run eval MEASURE=all
like "$?:$(cat "$TMP/err")" "2:*MEASURE='all' is not mp4, frames or both*" "another word"
run eval MEASURE=both VARIANTS='fp16 mp4' weights.mp4=fixtures/random
like "$?:$(cat "$TMP/err")" "2:*a variant cannot be called mp4 with MEASURE=both*" "a variant called mp4"
rm "$out"/*/*.frames.safetensors
run eval MEASURE=both "${last[@]}"
like "$?:$(cat "$TMP/err")" "2:*there are no videos in $out/fp16*" "without frames there is nothing to be measured as such"
done_testing
