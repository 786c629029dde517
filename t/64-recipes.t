#!/bin/bash
# Results follow from content: whatever changes in a prompt, a weight, a program or an option is made again,
# and nothing else is; ages and positions mean nothing. What make would do can be asked, and is refused in
# a line before anything is made.
. "$(dirname "$0")/tap.sh"
have ffmpeg || skip_all "there is no ffmpeg"
cd "$ROOT" || exit 1
model=fixtures/random weights=diffusion_pytorch_model.safetensors
lines() { paste -s -d ' '; }
# run OUT MAKE-ARGUMENTS...: its words are in $TMP/out and $TMP/err
run() {
    local out=$1
    shift
    make -s DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" OUT="$out" MODEL="$model" PROMPTS="$TMP/prompts.txt" SIZE=32x32 \
        FRAMES=1 STEPS=1 SEEDS=1 "$@" >"$TMP/out" 2>"$TMP/err"
}
# made: which files the last run made, as its words say
made() { sed -n 's/^\([a-z0-9]*\)\(\.[a-z]*\)\{0,1\}\.[0-9]*: /\1\2 /p' "$TMP/out" | lines; }
poke() { # FILE AT: one bit of one byte
    printf "$(printf '\\%03o' $(($(od -An -tu1 -j "$2" -N 1 "$1") ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
keeping_date() { # FILE COMMAND...: COMMAND changes FILE, whose date stays
    touch -r "$1" "$TMP/date"
    local file=$1
    shift
    "$@"
    touch -r "$TMP/date" "$file"
}
prompt_of() { mp42frames -q "$1" | tensor-info | sed -n 's/^  prompt: //p'; }
says() { tensor-info "$1" | sed -n "s/^    $2: //p"; } # FILE MEMBER

# ---- prompts: one rule for what is blank, whatever counts lines ----

nbsp=$(printf '\302\240') ideographic=$(printf '\343\200\200') em=$(printf '\342\200\203') line=$(printf '\342\200\250')
next=$(printf '\302\205') ogham=$(printf '\341\232\200') separator=$(printf '\034')
printf 'a red circle\n%s\n%s\n %s\n%s\n%s\n%s\n%s\n\na blue square\n' "$nbsp" "$ideographic" "$em" "$line" "$next" "$ogham" "$separator" \
    >"$TMP/prompts.txt"
out=$TMP/blank
run "$out" fp16
is "$?:$(made)" "0:text 01 02 fp16.latents 01_seed1 02_seed1 fp16.film 01_seed1 02_seed1" "lines of white space of all kinds are no prompts"
is "$(prompt_of "$out/fp16/01_seed1.mp4"),$(prompt_of "$out/fp16/02_seed1.mp4")" "a red circle,a blue square" "and each video is its own line's"
run "$out" fp16
is "$?:$(made)" "0:" "a second make makes nothing"

printf '\357\273\277a red circle\r\na blue square\r\n' >"$TMP/marked.txt"
run "$out" fp16 PROMPTS="$TMP/marked.txt"
is "$?:$(made)" "0:" "a byte order mark and CR LF are no part of prompts"
for program in "wan-encode-text -m $model" "clipscore -m $TMP/clip"; do
    [ -d "$TMP/clip" ] || fixtures/clip/unpack.sh "$TMP/clip" >/dev/null
    is "$($program --print-ids <"$TMP/marked.txt")" "$(printf 'a red circle\na blue square\n' | $program --print-ids)" \
        "${program%% *}: nor of its ids"
done

printf '{}\n{"version":"0"}\n' >"$TMP/json.txt"
run "$TMP/json" fp16 PROMPTS="$TMP/json.txt"
is "$?:$(prompt_of "$TMP/json/fp16/01_seed1.mp4"):$(prompt_of "$TMP/json/fp16/02_seed1.mp4")" '0:{}:{"version":"0"}' "prompts that look like records"

printf 'a blue square\na red circle\na star\n' >"$TMP/prompts.txt"
run "$out" fp16
is "$(made)" "text 01 02 03 fp16.latents 01_seed1 02_seed1 03_seed1 fp16.film 01_seed1 02_seed1 03_seed1" "prompts in another order are other videos"
is "$(prompt_of "$out/fp16/01_seed1.mp4")" "a blue square" "under the right names"
printf 'a blue square\na star\n' >"$TMP/prompts.txt"
run "$out" fp16
is "$(made)" "text 02 fp16.latents 02_seed1 fp16.film 02_seed1" "one left out: what has moved up is made"

# ---- the negative prompt ----

out=$TMP/negative
cp pipelines/negative.txt "$TMP/n1.txt"
echo 'ugly' >"$TMP/n2.txt"
touch -d 2001-01-01 "$TMP/n2.txt"
run "$out" fp16 NEGATIVE="$TMP/n1.txt"
run "$out" fp16 NEGATIVE="$TMP/n2.txt"
like "$(made)" "text 01 02 fp16.latents*fp16.film*" "another file with an older date: text and all after it"
keeping_date "$TMP/n2.txt" eval "echo 'pale' >$TMP/n2.txt"
run "$out" fp16 NEGATIVE="$TMP/n2.txt"
like "$(made)" "text 01 02 fp16.latents*fp16.film*" "another text with the same date"
touch "$TMP/n2.txt"
run "$out" fp16 NEGATIVE="$TMP/n2.txt"
is "$(made)" "" "the same text with another date: nothing"

# ---- weights ----

out=$TMP/weights
cp "$model/$weights" "$TMP/x.st"
cp "$model/config.json" "$TMP"
run "$out" x weights.x="$TMP/x.st"
first=$(says "$out/x/01_seed1.latents.safetensors" weights | tail -n 1)
cp "$TMP/x.st" "$TMP/y.st"
poke "$TMP/y.st" $(($(wc -c <"$TMP/y.st") / 2))
touch -r "$TMP/x.st" "$TMP/y.st"
cp "$TMP/x.st" "$TMP/old.st"
mv "$TMP/y.st" "$TMP/x.st"
run "$out" plan VARIANTS=x weights.x="$TMP/x.st"
like "$(cat "$TMP/out")" "*x: 2 of 2 videos to make*01_seed1, 02_seed1: weights.x changed*" "another checkpoint of the same name, size and date: a plan says so"
run "$out" x weights.x="$TMP/x.st"
is "$(made)" "x.latents 01_seed1 02_seed1 x.film 01_seed1 02_seed1" "and it is made again"
[ "$first" ] && [ "$first" != "$(says "$out/x/01_seed1.latents.safetensors" weights | tail -n 1)" ]
ok $? "with another digest"
keeping_date "$TMP/x.st" eval "cat $TMP/old.st >$TMP/x.st"
run "$out" x weights.x="$TMP/x.st"
is "$(made):$(says "$out/x/01_seed1.latents.safetensors" weights | tail -n 1)" \
    "x.latents 01_seed1 02_seed1 x.film 01_seed1 02_seed1:$first" "written over in place, its date kept"
sed 's/"eps": 1e-06/"eps": 1e-05/' "$model/config.json" >"$TMP/config.json"
run "$out" x weights.x="$TMP/x.st"
is "$(made)" "x.latents 01_seed1 02_seed1 x.film 01_seed1 02_seed1" "config.json's eps"
sed 's/"num_heads": 2/"num_heads": 4/' "$model/config.json" >"$TMP/config.json"
run "$out" plan VARIANTS=x weights.x="$TMP/x.st"
like "$(cat "$TMP/out")" "*wan-denoise.heads was 2, is 4*" "and its heads, by name"
cp -r "$model" "$TMP/model"
model=$TMP/model run "$out" w8a16
model=$TMP/model run "$out" w8a16
is "$(made)" "" "w8a16: nothing"
poke "$TMP/model/$weights" $(($(wc -c <"$TMP/model/$weights") - 1)) # the last tensor's, which keeps its type
model=$TMP/model run "$out" w8a16
like "$(made)" "w8a16.latents*w8a16.film*" "what 8 bits are made of has changed"

# ---- options, programs ----

out=$TMP/options
run "$out" fp16
run "$out" -n videos STEPS=2
run "$out" -q fp16
is "$?" 0 "make -q: 0 if nothing is to do"
run "$out" -q fp16 STEPS=2
is "$?:$(cat "$TMP/out" "$TMP/err")" 1: "1 if something is, and no word"
run "$out" plan VARIANTS=fp16 STEPS=2 SEEDS='1 2'
like "$(cat "$TMP/out")" "fp16: 4 of 4 videos to make*01_seed1, 02_seed1: STEPS was 1, is 2*01_seed2, 02_seed2: missing*in all 4 to sample, 4 to film*" "make plan says why"
run "$out" plan fp16 STEPS=2
like "$?:$(cat "$TMP/out")" "0:fp16: 2 of 2 videos to make*" "also beside the variant that it is about"
run "$out" -t fp16 STEPS=2
like "$?:$(cat "$TMP/err")" "2:*make -t has no meaning here*" "make -t is refused"
run "$out" plan VARIANTS=fp16 SEEDS=' 1  2 '
like "$?:$(cat "$TMP/out")" "0:fp16: 2 of 4 videos*" "seeds with several blanks between"
touch "$TMP/now"
run "$out" fp16
is "$(made)$(find "$out" -newer "$TMP/now" -type f)" "" "none of these has changed anything"
rm "$out"/fp16/*.latents.safetensors "$out"/text/*.safetensors
run "$out" fp16
is "$(made)" "" "latents and texts may go when the videos are there"
run "$out" fp16 FPS=8
is "$(made)" "text 01 02 fp16.latents 01_seed1 02_seed1 fp16.film 01_seed1 02_seed1" "and come back when they are needed"

cat >"$TMP/sampler" <<END
#!/bin/sh
exec "$BUILD/wan-denoise" --solver euler "\$@"
END
chmod +x "$TMP/sampler"
out=$TMP/foreign
run "$out" fp16 DENOISE="$TMP/sampler"
is "$?:$(says "$out/fp16/01_seed1.latents.safetensors" solver)" '0:"euler"' "a program that is not ours as a stage"
run "$out" fp16 DENOISE="$TMP/sampler"
is "$(made)" "" "is asked for nothing twice"
cp "$TMP/sampler" "$TMP/other-name"
run "$out" fp16 DENOISE="$TMP/other-name"
is "$(made)" "" "nor under another name"
keeping_date "$TMP/sampler" sed -i 's/euler/dpm++/' "$TMP/sampler"
run "$out" fp16 DENOISE="$TMP/sampler"
is "$(made):$(says "$out/fp16/01_seed1.latents.safetensors" solver)" 'fp16.latents 01_seed1 02_seed1 fp16.film 01_seed1 02_seed1:"dpm++"' \
    "but when its script has changed"
cat >"$TMP/one" <<END
#!/bin/sh
"$BUILD/wan-denoise" "\$@" | "$BUILD/tensor-pick" -
END
chmod +x "$TMP/one"
run "$out" fp16 DENOISE="$TMP/one"
like "$?:$(cat "$TMP/err")" "2:*wrote 1 documents: 02_seed1 is missing*" "one that loses a document is found out"
cat >"$TMP/film" <<END
#!/bin/sh
[ "\$1" != --recipe ] || exit 9
shift 4
cat >/dev/null
for f; do echo a film >"\$f"; done
END
printf '#!/bin/sh\nexec cat\n' >"$TMP/decoder"
printf '#!/bin/sh\nexec "%s/wan-encode-text" "$@"\n' "$BUILD" >"$TMP/encoder"
chmod +x "$TMP/film" "$TMP/decoder" "$TMP/encoder"
run "$TMP/all" fp16 ENCODE="$TMP/encoder" DENOISE="$TMP/sampler" DECODE="$TMP/decoder" MP4="$TMP/film"
is "$?:$(head -n 1 "$TMP/all/fp16/01_seed1.mp4")" "0:a film" "all stages may be others'"
run "$TMP/all" fp16 ENCODE="$TMP/encoder" DENOISE="$TMP/sampler" DECODE="$TMP/decoder" MP4="$TMP/film"
is "$(made)" "" "and their files are known again"

# ---- two makes at once, with different options ----

out=$TMP/two
run "$out" videos STEPS=3 &
sleep 0.2
make -s DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" OUT="$out" MODEL="$model" PROMPTS="$TMP/prompts.txt" SIZE=32x32 \
    FRAMES=1 STEPS=2 SEEDS=1 videos >"$TMP/out2" 2>"$TMP/err2"
second=$?
wait $!
is "$?,$second" 0,0 "both end well"
is "$(for f in "$out"/*/*.latents.safetensors; do says "$f" steps; done | sort -u | wc -l)" 1 "and there is no mixture"
steps=$(says "$out/fp16/01_seed1.latents.safetensors" steps)
run "$out" videos STEPS="$steps"
is "$(made)" "" "a third with the same options has nothing to make"

# ---- what is refused, in a line, before anything is made ----

refused() { # PATTERN NAME MAKE-ARGUMENTS...
    local pattern=$1 name=$2
    shift 2
    rm -rf "$TMP/refused"
    run "$TMP/refused" "$@"
    local status=$?
    like "$status:$(grep -v '^make' "$TMP/err" | wc -l):$(cat "$TMP/err")" "2:1:*$pattern*" "$name"
    [ ! -e "$TMP/refused/text/01.safetensors" ]
    ok $? "before anything is encoded"
}
refused "nothing reads STEP: did you mean STEPS?" "STEP=3" fp16 STEP=3
refused "nothing reads FRAME: did you mean FRAMES?" "FRAME=5" fp16 FRAME=5
refused "nothing reads VARIANT: did you mean VARIANTS?" "VARIANT=fp16" fp16 VARIANT=fp16
refused "nothing reads MODLE: did you mean MODEL?" "MODLE=x" fp16 MODLE=x
refused "nothing reads weight.x: did you mean weights.x?" "weight.x=y" fp16 weight.x=y
refused "MODEL is needed" "make fp16 without MODEL" fp16 MODEL=
refused "MODEL is needed" "make experiment without MODEL" experiment MODEL=
refused "MODEL=/nowhere: there is no such directory" "MODEL=/nowhere" fp16 MODEL=/nowhere
refused "SIZE='1x' is not WIDTHxHEIGHT" "SIZE=1x" fp16 SIZE=1x
refused "wan-denoise: --size 100x100 is not a multiple of 16*" "SIZE=100x100" fp16 SIZE=100x100
refused "STEPS='x' is not a number of steps" "STEPS=x" fp16 STEPS=x
refused "wan-denoise: --steps is from 0 to 1000, not 1001" "STEPS=1001" fp16 STEPS=1001
refused "GUIDANCE='much' is not a number" "GUIDANCE=much" fp16 GUIDANCE=much
refused "SHIFT='5,0' is not a number" "SHIFT=5,0" fp16 SHIFT=5,0
refused "VARIANTS has one twice: fp16" "a variant twice" videos VARIANTS='fp16 fp16'
refused "VARIANTS has ../x: letters*" "a variant outside of OUT" videos VARIANTS=../x weights.../x="$model"
refused "SEEDS has 01: write it 1" "SEEDS='1 01'" fp16 SEEDS='1 01'
for word in text tables made; do
    refused "a variant cannot be called $word" "a variant called $word" videos VARIANTS="fp16 $word" weights.$word="$model"
done
refused "MEASURE='gif' is not mp4, frames or both" "MEASURE=gif" experiment MEASURE=gif
refused "CONVERSION='fast' is not exact, opencv or opencv-4.12" "CONVERSION=fast" experiment CONVERSION=fast
refused "CONVERSION=opencv is of mp4 files, and MEASURE=frames measures none" "CONVERSION=opencv of frames" experiment CONVERSION=opencv MEASURE=frames
refused "FIT='fill' is not crop, pad or squash" "FIT=fill" experiment FIT=fill
refused "CLIP=/nowhere: there is no such directory" "CLIP=/nowhere" experiment CLIP=/nowhere
refused "BY_NAME=/nowhere: there is no such file" "BY_NAME=/nowhere" eval BY_NAME=/nowhere
refused "no variant fp17: weights.fp17=DIR makes one*" "a variant that there is not" videos VARIANTS='fp16 fp17'
refused "wan-encode-text: cannot find models_t5*" "a MODEL without weights" fp16 MODEL="$TMP/empty$(mkdir -p "$TMP/empty")"
refused "PROMPTS=$TMP/none.txt: it has no prompt*" "a list without prompts" fp16 PROMPTS="$TMP/none.txt$(echo >"$TMP/none.txt")"
run '' fp16
like "$?:$(cat "$TMP/err")" "2:*OUT is empty*" "OUT empty"
echo >"$TMP/file"
run "$TMP/file/out" fp16
like "$?:$(cat "$TMP/err")" "2:*OUT=$TMP/file/out: $TMP/file is not a directory*" "OUT in a file"
run /proc/out fp16
like "$?:$(cat "$TMP/err")" "2:*" "OUT where nothing can be written"

done_testing
