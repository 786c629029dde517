#!/bin/bash
# The evaluation counts the present experiment and nothing else; what was measured is of that content, by that
# program; pairs are what their records prove; a flipped bit is found.
. "$(dirname "$0")/tap.sh"
have ffmpeg || skip_all "there is no ffmpeg"
cd "$ROOT" || exit 1
model=fixtures/random
lines() { paste -s -d ' '; }
run() { # OUT MAKE-ARGUMENTS...
    local out=$1
    shift
    make -s DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" OUT="$out" MODEL="$model" PROMPTS="$TMP/prompts.txt" SIZE=32x32 \
        FRAMES=1 STEPS=1 SEEDS=1 "$@" >"$TMP/out" 2>"$TMP/err"
}
by_out() { # OUT MAKE-ARGUMENTS...: OUT alone says what the experiment is
    local out=$1
    shift
    make -s DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" OUT="$out" "$@" >"$TMP/out" 2>"$TMP/err"
}
column() { # FILE NAME...
    local file=$1
    shift
    tr -d '\r' <"$file" | awk -F , -v names="$*" 'NR == 1 { n = split(names, name, " ")
        for (i = 1; i <= NF; i++) for (j = 1; j <= n; j++) if ($i == name[j]) at[j] = i; next }
        { for (j = 1; j <= n; j++) printf "%s%s", $at[j], j < n ? "," : "\n" }'
}
measured() { grep -oE '^[a-z0-9_]*\.(clip|motion|diff)' "$TMP/out" | lines; }
poke() { # FILE AT: one bit of one byte
    printf "$(printf '\\%03o' $(($(od -An -tu1 -j "$2" -N 1 "$1") ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
tables() { (cd "$1" && md5sum ./*.csv | grep -v paper_table); } # which has seconds
fixtures/clip/unpack.sh "$TMP/clip" >/dev/null || exit 1
printf 'a red circle\na star\n' >"$TMP/prompts.txt"

# ---- the present experiment ----

out=$TMP/dataset
run "$out" experiment CLIP="$TMP/clip"
ok $? "an experiment"
comment "$(tail -3 "$TMP/err")"
cp -r "$out" "$TMP/first"
by_out "$out" -q eval CLIP="$TMP/clip"
is "$?:$(cat "$TMP/out")" "0:" "make -q: nothing is missing"
touch -d '1 hour' "$out/eval/clip" # what it says of CLIP does not hang on its date
mv "$out/eval/fp16/01_seed1.motion.tsv" "$TMP/kept.tsv"
by_out "$out" -q eval
is "$?" 1 "a measurement is"
by_out "$out" -n eval
like "$?:$(tail -n 1 "$TMP/out"):$(diff -rq "$out" "$TMP/first")" "0:in all 1 videos to measure:Only in $TMP/first/eval/fp16: 01_seed1.motion.tsv" \
    "make -n says so, and measures nothing"
mv "$TMP/kept.tsv" "$out/eval/fp16/01_seed1.motion.tsv"
by_out "$out" eval
is "$?:$(column "$out/pairs.csv" clip_a | grep -c .):$(measured)" "0:2:" "without CLIP= its numbers stay what they were"
cmp "$out/pairs.csv" "$TMP/first/pairs.csv"
ok $? "all of them"
for language in de_DE.UTF-8 tr_TR.UTF-8; do
    if ! { have localedef && mkdir -p "$TMP/locales" && localedef -i ${language%.*} -f UTF-8 "$TMP/locales/$language" 2>/dev/null; }; then
        skip "there is no localedef, or no $language (Debian's package locales)" "the same tables in $language"
        continue
    fi
    rm -rf "$TMP/there"
    cp -r "$out" "$TMP/there"
    rm -r "$TMP/there"/*.csv
    [ $language = tr_TR.UTF-8 ] || rm -r "$TMP/there/eval"
    (
        export LOCPATH=$TMP/locales LANG=$language
        export LC_ALL=$language 2>/dev/null # bash, unlike what it starts, knows no LOCPATH yet, and warns
        run "$TMP/there" experiment CLIP="$TMP/clip"
    )
    is "$(tables "$TMP/there")" "$(tables "$out")" "the same tables in $language"
done

printf 'a star\n' >"$TMP/prompts.txt"
run "$out" eval
like "$?:$(cat "$TMP/err")" "2:*left out, since this experiment does not name them: fp16/02_seed1.mp4 w8a16/02_seed1.mp4*01_seed1 is no pair: fp16/01_seed1: not what this experiment wants: the prompt changed*" \
    "a prompt removed: what has moved up is not measured as what it is not"
run "$out" videos
by_out "$out" eval CLIP="$TMP/clip"
is "$?:$(column "$out/pairs.csv" name prompt | lines)" "0:01_seed1,a star" "made, it is what counts"
is "$(column "$out/paper_table.csv" videos | lines)" "1 1" "in every table"
run "$out" videos STEPS=2
by_out "$out" eval
is "$?:$(column "$out/paper_table.csv" steps | lines)" "0:2 2" "STEPS changed: the last that was made is the experiment"
run "$out" eval STEPS=1
like "$?:$(cat "$TMP/err")" "2:*01_seed1 is no pair: fp16/01_seed1: not what this experiment wants: STEPS was 2, is 1*" "or the one that is asked for"
printf 'a star\na red circle\n' >"$TMP/prompts.txt"
run "$out" videos STEPS=1

# ---- which program measured ----

by_out "$out" eval CLIP="$TMP/clip"
printf '#!/bin/sh\nexec "%s/flowmag" "$@"\n' "$BUILD" >"$TMP/flow"
printf '#!/bin/sh\nexec "%s/framediff" "$@"\n' "$BUILD" >"$TMP/difference"
chmod +x "$TMP/flow" "$TMP/difference"
by_out "$out" eval FLOWMAG="$TMP/flow"
is "$?:$(measured)" "0:fp16.motion w8a16.motion" "FLOWMAG, another program: measured again"
by_out "$out" eval FRAMEDIFF="$TMP/difference" FLOWMAG="$TMP/flow"
is "$?:$(measured)" "0:fp16_vs_w8a16.diff" "FRAMEDIFF likewise, and nothing else"
touch "$TMP/flow"
by_out "$out" eval FRAMEDIFF="$TMP/difference" FLOWMAG="$TMP/flow"
is "$?:$(measured)" "0:" "its age means nothing"
echo '# changed' >>"$TMP/flow"
by_out "$out" eval FRAMEDIFF="$TMP/difference" FLOWMAG="$TMP/flow"
is "$?:$(measured)" "0:fp16.motion w8a16.motion" "its content does"
by_out "$out" eval
by_out "$out" eval CLIP="$TMP/clip" FIT=pad
is "$?:$(measured)" "0:fp16.clip w8a16.clip" "an option"
cp -r "$TMP/clip" "$TMP/other"
poke "$TMP/other/model.safetensors" $(($(wc -c <"$TMP/other/model.safetensors") - 1))
by_out "$out" eval CLIP="$TMP/other" FIT=pad
is "$?:$(measured)" "0:fp16.clip w8a16.clip" "one bit of CLIP"
mv "$TMP/other/model.safetensors" "$TMP/other/model.fp16.safetensors"
by_out "$out" eval CLIP="$TMP/other" FIT=pad
is "$?:$(measured):$(column "$out/pairs.csv" clip_a | grep -c .)" "0::2" "model.fp16.safetensors is the same CLIP, for all programs"
is "$(sed -n 's/.*"clip_sha256": "\([0-9a-f]*\)".*/\1/p' "$out/experiment.json")" \
    "$(sha256sum <"$TMP/other/model.fp16.safetensors" | cut -d ' ' -f 1)" "and experiment.json has its sum"

# ---- comparisons do not overwrite each other ----

tables "$out" >"$TMP/before"
run "$out" videos VARIANTS='bf16'
by_out "$out" eval VARIANTS='w8a16 bf16'
is "$?:$(column "$out/w8a16_vs_bf16/pairs.csv" variant_a variant_b | sort -u)" "0:w8a16,bf16" "another comparison in the same directory"
is "$(tables "$out")" "$(cat "$TMP/before")" "leaves the first one's tables as they are"
run "$out" report VARIANTS='w8a16 bf16' REPORT="$BUILD/evalreport --link"
like "$?:$(cat "$out/w8a16_vs_bf16/report.html")" '0:*src="../bf16/01_seed1.mp4"*' "and has its own report"

# ---- strict pairs ----

cp -r "$model" "$TMP/other-eps"
sed 's/"eps": 1e-06/"eps": 1e-05/' "$model/config.json" >"$TMP/other-eps/config.json"
run "$TMP/eps" experiment VARIANTS='fp16 y' weights.y="$TMP/other-eps"
like "$?:$(cat "$TMP/err")" "2:*01_seed1 is no pair: differs in wan-denoise.eps: *" "config.json's eps makes no strict pair"
run "$TMP/eps" experiment VARIANTS='fp16 y' weights.y="$TMP/other-eps" differs.y=eps
is "$?:$(column "$TMP/eps/pairs.csv" differs | sort -u)" "0:wan-denoise.eps" "but one that is named"

mkdir -p "$TMP/else/x" "$TMP/else/y"
cp "$out/fp16/01_seed1.mp4" "$TMP/else/x/a.mp4"
cp "$out/w8a16/01_seed1.mp4" "$TMP/else/y/a.mp4"
by_out "$TMP/else" eval VARIANTS='x y'
is "$?:$(column "$TMP/else/pairs.csv" pairing)" "0:provenance" "videos that were moved still prove what they are"
ffmpeg -nostdin -v error -y -i "$out/w8a16/01_seed1.mp4" -c:v libx264 -crf 40 -map_metadata 0 "$TMP/else/y/a.mp4"
by_out "$TMP/else" eval VARIANTS='x y'
is "$?:$(column "$TMP/else/pairs.csv" pairing)" "0:name" "one that was coded anew does not, though its comment stays"
ffmpeg -nostdin -v error -y -i "$out/w8a16/01_seed1.mp4" -c copy -metadata comment='{"prompt":"a dog","tool":"another"}' "$TMP/else/y/a.mp4"
by_out "$TMP/else" eval VARIANTS='x y'
is "$?:$(column "$TMP/else/pairs.csv" pairing prompt)" "0:name,a star" "nor one whose comment is another program's"
mp42frames "$TMP/else/y/a.mp4" | tensor-info | grep -q '^  comment:'
ok $? "which is kept as a comment"

# ---- by hand: what the weights are ----

wan-quantize -q -t w8a16 -m $model >"$TMP/w8a16.safetensors"
cp $model/config.json "$TMP"
mkdir "$TMP/hand"
wan-encode-text -q -m $model <"$TMP/prompts.txt" | wan-denoise -q -m "$TMP/w8a16.safetensors" -s 1 --size 32x32 --frames 1 --seed 1 |
    wan-vae-decode -q -m $model | tee "$TMP/frames" | frames2mp4 -q -o "$TMP/hand/%n_%v.mp4"
is "$(ls "$TMP/hand" | lines)" "1_w8a16.mp4 2_w8a16.mp4" "frames2mp4 -o %v: a checkpoint of codes is w8a16"
is "$(clipscore -q -m "$TMP/clip" <"$TMP/frames" | cut -f 3 | sort -u | lines)" "variant w8a16" "and for clipscore"

# ---- a flipped bit ----

run "$out" verify
is "$?:$(cat "$TMP/out")" "0:verify: all is as it was made" "make verify"
cp "$out/fp16/01_seed1.mp4" "$TMP/mp4"
poke "$out/fp16/01_seed1.mp4" 3000
poke "$out/w8a16/02_seed1.latents.safetensors" $(($(wc -c <"$out/w8a16/02_seed1.latents.safetensors") - 99))
poke "$out/pairs.csv" 300
poke "$out/eval/fp16/02_seed1.motion.tsv" $(($(wc -c <"$out/eval/fp16/02_seed1.motion.tsv") - 9))
by_out "$out" verify
is "$?:$(grep -c 'is not as it was made' "$TMP/err")" 2:4 "names what is not as it was made"
for f in fp16/01_seed1.mp4 w8a16/02_seed1.latents.safetensors pairs.csv eval/fp16/02_seed1.motion.tsv; do
    grep -q "$out/$f.* is not as it was made" "$TMP/err"
    ok $? "$f"
done
by_out "$out" -k eval
like "$?:$(cat "$TMP/err"):$(column "$out/pairs.csv" name)" "2:*fp16/01_seed1.mp4 is not as it was made*:02_seed1" "eval refuses the mp4 by name"
is "$(measured)" "fp16.motion" "and measures again what was changed"
sed -i 's/a red circle/a rad circle/' "$out"/eval/*/02_seed1.json
by_out "$out" verify
is "$(grep -c 'eval/.*/02_seed1.json is not as it was made' "$TMP/err")" 3 "a record of a video that was changed is named"
by_out "$out" -k eval
is "$(column "$out/pairs.csv" prompt)" "a red circle" "and no table has it"
cp "$out/fp16/02_seed1.latents.safetensors" "$TMP/latents"
cp "$out/fp16/01_seed1.latents.safetensors" "$out/fp16/02_seed1.latents.safetensors"
cp "$TMP/mp4" "$out/fp16/02_seed1.mp4.kept"
mv "$out/fp16/02_seed1.mp4" "$TMP/other.mp4"
mv "$out/fp16/02_seed1.mp4.kept" "$out/fp16/02_seed1.mp4"
by_out "$out" verify
is "$(grep -c 'fp16/02_seed1.* is another file than the experiment names here' "$TMP/err")" 2 "another's latents, another's mp4"
cp "$TMP/latents" "$out/fp16/02_seed1.latents.safetensors"
cp "$TMP/other.mp4" "$out/fp16/02_seed1.mp4"
by_out "$TMP/none" verify
like "$?:$(cat "$TMP/err")" "2:*there is no directory $TMP/none*" "verify of nothing is no success"
rm "$out/w8a16/02_seed1.mp4"
cp "$TMP/mp4" "$out/fp16/01_seed1.mp4"
run "$out" videos
like "$?:$(cat "$TMP/err")" "2:*is not as it was made*" "no video is made of changed latents"
rm "$out/w8a16/02_seed1.latents.safetensors"
run "$out" experiment
is "$?:$(tables "$out")" "0:$(cat "$TMP/before")" "what is removed is made again, and all is as it was"

done_testing
