#!/bin/bash
# Variants that wan-quantize makes (quantize.NAME), with a calibration or without: what follows from which, what is
# made again, and that evaluated prompts are kept out of calibrations; an experiment as a file.
. "$(dirname "$0")/tap.sh"
have ffmpeg || skip_all "there is no ffmpeg"
cd "$ROOT" || exit 1
lines() { paste -s -d ' '; }
says() { tensor-info "$1" | sed -n "s/^    $2: //p"; } # FILE MEMBER
# run MAKE-ARGUMENTS...: its words are in $TMP/out and $TMP/err
run() {
    make -s DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" OUT="$out" MODEL=fixtures/tiny PROMPTS="$TMP/prompts.txt" SIZE=32x32 \
        FRAMES=1 STEPS=2 SEEDS=1 "$@" >"$TMP/out" 2>"$TMP/err"
}
# made: what the last run made, as its words say: checkpoints, and videos by their stage
made() { sed -n "s|^$out/model/\([a-z0-9]*\)\.safetensors: .*|\1|p; s/^\([a-z0-9]*\.film\)\..*/\1/p" "$TMP/out" | lines; }

printf 'a red circle moves right\na blue square stands still\n' >"$TMP/prompts.txt"
printf 'a green ring moves up\na white cross stands still\n' >"$TMP/others.txt"
four=("quantize.int4=-t int4-g128 --layer 'blocks.[05].*=int8'" quantize.act='-t int8' options.act='--dtype fp16 --act int8'
    quantize.gptq='-t int4-g128 --method gptq --stat calibration' CALIBRATION="$TMP/others.txt" VARIANTS='fp16 int4 gptq act')

# ---- they are made, and known again ----

out=$TMP/study
run plan "${four[@]}"
like "$?:$(cat "$TMP/out")" "0:*gptq: $out/model/gptq.safetensors would be made ($out/model/calibration.safetensors would be: missing)*int4: $out/model/int4.safetensors would be made (missing)*" \
    "make plan says what would be made"
[ ! -e "$out" ]
ok $? "and nothing is"
run experiment "${four[@]}"
ok $? "an experiment of three quantisations"
comment "$(tail -3 "$TMP/err")"
is "$(made)" "int4 calibration gptq act fp16.film int4.film gptq.film act.film" "a checkpoint of each, one calibration"
is "$(for v in int4 gptq act; do says "$out/$v/01_seed1.latents.safetensors" format; done | tr -d '"' | lines)" \
    "w8a16+int4-g128 int4-g128 w8a16" "videos say of which format they are"
is "$(says "$out/model/calibration.safetensors" seeds)" "[1000001, 1000002]" "a calibration has seeds of its own"
is "$(says "$out/model/gptq.safetensors" prompts)" "$(says "$out/model/calibration.safetensors" prompts)" \
    "and what was made with it says of which prompts it is"
is "$(cut -d , -f 3,7 "$out/pairs.csv" | sort -u | lines)" \
    "act,wan-denoise.act wan-denoise.act_layers wan-denoise.weights gptq,wan-denoise.weights int4,wan-denoise.weights variant_b,differs" \
    "with --act the activations may differ, with nothing said of it"
is "$(tr -d '\r' <"$out/paper_table.csv" | cut -d , -f 1,25 | lines)" "variant,act fp16, int4, gptq, act,int8" "which is in the tables"
like "$(grep '^| int4 | w8a16+int4-g128 | [4-7]\.[0-9][0-9] | [0-9.]* | codes | – |' "$out/report.md")" "*|*" "and the report has a row a variant"
is "$(grep -c '<caption><span>All variants: ' "$out/report.html"),$(grep 'All variants: ' "$out/report.tex" | grep -vc continued)" 1,1 "in all its forms"
touch "$TMP/now"
run experiment "${four[@]}"
is "$?:$(made):$(find "$out" -newer "$TMP/now" -type f)" "0::" "nothing is made twice"
run -q experiment "${four[@]}"
is "$?:$(cat "$TMP/out" "$TMP/err")" 0: "make -q agrees"
run verify
like "$?:$(cat "$TMP/out")" "0:verify: all is as it was made" "so does verify"

# ---- what changes is made again, and nothing else ----

two=("${four[@]}")
two[0]='quantize.int4=-t int4-g64'
run plan "${two[@]}"
like "$?:$(cat "$TMP/out")" "0:act: all of 2*fp16: all of 2*gptq: all of 2*int4: $out/model/int4.safetensors would be made (wan-quantize.*" \
    "another quantize.NAME: make plan says it"
run videos "${two[@]}"
is "$?:$(made)" "0:int4 int4.film" "that variant is made again, with its videos"
echo 'a black triangle moves down' >>"$TMP/others.txt"
run -n videos "${two[@]}"
like "$?:$(grep '^gptq' "$TMP/out")" "0:gptq: * would be made ($out/model/calibration.safetensors would be: CALIBRATION, *" \
    "other prompts in CALIBRATION: make -n says it"
run videos "${two[@]}"
is "$?:$(made)" "0:calibration gptq gptq.film" "what depends on it is made again"
run videos "${two[@]}" STAT='blocks.*.ffn.*:gram' "quantize.gptq=--layer 'blocks.*.ffn.0=int4-g128' --method gptq --stat=calibration"
is "$?:$(made)" "0:calibration gptq gptq.film" "another STAT as well"
run gptq.latents "${two[@]}" GUIDANCE=4
is "$?:$(made)" "0:calibration gptq" "it is sampled as the experiment is"
run videos "${two[@]}"
cp "$out/model/calibration.safetensors" "$TMP/kept"
cp "$out/model/int4.safetensors" "$out/model/calibration.safetensors"
run verify
like "$?:$(cat "$TMP/err")" "2:*model/calibration.safetensors is not as it was made*" "verify knows another file under its name"
run plan "${two[@]}"
like "$(grep gptq "$TMP/out")" "gptq: * would be: not as it was made)*" "and so does a plan"
run videos "${two[@]}"
is "$?:$(made)" "0:calibration" "it is made anew; what follows from its content stays"
cmp -s "$out/model/calibration.safetensors" "$TMP/kept"
ok $? "for that is the same"

# ---- prompts are kept apart ----

head -n 1 "$TMP/others.txt" >>"$TMP/prompts.txt"
out=$TMP/apart
run gptq "${four[@]}"
like "$?:$(grep -v '^make' "$TMP/err")" "2:CALIBRATION=$TMP/others.txt has 1 of the prompts that are evaluated: a green ring moves up" \
    "a prompt of the calibration is not evaluated"
is "$(find "$out" -name '*.safetensors')" "" "nothing is made of it"
run plan VARIANTS=theirs weights.theirs="$TMP/study/model/gptq.safetensors"
like "$?:$(grep -v '^make' "$TMP/err")" "2:wan-recipe: $TMP/study/model/gptq.safetensors was calibrated with 1 of the prompts that are evaluated: a green ring moves up" \
    "nor of a checkpoint that was calibrated elsewhere"
run theirs weights.theirs="$TMP/study/model/gptq.safetensors"
like "$?:$(grep -v '^make' "$TMP/err")" "2:wan-recipe: * was calibrated with 1 of the prompts*" "also when it is to be made"
is "$(find "$out" -name '*.safetensors')" "" "before it is"
wan-recipe apart "$TMP/study/model/calibration.safetensors" <"$TMP/others.txt" 2>"$TMP/err"
like "$?:$(cat "$TMP/err")" "1:*was calibrated with 3 of the prompts that are evaluated: a green ring moves up" "wan-recipe apart: of statistics"
head -n 2 "$TMP/prompts.txt" | wan-recipe apart "$TMP/study/model/calibration.safetensors"
ok $? "others are apart"
wan-recipe apart fixtures/tiny/config.json <"$TMP/others.txt"
ok $? "what was not calibrated is apart of all"
sed -i '$d' "$TMP/prompts.txt"

# ---- what is refused, in a line ----

refused() { # PATTERN NAME MAKE-ARGUMENTS...
    local pattern=$1 name=$2
    shift 2
    run "$@"
    local status=$?
    like "$status:$(grep -v '^make' "$TMP/err" | wc -l):$(cat "$TMP/err")" "2:1:*$pattern*" "$name"
}
out=$TMP/refused
gptq=quantize.gptq='-t int4-g128 --method gptq --stat calibration'
refused "CALIBRATION is needed, a file of prompts: quantize.gptq has --stat calibration" "no CALIBRATION" gptq "$gptq"
refused "CALIBRATION=/nowhere: there is no such file" "CALIBRATION=/nowhere" gptq "$gptq" CALIBRATION=/nowhere
refused "CALIBRATION=$TMP/empty: it has no prompt*" "a CALIBRATION without prompts" gptq "$gptq" CALIBRATION="$TMP/empty$(>"$TMP/empty")"
refused "wan-denoise: --stat: there is no linear 'blokcs.\*' in the model" "a STAT that fits nothing" gptq "$gptq" CALIBRATION="$TMP/others.txt" STAT='blokcs.*'
refused "calibration: DENOISE is not our wan-denoise*" "another's sampler" gptq "$gptq" CALIBRATION="$TMP/others.txt" DENOISE=cat
refused "wan-quantize: -t is *, not 'int5'" "quantize.x='-t int5'" x quantize.x='-t int5'
refused "wan-quantize: --layer blokcs.\*=keep: * has no layer of such a name" "a pattern that fits nothing" x quantize.x="-t int8 --layer 'blokcs.*=keep'"
refused "weights.x and quantize.x: a variant has one of them" "both" x quantize.x='-t int8' weights.x=fixtures/tiny
refused "nothing reads quantise.x: did you mean quantize.x?" "quantise.x" x quantise.x='-t int8'
refused "a variant cannot be called calibration" "a variant called calibration" videos VARIANTS='fp16 calibration' quantize.calibration='-t int8'

# ---- an experiment as a file ----

out=$TMP/file
printf '%s\n' "LAYERS = blocks.0" 'VARIANTS = fp16 some' "quantize.some = -t int8 --layer '\$(LAYERS).*=keep'" >"$TMP/file.mk"
run videos EXPERIMENT="$TMP/file.mk"
is "$?:$(made)" "0:some fp16.film some.film" "EXPERIMENT=FILE has the variants, with names of its own"
run plan EXPERIMENT="$TMP/file.mk" VARIANTS=fp16 STEPS=3
like "$?:$(cat "$TMP/out")" "0:fp16: 2 of 2 videos to make*STEPS was 2, is 3*" "the command line wins"
refused "EXPERIMENT=/nowhere: there is no such file" "a file that there is not" plan EXPERIMENT=/nowhere
echo 'STEP = 3' >>"$TMP/file.mk"
refused "nothing reads STEP: did you mean STEPS?" "a slip in it" plan EXPERIMENT="$TMP/file.mk"
make -s DEVICE="$DEVICE" O="${BUILD#"$ROOT"/}" plan EXPERIMENT=pipelines/study.mk OUT="$TMP/none" >"$TMP/out" 2>"$TMP/err"
is "$?:$(cat "$TMP/err"):$(grep -c 'would be made' "$TMP/out")" "0::8" "make study has eight quantisations"
is "$(sort pipelines/study.txt pipelines/study-calibration.txt | uniq -d)" "" "and none of its prompts in its calibration"

# ---- attention in 8 bits: a pair by its word alone, and a column ----

out=$TMP/attention
eight=(quantize.w8='-t int8' options.w8='--dtype fp16 --act int8' quantize.a8='-t int8' options.a8='--dtype fp16 --act int8 --attention fp8'
    VARIANTS='fp16 w8 a8')
run experiment "${eight[@]}"
like "$?:$(cat "$TMP/err")" '2:*01_seed1 is no pair: differs in wan-denoise.attention: nothing and "fp8"*' \
    "with --attention there is no pair unless that is declared"
run experiment "${eight[@]}" differs.a8=attention
is "$?:$(tr -d '\r' <"$out/paper_table.csv" | cut -d , -f 1,25,26 | lines)" "0:variant,act,attention fp16,, w8,int8, a8,int8,fp8" \
    "with it, beside --act, there is; and the tables say it"
like "$(grep -e '^| variant .*| activations | attention |' -e '^| a8 .*| int8 | fp8 |' "$out/report.md" | lines)" "| variant *| a8 *" \
    "the report's, too"

done_testing
