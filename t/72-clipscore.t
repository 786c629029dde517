#!/bin/sh
# clipscore: tokens, pictures and vectors against Hugging Face's CLIP and PIL; the table; bad input.
. "$(dirname "$0")/tap.sh"
C=$ROOT/fixtures/clip M=$TMP/clip G=$ROOT/fixtures/clip/golden.safetensors
tab=$(printf '\t')
"$C/unpack.sh" "$M" || exit 1

# ---- tokens ----

mkdir "$TMP/words"
cp "$M/vocab.json" "$M/merges.txt" "$TMP/words"
ids() { clipscore -m "$TMP/words" --print-ids; }
ids <"$C/prompts.txt" >"$TMP/ids"
is "$(wc -l <"$TMP/ids")" 172 "172 lines of ids, without a model"
is "$(diff "$TMP/ids" "$C/ids.txt" | grep -c '^<')" 0 "the same ids as Hugging Face's on all of them"
is "$(echo 'İ <|endoftext|>! <|ENDOFTEXT|>?!<|ENDOFTEXT|>?' | ids)" \
    "49406 328 16384 49407 256 27 347 40786 4160 91 285 9785 27 347 40786 4160 91 29 286 49407" \
    "special tokens within a text; in capitals they are plain text"
long=$(yes fox | head -n 100 | tr '\n' ' ')
is "$(echo "$long" | ids | wc -w)" 77 "a long line is cut to 77"
like "$(echo "$long" | ids)" "49406 *3240 49407" "keeping the end token"
is "$(echo | ids)" "49406 49407" "an empty line"

# ---- pictures ----

# Frames 0, 8, 16, 24 of cat.mp4 by ffmpeg's default conversion: the golden tensors were made of these.
document() { # SHAPE METADATA: a document of the frames on standard input
    header=$(printf '{"__metadata__":{%s},"frames":{"dtype":"U8","shape":[%s],%s%d]}}' \
        "$2" "$1" '"data_offsets":[0,' "$(echo "$1" | awk -F, '{ print $1 * $2 * $3 * $4 }')")
    n=${#header}
    printf "\\$(printf %03o $((n % 256)))\\$(printf %03o $((n / 256)))\\0\\0\\0\\0\\0\\0%s" \
        "$header"
    cat
}
tensor-pick -k 'prompt=a lovely cat' "$G:frames" >"$TMP/four" # where there is no ffmpeg: 224 x 224 already
if have ffmpeg; then
    ffmpeg -v error -i "$ROOT/fixtures/cat.mp4" -vf "select='not(mod(n,8))'" -fps_mode passthrough \
        -frames:v 4 -pix_fmt rgb24 -f rawvideo - |
        document 4,480,832,3 '"prompt":"a lovely cat"' >"$TMP/four"
    clipscore -m "$M" --pixels <"$TMP/four" >"$TMP/pixels"
    ok $? "--pixels"
    # No level is more than 1 off and at most one in twenty is: the mean is within 0.05.
    close_to "pictures of four frames" --abs 1 --same 0.95 "$TMP/pixels:frames" "$G:frames"
else
    skip "there is no ffmpeg" "pictures of four frames"
fi
gzip -dc "$C/fits.safetensors.gz" >"$TMP/fits"
tensor-pick "$TMP/fits:frames" >"$TMP/frames"
for fit in crop pad squash; do
    clipscore -m "$M" --pixels --fit $fit <"$TMP/frames" >"$TMP/fit"
    close_to "--fit $fit is PIL's" --abs 0 "$TMP/fit:frames" "$TMP/fits:$fit"
done

# ---- embeddings ----

# Frames that are 224 x 224 already stay as they are.
tensor-pick "$G:frames" >"$TMP/small"
# The checkpoint is F16, so --dtype fp16 rounds no weight: with F32 operands it is as exact as fp32.
loses() { [ "$1" = fp16 ] && operands fp16 || echo "$1"; }
vectors() { # NAME TYPE FILE:TENSOR GOLDEN:TENSOR KEY
    close_to "$1, $2" --rel "$(bound "$(loses "$2")" 1e-4 "$5")" "$3" "$4"
}
for type in fp32 fp16 bf16; do
    i=0
    while IFS= read -r text; do
        clipscore -m "$M" --embeds --dtype $type -p "$text" <"$TMP/small" >"$TMP/embeds"
        tensor-pick "$G:text_embeds[$i:$((i + 1))]" >"$TMP/wanted"
        vectors "text embedding $i" $type "$TMP/embeds:text_embeds" "$TMP/wanted:text_embeds" clip.text_embeds.$i
        i=$((i + 1))
    done <"$C/texts.txt"
    vectors "embeddings of four frames" $type "$TMP/embeds:image_embeds" "$G:image_embeds" clip.image_embeds
done
clipscore -m "$M" --embeds <"$TMP/four" >"$TMP/embeds"
close_to "from the mp4" --rel 4e-3 "$TMP/embeds:image_embeds" "$G:image_embeds"
like "$(tensor-info "$TMP/embeds")" "*clipscore*version*device*weights*" "provenance"

# ---- the table ----

# A second document of other metadata, a third of one frame.
tensor-pick -k 'prompt=A cat playing guitar on the moon' -k seed=5 -k "variant=a${tab}b" \
    "$TMP/small" >"$TMP/2"
tensor-pick "$TMP/small:frames[0:1]" >"$TMP/3"
cat "$TMP/four" "$TMP/2" "$TMP/3" |
    clipscore -m "$M" --stats "$TMP/stats" >"$TMP/table" 2>"$TMP/err"
ok $? "three documents"
is "$(head -n 1 "$TMP/table" | tr "$tab" ' ')" \
    "document seed variant clip clip100 temporal frames" "the header"
is "$(wc -l <"$TMP/table")" 4 "a line for each document"
like "$(cat "$TMP/err")" "*warning: document 3 has no prompt*" "no prompt: a warning"
is "$(sed -n 4p "$TMP/table")" "3$tab$tab$tab$tab$tab${tab}1" "no prompt, one frame: empty cells"
is "$(sed -n 3p "$TMP/table" | cut -f 2,3)" "5${tab}a b" "seed and variant; a tab in metadata becomes a blank"
like "$(tr -d ' \n' <"$TMP/stats")" '*"weight_loads":1,*"documents":3,*' "weights loaded once"
# Hugging Face's embeddings give 0.2564403495 and 0.9708122129.
is "$(sed -n 3p "$TMP/table" | awk -F "$tab" '{
    d = $4 - 0.2564403495; e = $5 - 25.64403495; f = $6 - 0.9708122129
    print (d * d < 1e-12) (e * e < 1e-8) (f * f < 1e-12) $7 }')" 1114 \
    "score, times 100, consistency, frames"
comment "$(sed -n 3p "$TMP/table")"
clipscore -m "$M" --per-frame -p 'A cat playing guitar on the moon' <"$TMP/small" >"$TMP/frames"
is "$(wc -l <"$TMP/frames")" 5 "--per-frame: a line a frame"
is "$(awk -F "$tab" 'NR > 1 { c += $5; t += $6; n += $6 != "" }
    END { printf "%.6f %.6f %d", c / 4, t / 3, n }' "$TMP/frames")" \
    "$(sed -n 3p "$TMP/table" | awk -F "$tab" '{ printf "%.6f %.6f 3", $4, $6 }')" \
    "whose means are the score"
is "$(clipscore -m "$M" -p 'a lovely cat' <"$TMP/2" | cut -f 4)" \
    "$(tensor-pick -k 'prompt=a lovely cat' "$TMP/small" | clipscore -m "$M" | cut -f 4)" \
    "-p counts more than metadata"
# More frames than a batch of 16: four of them nine times.
header=$((8 + $(od -An -tu8 -N8 "$TMP/small")))
for n in 1 2 3 4 5 6 7 8 9; do tail -c +$((header + 1)) "$TMP/small"; done |
    document 36,224,224,3 '' >"$TMP/all"
clipscore -m "$M" --embeds -q --wait <"$TMP/all" >"$TMP/embeds"
for first in 12 16 32; do
    tensor-pick "$TMP/embeds:image_embeds[$first:$((first + 4))]" >"$TMP/last"
    close_to "frames $first to $((first + 3))" --rel 1e-4 "$TMP/last" "$G:image_embeds"
done

# ---- what is refused ----

score() { clipscore -q -m "$1" -p cat <"${2-$TMP/3}"; }
for file in config.json vocab.json merges.txt; do
    mv "$M/$file" "$TMP/away"
    fails 1 "clipscore: cannot read $M/$file: No such file*" "no $file" score "$M"
    mv "$TMP/away" "$M/$file"
done
broken() { rm -rf "$TMP/bad"; cp -R "$M" "$TMP/bad"; }
broken
rm "$TMP/bad/model.safetensors"
fails 1 "clipscore: cannot find model.safetensors*in $TMP/bad" "no weights" score "$TMP/bad"
reshaped text_model.embeddings.position_embedding.weight '[1,4928]' <"$M/model.safetensors" >"$TMP/bad/model.safetensors"
fails 1 "clipscore: text_model.embeddings.position_embedding.weight is * [[]1, 4928] in *, but [[]\*, 64] is needed" \
    "positions of another width" score "$TMP/bad"
head -c 100000 "$M/model.safetensors" >"$TMP/bad/model.safetensors"
fails 1 "clipscore: *$TMP/bad/model.safetensors*" "cut weights" score "$TMP/bad"
is "$(score "$TMP/bad" 2>/dev/null | wc -c)" 0 "and nothing is written"
broken
config() { sed "s/$1/$2/" "$M/config.json" >"$TMP/bad/config.json"; }
config quick_gelu gelu_new
fails 1 "*hidden_act is 'gelu_new': only quick_gelu and gelu are known" "another activation" \
    score "$TMP/bad"
config '"num_attention_heads": 2' '"num_attention_heads": 4'
fails 1 "*128 wide with 4 heads: heads must be 64 wide" "other heads" score "$TMP/bad"
config '"image_size": 224' '"image_size": 256'
fails 1 "*pictures of 256 pixels do not fit*" "another picture" score "$TMP/bad"
config '"eos_token_id": 49407' '"eos_token_id": 7'
fails 1 "*ends with 49407, but eos_token_id of config.json is 7" "another end token" \
    score "$TMP/bad"
config '"eos_token_id": 49407' '"eos_token_id": 2'
is "$(clipscore -q -m "$TMP/bad" -p 'a #~ cat' <"$TMP/3")" "$(clipscore -q -m "$M" -p 'a #~ cat' <"$TMP/3")" \
    "eos_token_id 2, as in older configurations, means the end token, not '#' whose id is 2"
config vision_config version_config
fails 1 "*config.json is not CLIP's: it has no vision_config" "not CLIP's" score "$TMP/bad"
echo '{' >"$TMP/bad/config.json"
fails 1 "*cannot read $TMP/bad/config.json: line *" "config.json is no JSON" score "$TMP/bad"
broken
echo '{"a": 1}' >"$TMP/bad/vocab.json"
fails 1 "*vocab.json has no <|startoftext|>" "a vocabulary of one token" score "$TMP/bad"
echo 'a b c' >>"$TMP/bad/merges.txt"
cp "$M/vocab.json" "$TMP/bad"
fails 1 "*merges.txt: line 48896 is not a pair of tokens" "three tokens on a line" score "$TMP/bad"
: >"$TMP/none"
fails 1 "*standard input has no document" "no input" score "$M" "$TMP/none"
fails 1 "*frames*" "a stream without frames" score "$M" "$ROOT/fixtures/noise.safetensors"
head -c 200000 "$TMP/small" >"$TMP/cut"
fails 1 "*short*" "a cut stream" score "$M" "$TMP/cut"
document 0,480,832,3 '' </dev/null >"$TMP/zero"
fails 1 "*frames of document 1 of standard input are empty*" "no frames" score "$M" "$TMP/zero"
bad_line() { printf 'fox\n\377\n' | ids; }
fails 1 "*line 2 is not UTF-8" "not UTF-8" bad_line
full() { score "$M" >/dev/full; }
fails 1 "*No space left on device" "a full disk" full
fails 2 "*-m DIR or -m FILE is needed*" "no -m" clipscore
fails 2 "*--fit is crop, pad or squash, not 'fill'*" "another fit" clipscore -m "$M" --fit fill
fails 2 "*exclude each other*" "two outputs" clipscore -m "$M" --pixels --embeds
fails 2 "*unwanted operand*" "an operand" clipscore -m "$M" cat.mp4

# ---- the same model as others lay it out (fixtures/layouts/clip) ----

L=$ROOT/fixtures/layouts/clip
mkdir "$TMP/own" && cp "$L"/vocab.json "$L"/merges.txt "$L"/config.json "$TMP/own"
gzip -dc "$L/model.safetensors.gz" >"$TMP/own/model.safetensors"
embeds() { clipscore -m "$1" -p 'a cat' --embeds <"$TMP/small"; }
embeds "$TMP/own" >"$TMP/own.embeds"
like "$(tensor-info "$TMP/own.embeds")" '*image_embeds *F32 *[[]4, 8[]]*' "a small CLIP"
as_well() { # NAME MODEL [WARNING]
    embeds "$2" >"$TMP/embeds" 2>"$TMP/err"
    is "$(cat "$TMP/err")" "${3-}" "$1: on standard error nothing, or that warning"
    close_to "$1: pictures" --same 1 "$TMP/embeds:image_embeds" "$TMP/own.embeds:image_embeds"
    close_to "$1: text" --same 1 "$TMP/embeds:text_embeds" "$TMP/own.embeds:text_embeds"
}
lay() { # DIRECTORY FILE CONFIG: with the words, and that configuration
    mkdir "$TMP/$1" && cp "$L"/vocab.json "$L"/merges.txt ${3:+"$L/$3"} "$TMP/$1"
    gzip -dc "$L/$2.gz" >"$TMP/$1/$2"
}
lay legacy pytorch_model.bin config.json
as_well "pytorch_model.bin as torch before 1.6 saved it, with position_ids" "$TMP/legacy"
as_well "the file itself" "$TMP/legacy/pytorch_model.bin"
lay open_clip open_clip_model.safetensors open_clip_config.json
as_well "open_clip's names" "$TMP/open_clip"
lay openai tiny.pt
as_well "OpenAI's own: a TorchScript archive without a configuration" "$TMP/openai"
as_well "as a file" "$TMP/openai/tiny.pt"
mkdir "$TMP/shards" && cp "$L"/vocab.json "$L"/merges.txt "$L"/config.json "$TMP/shards"
tensor-pick "$TMP/own/model.safetensors:text*" >"$TMP/shards/model-00001-of-00002.safetensors"
tensor-pick "$TMP/own/model.safetensors:[!t]*" >"$TMP/shards/model-00002-of-00002.safetensors"
as_well "shards" "$TMP/shards"
mkdir "$TMP/half" && cp "$L"/vocab.json "$L"/merges.txt "$L"/config.json "$TMP/half"
cp "$TMP/own/model.safetensors" "$TMP/half/model.fp16.safetensors"
as_well "a variant" "$TMP/half"
# Embeddings of tokens and positions in fp8 with scales: the result is that of the same values in F32.
e=embeddings
names=$(tensor-info -n "$TMP/own/model.safetensors" | grep -v "text_model.$e.\|vision_model.$e.position" |
    sed "s|^|$TMP/own/model.safetensors:|")
coded= scaled=
for name in text_model.$e.token_embedding text_model.$e.position_embedding vision_model.$e.position_embedding; do
    shape=$(tensor-info "$TMP/own/model.safetensors" | sed -n "s/^$name.weight .*\[\(.*\), \(.*\)\].*/\1,\2/p")
    n=$((${shape%,*} * ${shape#*,})) file=$TMP/$(echo $name | cut -c1-20)$(echo $name | cut -c 24-26)
    for end in weight:F8_E4M3:$shape:$n weight_scale:F32::4; do
        IFS=: read -r what type dims bytes <<END
$end
END
        header='{"'$name.$what'":{"dtype":"'$type'","shape":['$dims'],"data_offsets":[0,'$bytes']}}'
        {
            printf "\\$(printf %03o ${#header})\\0\\0\\0\\0\\0\\0\\0%s" "$header"
            if [ $what = weight ]; then # codes of 1/2 to 2, of both signs
                yes 0123456789:\;\<=\>?@ | tr -d '\n' | head -c "$bytes" | tr '13579;' '\261\263\265\267\271\273'
            else
                printf '\0\0\0\100'
            fi
        } >"$file.$what"
    done
    coded="$coded $file.weight" scaled="$scaled $file.weight_scale"
done
mkdir "$TMP/fp8" "$TMP/wide" "$TMP/plain"
for to in fp8 wide plain; do cp "$L"/vocab.json "$L"/merges.txt "$L"/config.json "$TMP/$to"; done
tensor-pick $coded $scaled $names >"$TMP/fp8/model.safetensors"
tensor-pick $coded $names >"$TMP/plain/model.safetensors"
wan-quantize -q -t fp32 -m "$TMP/fp8/model.safetensors" >"$TMP/wide/model.safetensors"
embeds "$TMP/plain" >"$TMP/plain.embeds"
embeds "$TMP/wide" >"$TMP/own.embeds"
tensor-diff --rel 1e-3 "$TMP/plain.embeds:text_embeds" "$TMP/own.embeds:text_embeds" >"$TMP/diff"
is $? 1 "without their scales the result is another"
as_well "embeddings of tokens and positions in fp8" "$TMP/fp8"
embeds "$TMP/own" >"$TMP/own.embeds"
sed 's/, "quick_gelu": true//' "$L/open_clip_config.json" >"$TMP/open_clip/open_clip_config.json"
sed 's/_config": {/&"hidden_act": "gelu", /g' "$L/config.json" >"$TMP/half/config.json"
embeds "$TMP/half" >"$TMP/own.embeds"
as_well "open_clip's own models, which use exact gelu" "$TMP/open_clip"
isnt_gelu() { clipscore -m "$1" --recipe | grep -c '"gelu"'; }
is "$(isnt_gelu "$TMP/half") $(isnt_gelu "$TMP/own")" "1 0" "which the recipe says"
embeds "$TMP/own" >"$TMP/own.embeds"
rm "$TMP/open_clip/open_clip_config.json"
as_well "without a configuration" "$TMP/open_clip" \
    "clipscore: warning: $TMP/open_clip/open_clip_model.safetensors does not say how it computes: quick_gelu, as OpenAI's own do, is taken"

# ---- other sizes: patches of 14 and 16, gelu, another epsilon (fixtures/nets) ----

F=$ROOT/fixtures/nets
for name in clip-14 clip-16; do
    mkdir "$TMP/$name" && cp "$M/vocab.json" "$M/merges.txt" "$TMP/$name"
    "$BUILD/t/tools/formula" <"$F/$name.txt" >"$TMP/$name/model.safetensors"
    [ $name = clip-14 ] && of='70 2 quick_gelu 1e-05' || of='64 1 gelu 1e-03'
    echo "$of" | {
        read -r side heads act eps
        echo '{"vision_config": {"image_size": '"$side"', "num_attention_heads": '"$heads"', "hidden_act": "'"$act"'", "layer_norm_eps": '"$eps"'},
            "text_config": {"num_attention_heads": 1, "hidden_act": "'"$act"'", "layer_norm_eps": '"$eps"', "eos_token_id": 49407}}'
    } >"$TMP/$name/config.json"
    "$BUILD/t/tools/formula" <"$F/frames-$name.txt" >"$TMP/frames"
    clipscore -m "$TMP/$name" -p 'a cat playing' --embeds <"$TMP/frames" >"$TMP/embeds"
    close_to "$name: pictures" --rel 1e-4 "$TMP/embeds:image_embeds" "$F/golden.safetensors:$name.image_embeds"
    close_to "$name: text" --rel 1e-4 "$TMP/embeds:text_embeds" "$F/golden.safetensors:$name.text_embeds"
done
done_testing
