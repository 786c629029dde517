#!/bin/bash
# make eval decodes each video once, whatever measures it and however many variants are compared; what fails is
# named and what is not whole is not kept; videos that turn out to be others than their containers say.
. "$(dirname "$0")/tap.sh"
have ffmpeg || skip_all "there is no ffmpeg"
cd "$ROOT" || exit 1

# Each ffmpeg that decodes leaves a line.
mkdir "$TMP/bin"
cat >"$TMP/bin/ffmpeg" <<END
#!/bin/bash
case " \$* " in *' rawvideo -y file:/dev/fd/1 '*) echo "\$*" >>"$TMP/decoded" ;; esac
exec $(command -v ffmpeg) "\$@"
END
chmod +x "$TMP/bin/ffmpeg"
run() {
    local out=$1
    shift
    : >"$TMP/decoded"
    PATH=$TMP/bin:$PATH make -s DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" OUT="$out" "$@" >"$TMP/out" 2>"$TMP/err"
}
decodings() { wc -l <"$TMP/decoded"; }
lines() { paste -s -d ' '; }
# film FILE FRAMES SOURCE: a video of 64x48 that another program made
film() { ffmpeg -nostdin -v error -f lavfi -i "$3=s=64x48:r=8" -frames:v "$2" -pix_fmt yuv420p -y "$1"; }
# judge FILE COMMANDS: a program that prints 1 of each document, by COMMANDS
judge() {
    printf '#!/bin/bash\n%s\n' "$2" >"$1"
    chmod +x "$1"
}

clip=$TMP/clip
fixtures/clip/unpack.sh "$clip" >/dev/null || exit 1
out=$TMP/films
mkdir -p "$out"/{a,b,c}
for v in a b c; do
    for n in one two; do film "$out/$v/$n.mp4" 5 testsrc; done
done
judge "$TMP/counts" 'printf "document\tseen\n"; tensor-info --json | awk "{ print NR \"\t\" 1 }"'

# ---- once ----

PATH=$BUILD:$PATH run "$out" eval VARIANTS='a b c' CLIP="$clip" JUDGE="$TMP/counts"
ok $? "three variants of two videos, five measures"
comment "$(tail -n 2 "$TMP/err")"
is "$(decodings)" 6 "are decoded six times: N + 1 for each name"
is "$(cut -d / -f 1-20 "$TMP/decoded" | grep -o '[abc]/[a-z]*.mp4' | sort | uniq -d)" "" "none of them twice"
is "$(cd "$out/eval" && ls a a_vs_b | lines)" \
    "a: one.clip.tsv one.json one.judge.tsv one.motion.tsv one.stats.tsv two.clip.tsv two.json two.judge.tsv two.motion.tsv two.stats.tsv  a_vs_b: one.diff.tsv pairs.tsv two.diff.tsv" \
    "all of them measured them"
is "$(for f in "$out"/eval/*/*.tsv; do case $f in */pairs.tsv) continue ;; esac; sed -n 3p "$f" | cut -f 1; done | sort -u)" 1 \
    "each table is of a video alone"
run "$out" eval VARIANTS='a b c' CLIP="$clip" JUDGE="$TMP/counts"
is "$?:$(decodings):$(cat "$TMP/out")" 0:0: "a second make decodes nothing"
run "$out" verify
is "$?" 0 "and all is as it was made"
cp -a "$out" "$TMP/converted"
was=$(sed 1d "$out/motion_per_video.csv")
run "$TMP/converted" eval VARIANTS='a b c' CONVERSION=opencv METRICS='psnr motion'
is "$?:$(decodings):$(grep -c bgr24 "$TMP/decoded")" 0:6:6 "CONVERSION=opencv: all are decoded as VideoCapture does it"
is "$(for f in "$TMP/converted" "$out"; do grep -o '"conversion": "[a-z]*"' "$f/experiment.json" | sort -u; done | lines)" \
    '"conversion": "opencv" "conversion": "exact"' "and experiment.json says so"
[ "$(sed 1d "$TMP/converted/motion_per_video.csv")" != "$was" ]
ok $? "the numbers are others"
rm "$out/eval/b/two.motion.tsv"
run "$out" eval VARIANTS='a b c' CLIP="$clip"
is "$?:$(decodings):$(cat "$TMP/out")" "0:1:b.motion: two" "what one measure lacks is decoded for it alone"
rm "$out/eval/a_vs_b/one.diff.tsv" "$out/eval/a_vs_c/one.diff.tsv"
run "$out" eval VARIANTS='a b c' CLIP="$clip"
is "$?:$(decodings)" 0:3 "two pairs lack their difference: the reference is decoded once for both"

# ---- what is measured ----

rm -r "$out/eval"
run "$out" eval VARIANTS='a b' METRICS='psnr'
is "$?:$(decodings):$(cat "$TMP/out")" "0:4:a_vs_b.diff: one two" "METRICS=psnr"
run "$out" eval VARIANTS='a b' METRICS='motion'
is "$?:$(cat "$TMP/out" | lines)" "0:a.motion: one two b.motion: one two" "METRICS=motion"
run "$out" eval VARIANTS='a b' MODEL=fixtures/random METRICS='clip'
like "$?:$(cat "$TMP/err")" "2:*METRICS has clip: CLIP=DIR is needed*" "a metric that lacks its weights"
run "$out" eval VARIANTS='a b' METRICS='morion'
like "$?:$(cat "$TMP/err")" "2:*METRICS has morion: did you mean motion?*" "one that there is not"

# ---- what fails ----

rm -r "$out/eval"
judge "$TMP/stops" 'head -c 60000 >/dev/null; printf "document\tseen\n1\t1\n"; exit 3'
run "$out" -k eval VARIANTS='a b' JUDGE="$TMP/stops"
like "$?:$(cat "$TMP/err")" "2:*eval: stops has failed: of judge, what is not in a table is missing*" "a judge that stops is named"
is "$(cd "$out/eval" && ls */*.tsv | lines)" \
    "a/one.judge.tsv a/one.motion.tsv a/one.stats.tsv a/two.motion.tsv a/two.stats.tsv a_vs_b/one.diff.tsv a_vs_b/pairs.tsv a_vs_b/two.diff.tsv b/one.motion.tsv b/one.stats.tsv b/two.motion.tsv b/two.stats.tsv" \
    "what it said of one video is kept, and the others measured all"
run "$out" eval VARIANTS='a b' JUDGE="$TMP/none"
like "$?:$(cat "$TMP/err")" "2:*none*" "a judge that there is not"
judge "$TMP/deaf" 'exec <&-; sleep 1; exit 4'
run "$out" -k eval VARIANTS='a b' JUDGE="$TMP/deaf"
like "$?:$(cat "$TMP/err")" "2:*eval: deaf has failed*" "one that reads nothing holds up nobody"
rm -r "$out/eval"
for delay in 0.5 1; do
    interrupted $delay make -s DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" OUT="$out" eval VARIANTS='a b'
done
run "$out" eval VARIANTS='a b' && run "$out" verify
is "$?:$(find "$out" -name '*.part')" 0: "interrupted, it leaves nothing half, and goes on"
is "$(find "${TMPDIR:-/tmp}" -maxdepth 2 -name 'one.mp4*' -newer "$TMP/deaf" 2>/dev/null)" "" "nor a video that was decoded"

# ---- what decoding alone shows ----

film "$TMP/long.mp4" 24 mandelbrot
bytes=$(stat -c %s "$TMP/long.mp4")
{
    head -c $((bytes / 3)) "$TMP/long.mp4"
    head -c $((bytes / 3)) /dev/zero | tr '\0' '\377'
    tail -c +$((bytes / 3 * 2 + 1)) "$TMP/long.mp4"
} >"$out/b/one.mp4"
cp "$TMP/long.mp4" "$out/a/one.mp4"
run "$out" -k eval VARIANTS='a b'
like "$?:$(cat "$TMP/err")" "2:*$out/b/one.mp4: mp42frames: *one is no pair: b/one: mp42frames: *" "a video whose middle is broken is named, and is no pair"
is "$(tr -d '\r' <"$out/pairs.csv" | cut -d , -f 1 | lines):$(tr -d '\r' <"$out/pairs_refused.csv" | cut -d , -f 1 | lines)" "name two:name one" "the others are measured"
cp "$TMP/long.mp4" "$out/b/one.mp4"
run "$out" eval VARIANTS='a b'
is "$?:$(decodings)" 0:2 "mended, it is decoded, and the one that it is compared with"
for v in a b; do ffmpeg -nostdin -v error -ss 0.7 -i "$TMP/long.mp4" -c copy -y "$out/$v/two.mp4"; done
said=$("$BUILD/mp42frames" --about "$out/a/two.mp4" | grep -o '"shape":.[0-9]*')
is="$("$BUILD/mp42frames" -q "$out/a/two.mp4" | tensor-info --json | grep -o '"shape":.[0-9]*')"
run "$out" eval VARIANTS='a b'
is "$?:$(tr -d '\r' <"$out/pairs.csv" | sed -n 3p | cut -d , -f 1,11):$(cut -f 1 "$out/eval/a/two.motion.tsv" | wc -l)" \
    "0:two,${is#*[}:$((${is#*[} + 1))" "a video that has more packets than frames is measured by what it is"
comment "its container says $said, it is $is"

# ---- VBench's names ----

mkdir -p "$TMP/bench"/{x,y}
for v in x y; do
    for n in 'a cat-0' 'a cat-1' 'a red-haired man, in B/W-0'; do cp "$TMP/long.mp4" "$TMP/bench/$v/${n//\//_}.mp4"; done
done
run "$TMP/bench" eval VARIANTS='x y' METRICS=psnr
like "$?:$(cat "$TMP/err")" "0:*prompts are those of the names: PROMPT-INDEX.mp4, as VBench has them*" "videos named as VBench names them"
is "$(tr -d '\r' <"$TMP/bench/pairs.csv" | tail -n +2 | cut -d , -f 1-6 | lines)" \
    'a cat-0,x,y,,a cat,name a cat-1,x,y,,a cat,name "a red-haired man, in B_W-0",x,y,,"a red-haired man' "have the prompts of their names"
printf 'a cat-0\tone\na cat-1.mp4\ttwo\n' >"$TMP/bench/prompts-by-name.tsv"
run "$TMP/bench" eval VARIANTS='x y' METRICS=psnr
is "$?:$(tr -d '\r' <"$TMP/bench/pairs.csv" | cut -d , -f 5 | sed -n 2,3p | lines)" "0:one two" "a list of prompts goes before"
rm "$TMP/bench/prompts-by-name.tsv"
cp "$TMP/long.mp4" "$TMP/bench/x/another.mp4"
run "$TMP/bench" -k eval VARIANTS='x y' METRICS=psnr
is "$(tr -d '\r' <"$TMP/bench/pairs.csv" | cut -d , -f 5 | sed -n 2,3p | lines)" " " "where one name is of another kind, none says a prompt"

# ---- what is measured by default: frames where they are kept ----

unset MEASURE
printf 'a red circle moves right\n' >"$TMP/prompts.txt"
made=$TMP/made
make_it() {
    run "$made" MODEL=fixtures/random PROMPTS="$TMP/prompts.txt" SIZE=64x48 FRAMES=5 STEPS=2 SEEDS=1 VARIANTS='fp16 bf16' "$@"
}
column() { tr -d '\r' <"$made/pairs.csv" | awk -F , -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i } NR > 1 { print $at }'; }
make_it experiment
is "$?:$(column measured):$(column file_a):$(decodings)" "0:frames:fp16/01_seed1.frames.safetensors:0" \
    "make experiment keeps frames and measures them: nothing is decoded"
comment "$(tail -n 2 "$TMP/err")"
grep -q 'video' "$made/report.html"
ok $? "and has a report"
make_it experiment
is "$?:$(cat "$TMP/out")" 0: "a second one makes nothing"
make_it eval
is "$?:$(cat "$TMP/out"):$(column measured)" "0::frames" "nor does make eval"
make_it -q experiment
is $? 0 "nor would anything be made"
make_it eval MEASURE=mp4 METRICS='psnr motion'
is "$?:$(column measured):$(decodings)" "0:mp4:2" "MEASURE=mp4 measures the others"
rm "$made"/*/01_seed1.frames.safetensors
make_it eval
is "$?:$(column measured)" "0:mp4" "without frames it is the mp4"
touch "$TMP/then"
make_it experiment
is "$?:$(column measured):$(find "$made" -name '*.latents.safetensors' -newer "$TMP/then" | wc -l)" 0:frames:0 \
    "frames are made again, of the latents that are there"
make_it fp16 bf16 STEPS=3
make_it eval STEPS=3
is "$?:$(column measured)" "0:mp4" "frames of an experiment that is no more wanted are not measured"
run "$out" eval VARIANTS='a b' METRICS='psnr'
is "$?:$(tr -d '\r' <"$out/pairs.csv" | sed -n 2p | grep -o ',mp4,')" "0:,mp4," "videos made elsewhere are measured as they are"

done_testing
