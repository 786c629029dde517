#!/bin/bash
# make experiment: from prompts to tables; what is missing alone is measured; what is wrong is said, and
# with -k the rest is measured; videos made elsewhere.
. "$(dirname "$0")/tap.sh"
have ffmpeg || skip_all "there is no ffmpeg"
cd "$ROOT" || exit 1

# run OUT MAKE-ARGUMENTS...: its words are in $TMP/out and $TMP/err
run() {
    local out=$1
    shift
    make -s DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" OUT="$out" MODEL=fixtures/random PROMPTS="$TMP/prompts.txt" SIZE=64x48 \
        FRAMES=5 STEPS=2 SEEDS=1 CLIP="$clip" "$@" >"$TMP/out" 2>"$TMP/err"
}
# column FILE NAME...: these columns of a table, without the header; no field here has a comma
column() {
    local file=$1
    shift
    tr -d '\r' <"$file" | awk -F , -v names="$*" 'NR == 1 { n = split(names, name, " ")
        for (i = 1; i <= NF; i++) for (j = 1; j <= n; j++) if ($i == name[j]) at[j] = i; next }
        { for (j = 1; j <= n; j++) printf "%s%s", $at[j], j < n ? "," : "\n" }'
}
lines() { paste -s -d ' '; }
# A video of N frames of 64x48 that another program made.
film() { ffmpeg -nostdin -v error -f lavfi -i "testsrc=s=${3-64x48}:r=8" -frames:v "$1" -pix_fmt yuv420p -y "$2"; }

# ---- an experiment ----

clip=$TMP/clip
fixtures/clip/unpack.sh "$clip" >/dev/null || exit 1
printf 'a red circle moves right\na blue square stands still\n' >"$TMP/prompts.txt"
out=$TMP/dataset
run "$out" experiment
ok $? "make experiment"
comment "$(tail -3 "$TMP/err")"
is "$(cd "$out" && ls *.csv *.json | lines)" \
    "clip_per_frame.csv clip_temporal_per_video.csv clip_temporal_summary.csv experiment.json metrics_per_frame.csv metrics_per_video.csv metrics_summary.csv motion_per_frame.csv motion_per_video.csv motion_summary.csv pairs.csv pairs_per_frame.csv pairs_refused.csv pairs_summary.csv paper_table.csv tidy.csv" \
    "all tables"
is "$(for t in "$out"/*.csv; do grep -q "^\.SS.*$(basename "$t")" pipelines/wan-experiment.5 || basename "$t"
    head -n 1 "$t" | tr ',' '\n' | tr -d '\r' | while read -r c; do grep -q "\b$c\b\|\b${c%_[ab]}\b" pipelines/wan-experiment.5 || echo "$c"; done; done)" \
    "" "each of them and all of their columns are in the manual page"
is "$(column "$out/pairs.csv" name variant_a variant_b pairing differs frames file_b | lines)" \
    "01_seed1,fp16,w8a16,provenance,wan-denoise.weights,5,w8a16/01_seed1.mp4 02_seed1,fp16,w8a16,provenance,wan-denoise.weights,5,w8a16/02_seed1.mp4" \
    "the pairs"
is "$(cat "$out/pairs_refused.csv" | wc -l)" 1 "none refused"
is "$(column "$out/clip_temporal_summary.csv" metric n | lines),$(column "$out/motion_summary.csv" metric n)" "clip,2 temporal,2,motion,2" "the summaries"
is "$(for t in clip_per_frame motion_per_frame pairs_per_frame; do column "$out/$t.csv" name | wc -l; done | lines)" "20 16 10" "a row a frame"
grep -qiw nan "$out"/*.csv
is $? 1 "nothing is nan"

# The tables say what the filters say by themselves.
mp42frames "$out/fp16/02_seed1.mp4" >"$TMP/a"
mp42frames "$out/w8a16/02_seed1.mp4" >"$TMP/b"
{ clipscore -m "$clip" <"$TMP/a" | sed -n 2p | cut -f 4,6; flowmag <"$TMP/a" | sed -n 2p | cut -f 6
    framediff "$TMP/a" "$TMP/b" | sed -n 2p | cut -f 7-9; } | tr '\t' '\n' >"$TMP/wanted"
error=$(column "$out/pairs.csv" clip_a temporal_a motion_a psnr ssim mad | sed -n 2p | tr , '\n' | paste - "$TMP/wanted" |
    awk '{ e = $1 / $2 - 1; e = e < 0 ? -e : e; if (e > most) most = e } END { print NR == 6 ? most + 0 : "fields: " NR }')
awk "BEGIN { exit !($error <= 1e-12) }"
ok $? "means over frames are what the filters say of a video"
comment "greatest relative difference $error"
is "$(column "$out/metrics_per_video.csv" variant name flicker flicker2 sharpness | sed -n 's/^fp16,02_seed1,//p' | tr , '\n' |
    paste - <(framestats <"$TMP/a" | sed -n 2p | cut -f 6- | tr '\t' '\n') | awk '{ e = $1 - $2; print NF, (e < 0 ? -e : e) <= 1e-12 * $2 }' | lines)" \
    "2 1 2 1 2 1" "so are flicker, its second difference and sharpness, each its own"
echo old >"$out/judge_summary.csv"
rm "$out/pairs.csv"
run "$out" experiment
is "$?$(cd "$out" && ls pairs.csv judge_summary.csv 2>/dev/null)" 0pairs.csv "a table of what is no longer measured goes when the tables are made"

# ---- the record ----

is "$(column "$out/paper_table.csv" variant precision resolution frames steps videos runs return_code | lines)" \
    "fp16,fp16,64x48,5,2,2,1,0 w8a16,w8a16,64x48,5,2,2,1,0" "paper_table.csv"
column "$out/paper_table.csv" peak_device_bytes steady_device_bytes text_seconds load_seconds denoise_seconds step_seconds decode_seconds seconds |
    awk -F , '{ if (NF != 8 || !($2 > 0 && $1 > $2 && $3 > 0 && $4 > 0 && $5 > 0 && $6 > 0 && $7 > 0 && $8 > $3 + $7)) exit 1 }'
ok $? "memory and seconds"
wanted='"weights" "commit" "dirty" "cpu" "card" "driver" "cuda" "clip_sha256" "return_code" "steady_device_bytes"'
is "$(for w in $wanted; do grep -q "$w" "$out/experiment.json" || echo "$w"; done)" "" "experiment.json has $wanted"
grep -qE "$TMP|$ROOT" "$out/experiment.json" "$out"/*.csv
is $? 1 "and no path of this machine"

# ---- nothing to do, what is missing alone ----

touch "$TMP/now"
run "$out" experiment
is "$(find "$out" -newer "$TMP/now" -type f)" "" "a second make makes nothing"
is "$(cat "$TMP/out")" "" "and says nothing"
run "$out" eval
is "$(find "$out" -newer "$TMP/now" -type f)" "" "nor does make eval by itself"
rm "$out/eval/w8a16/02_seed1.motion.tsv"
run "$out" eval
is "$(cat "$TMP/out")" "w8a16.motion: 02_seed1" "what is missing alone is measured"
rm -r "$out/eval"
cp "$out/pairs.csv" "$TMP/pairs.csv"
times=0
for delay in 0.3 0.8 1.5; do
    interrupted $delay make -s DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" OUT="$out" eval
    [ $? -ne 130 ] || times=$((times + 1))
done
[ $times -ge 1 ]
ok $? "make eval is interrupted while it works"
comment "$times times of 3"
run "$out" eval
cmp "$out/pairs.csv" "$TMP/pairs.csv"
ok $? "and then makes the same numbers"

# ---- variants by a line ----

run "$out" experiment VARIANTS='fp16 dpm20' MEASURE=mp4
ok $? "another solver, other steps: a variant by itself"
is "$(column "$out/fp16_vs_dpm20/pairs.csv" variant_b differs | sort -u)" "dpm20,wan-denoise.solver wan-denoise.steps" "the pairs differ in what it declares"
is "$(column "$out/pairs.csv" variant_b | sort -u):$(column "$out/fp16_vs_dpm20/pairs.csv" file_b | head -n 1)" \
    "w8a16:../dpm20/01_seed1.mp4" "whose tables have a directory of their own"
like "$(cat "$TMP/err")" "*the tables in $out are of other variants: these are in $out/fp16_vs_dpm20*" "which is said"
run "$out" eval VARIANTS='fp16 dpm20' differs.dpm20=steps
is "$?" 2 "in nothing else"
like "$(cat "$TMP/err")" '*01_seed1 is no pair: differs in wan-denoise.solver: "unipc" and "dpm++"*' "and the key is named"
run "$out" eval VARIANTS=fp16
is "$(column "$out/fp16/clip_temporal_summary.csv" metric variant_a variant_b n | lines)" "clip,fp16,,2 temporal,fp16,,2" "one variant alone"

# ---- frames instead of mp4 ----

run "$TMP/kept" fp16 bf16 eval KEEP_FRAMES=1 VARIANTS='fp16 bf16' MEASURE=frames PROMPTS=<(head -1 "$TMP/prompts.txt")
is "$?:$(column "$TMP/kept/pairs.csv" measured file_a | lines)" "0:frames,fp16/01_seed1.frames.safetensors" "frames are measured"

# ---- what is wrong ----

rm "$out/fp16/01_seed1.mp4" "$out/eval/fp16/01_seed1.json"
head -c 3000 "$out/w8a16/02_seed1.mp4" >"$TMP/cut"
cp "$out/w8a16/02_seed1.mp4" "$TMP/whole"
cp "$TMP/cut" "$out/w8a16/02_seed1.mp4"
cp "$out/fp16/02_seed1.mp4" "$out/fp16/03_seed1.mp4"
cp "$out/fp16/02_seed1.mp4" "$out/w8a16/03_seed1.mp4"
run "$out" eval
is $? 2 "a broken video stops make"
like "$(cat "$TMP/err")" "*01_seed1 is no pair: fp16/01_seed1 is missing*02_seed1 is no pair: w8a16/02_seed1: not what this experiment wants: cut short or broken*" \
    "all that is no pair is listed"
like "$(cat "$TMP/err")" "*left out, since this experiment does not name them: fp16/03_seed1.mp4 w8a16/03_seed1.mp4*" "and what is there besides"
cp "$TMP/whole" "$out/w8a16/02_seed1.mp4"
run "$out" -k eval
is "$?:$(column "$out/pairs.csv" name)" "2:02_seed1" "make -k goes on with the pair that is left"
like "$(column "$out/pairs_refused.csv" name reason | lines)" "01_seed1,fp16/01_seed1 is missing" "what is none is in a table"
cp "$out/fp16/02_seed1.mp4" "$out/w8a16/02_seed1.mp4"
run "$out" -k eval
like "$(cat "$TMP/err")" "*02_seed1 is no pair: w8a16/02_seed1: not what this experiment wants: weights.w8a16 changed*" "a video of the other variant is not taken for it"
cp "$TMP/whole" "$out/w8a16/02_seed1.mp4"
cp -r "$clip" "$TMP/half"
rm "$TMP/half/merges.txt"
rm "$out"/eval/*/02_seed1.motion.tsv
run "$out" -k eval CLIP="$TMP/half"
is "$?:$(column "$out/pairs.csv" motion_a | grep -c .)" "2:1" "a CLIP without merges.txt: motion is measured all the same"
is "$(grep -c "clipscore: cannot read .*/half/merges.txt: No such file" "$TMP/err")" 1 "and it is said, once"
run "$TMP/same" -k eval VARIANTS='x y' MODEL=
mkdir -p "$TMP/same/x" "$TMP/same/y"
cp "$out/fp16/02_seed1.mp4" "$TMP/same/x"
cp "$out/fp16/02_seed1.mp4" "$TMP/same/y"
run "$TMP/same" eval VARIANTS='x y' MODEL=
is "$?:$(column "$TMP/same/pairs.csv" psnr)" 0:inf "equal videos have an infinite PSNR"
printf '#!/bin/sh\nexit 7\n' >"$TMP/fails"
chmod +x "$TMP/fails"
run "$TMP/failed" -k experiment DENOISE="$TMP/fails" VARIANTS=fp16
is "$?:$(column "$TMP/failed/paper_table.csv" variant return_code steady_device_bytes)" "2:fp16,7," "a sampler that fails: its code is in the table"

# ---- made elsewhere ----

mkdir -p "$TMP/else/x" "$TMP/else/y" "$TMP/else/z"
film 3 "$TMP/else/x/one.mp4"
film 3 "$TMP/else/y/one.mp4"
film 1 "$TMP/else/x/still.mp4"
film 1 "$TMP/else/y/still.mp4"
run "$TMP/else" eval VARIANTS='x y'
ok $? "videos without a record"
is "$(column "$TMP/else/pairs.csv" name pairing | lines)" "one,name still,name" "are paired by their names"
like "$(cat "$TMP/err")" "*2 of 2 pairs are taken for pairs by their names alone*" "which is said"
is "$(column "$TMP/else/pairs.csv" temporal_a motion_a | tail -n 1)" , "one frame: consistency and motion are empty"
is "$(column "$TMP/else/motion_summary.csv" n)" 1 "and do not count"
film 4 "$TMP/else/z/one.mp4"
film 1 "$TMP/else/z/still.mp4" 32x48
run "$TMP/else" eval VARIANTS='x z'
like "$?:$(cat "$TMP/err")" "2:*x has 3 frames of 64x48, z 4 of 64x48*x has 1 frames of 64x48, z 1 of 32x48*no pair in common*" \
    "another length, another size"
mv "$TMP/else/z/one.mp4" "$TMP/else/z/two.mp4"
run "$TMP/else" eval VARIANTS='x z' MEASURE=frames
like "$(cat "$TMP/err")" "*there are no videos in $TMP/else/x $TMP/else/z*" "no video"
mkdir -p "$TMP/names/x" "$TMP/names/z"
for v in x z; do
    cp "$TMP/else/z/two.mp4" "$TMP/names/$v/a b.mp4"
    cp "$TMP/else/z/two.mp4" "$TMP/names/$v/-q.mp4"
done
printf '\357\273\277a b.mp4\ta cat\r\n' >"$TMP/names/prompts-by-name.tsv"
run "$TMP/names" eval VARIANTS='x z'
is "$?:$(column "$TMP/names/pairs.csv" name prompt psnr | lines)" "0:'-q,,inf a b,a cat,inf" \
    "names may have blanks and begin with -, and a list gives their prompts"
is "$(column "$TMP/names/clip_temporal_per_video.csv" clip | grep -c .)" 2 "those with a prompt have a score"
printf x >"$TMP/names/x/$(printf 'a\nb').mp4"
run "$TMP/names" eval VARIANTS='x z'
like "$(cat "$TMP/err")" "*a?b.mp4 has a line break or a tab (?) in its name*" "a line break in a name is refused"

# ---- files that are not what they should be ----

e=$TMP/else/eval o=$TMP/tables
mkdir "$o"
tables() { pair-tables -o "$o" "$@" "$e" one still; }
sed -i '$d' "$e/x/one.motion.tsv"
fails 1 "pair-tables: $e/x/one.motion.tsv has 1 rows, but 2 are expected: remove it" "a table cut short" tables -v x
rm "$e/x/one.motion.tsv" "$e/y/one.json"
fails 1 "pair-tables: $e/x_vs_y/pairs.tsv:2: one is a pair here, but y/one is missing" "a pair that has gone" tables -v x -v y
fails 1 "pair-tables: cannot read $e/x_vs_w/pairs.tsv: No such file*" "pairs that were not checked" tables -v x -v w
fails 1 "pair-tables: cannot create $TMP/none/clip_temporal_per_video.csv: *" "no such directory" \
    pair-tables -v x -o "$TMP/none" "$e" still
fails 2 "pair-tables: -v VARIANT is needed*" "no variant" tables
fails 2 "pair-tables: -m is mp4 or frames, not 'gif'*" "another thing measured" tables -v x -m gif
fails 2 "pair-tables: a directory and names are needed*" "no names" pair-tables -v x "$e"
record() { experiment-record -o "$o" "$TMP/failed" fp16; }
record
is "$?:$(column "$o/paper_table.csv" return_code)" 0:7 "a record by hand"
echo 'no tab' >>"$TMP/failed/fp16/runs/latents.1/run"
fails 1 "experiment-record: */latents.1/run: a line without a tab: 'no tab'" "a line that is none" record
sed -i '/^return_code/d; /^seconds/d; /^no tab/d' "$TMP/failed/fp16/runs/latents.1/run"
record
is "$?:$(column "$o/paper_table.csv" return_code runs)" 0:,1 "a run that was interrupted has no code"
echo '{' >"$TMP/failed/fp16/runs/latents.1/wan-denoise.json"
fails 1 "experiment-record: cannot read */latents.1/wan-denoise.json: line *" "broken statistics" record
fails 2 "experiment-record: a directory and at least one VARIANT are needed*" "no variant" experiment-record "$TMP"

done_testing
