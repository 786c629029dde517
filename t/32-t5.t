#!/bin/sh
# wan-encode-text: umT5's encoder against the official code, from token ids.
. "$(dirname "$0")/tap.sh"
M=$ROOT/fixtures/random
prompt_bound=$(bound $(operands bf16) 1e-4 t5.prompt.context)
negative_bound=$(bound $(operands bf16) 1e-4 t5.negative.context)

# ids NAME: a golden tensor of ids as text
ids() {
    tensor-pick "$GOLDEN:$1" >"$TMP/ids"
    header=$(od -An -tu8 -N8 "$TMP/ids" | tr -d ' ')
    od -An -v -td4 -w4 -j $((8 + header)) "$TMP/ids" | tr -s '\n ' ' ' | sed 's/^ //; s/ $//'
}

prompt=$(ids t5.prompt.ids)
negative=$(ids t5.negative.ids)
like "$prompt" '[0-9]* 1' "the golden ids are read, and end with 1"

echo "$prompt" | wan-encode-text -m "$M" --token-ids -n "$negative" >"$TMP/one"
ok $? "from ids"
close_to "context" --rel $prompt_bound "$TMP/one:context" "$GOLDEN:t5.prompt.context"
close_to "context_null" --rel $negative_bound "$TMP/one:context_null" "$GOLDEN:t5.negative.context"

# A batch of sequences of other lengths gives each what it gets by itself.
count() { sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p" "$TMP/stats"; }
{
    echo "$negative"
    echo 5 6 7 1
    echo "$prompt"
    echo 9
} | wan-encode-text -m "$M" --token-ids -n "$negative" --stats "$TMP/stats" |
    tensor-split "$TMP/1" "$TMP/2" "$TMP/3" "$TMP/4"
close_to "in a batch: the negative ids as a prompt" --rel $negative_bound \
    "$TMP/1:context" "$GOLDEN:t5.negative.context"
close_to "in a batch: the prompt" --rel $prompt_bound "$TMP/3:context" "$GOLDEN:t5.prompt.context"
echo 9 | wan-encode-text -m "$M" --token-ids -n 1 >"$TMP/nine"
close_to "in a batch: one token" --rel 1e-6 "$TMP/4:context" "$TMP/nine:context"
is "$(count weight_loads)" 1 "one batch loads the weights once"
is "$(count documents)" 4 "--stats counts documents"
is "$(count tokens)" $(($(echo "$negative $prompt" | wc -w) + 5)) "--stats counts tokens"

# 4096 tokens end a batch: the negative prompt and n1 lines of it fill one.
n1=$(((4096 + $(echo "$negative" | wc -w) - 1) / $(echo "$negative" | wc -w) - 1))
{
    yes "$negative" | head -n $n1
    yes 9 | head -n 3
} | wan-encode-text -m "$M" --token-ids -n "$negative" --stats "$TMP/stats" >"$TMP/all"
ok $? "more than one batch"
is "$(count documents)" $((n1 + 3)) "all lines of all batches"
is "$(count weight_loads)" 2 "two batches load the weights twice"
tensor-split $(seq -f "$TMP/m%g" $((n1 + 3))) <"$TMP/all"
close_to "the last of the first batch" --rel $negative_bound \
    "$TMP/m$n1:context" "$GOLDEN:t5.negative.context"
close_to "one of the second batch" --rel 1e-6 "$TMP/m$((n1 + 2)):context" "$TMP/nine:context"
close_to "and its negative prompt" --rel $negative_bound \
    "$TMP/m$((n1 + 2)):context_null" "$GOLDEN:t5.negative.context"

# Offsets of 128 and more share the last bucket of their direction. The first of the other direction, for an offset of 0
# that lies ahead, is never asked for: whatever stands there, a long prompt's context is the same.
tensor-pick "$M/models_t5_umt5-xxl-enc-bf16.pth" >"$TMP/t5.st"
cp "$TMP/t5.st" "$TMP/unasked.st"
header=$(od -An -tu4 -N 4 "$TMP/t5.st" | tr -d ' ')
for at in $(head -c $((header + 8)) "$TMP/t5.st" | tail -c +9 | tr '}' '\n' |
    sed -n 's/.*pos_embedding[^\[]*"shape":\[32,2\],"data_offsets":\[\([0-9]*\),.*/\1/p'); do # BF16, so row 16 is at 64
    printf '\0\107\0\107' | dd of="$TMP/unasked.st" bs=1 seek=$((8 + header + at + 64)) conv=notrunc 2>/dev/null
done
cmp -s "$TMP/t5.st" "$TMP/unasked.st"
is $? 1 "a table with another first row ahead"
seq 2 181 | paste -s -d ' ' >"$TMP/long"
for f in t5 unasked; do
    wan-encode-text -m "$TMP/$f.st" --token-ids -n 1 <"$TMP/long" >"$TMP/$f.context" 2>"$TMP/err" || comment "$(cat "$TMP/err")"
done
close_to "the last bucket is that of all far offsets" --same 1 "$TMP/t5.context:context" "$TMP/unasked.context:context"

# ---- what is refused ----

encode() { echo "${2-9}" | wan-encode-text -m "$1" --token-ids -n 1; }
mkdir "$TMP/bad" "$TMP/none"
fails 1 "wan-encode-text: cannot find models_t5*in $TMP/none" "no weights" \
    wan-encode-text -m "$TMP/none" --token-ids -n 1
head -c 200000 "$M/models_t5_umt5-xxl-enc-bf16.pth" >"$TMP/bad/models_t5_x.pth"
fails 1 "wan-encode-text: *models_t5_x.pth*" "truncated weights" encode "$TMP/bad"
is "$(encode "$TMP/bad" 2>/dev/null | wc -c)" 0 "and nothing is written"
rm "$TMP/bad/models_t5_x.pth"

# A checkpoint of chosen tensors: $1 is left out, or (with $2) comes from there.
names=$(tensor-info -q "$M/models_t5_umt5-xxl-enc-bf16.pth" | awk '$2 == "BF16" { print $1 }')
checkpoint() {
    for n in $names; do
        [ "$n" = "$1" ] || echo "$M/models_t5_umt5-xxl-enc-bf16.pth:$n"
    done | xargs tensor-pick ${2+"$2"} >"$TMP/bad/umt5.safetensors"
}
checkpoint none
encode "$TMP/bad" >"$TMP/whole"
close_to "the same weights as safetensors" --abs 0 "$TMP/whole:context" "$TMP/nine:context"
checkpoint blocks.1.attn.k.weight
fails 1 "*blocks.1.attn.k.weight*" "a missing tensor is named" encode "$TMP/bad"
checkpoint blocks.1.norm1.weight
fails 1 "*blocks.1.norm1.weight*" "a missing norm is no end of the layers" encode "$TMP/bad"
checkpoint blocks.1.attn.k.weight "$GOLDEN:t5.prompt.context=blocks.1.attn.k.weight"
fails 1 "*blocks.1.attn.k.weight is F32 \[[0-9]*\] *\[128, 64\]*" "a wrong shape is named" \
    encode "$TMP/bad"
checkpoint none
size=$(wc -c <"$TMP/bad/umt5.safetensors")
printf '\377\377' | dd of="$TMP/bad/umt5.safetensors" bs=1 seek=$((size - 2)) conv=notrunc 2>/dev/null
fails 1 "*has 1 values that are not finite*" "NaN in the weights" encode "$TMP/bad"
fails 1 "*: line 1: token 1024 is not in the vocabulary of 1024" "an id over the vocabulary" \
    encode "$M" 1024
fails 1 "*: line 1: '-4' is not a token id" "a negative id" encode "$M" "3 -4"
fails 1 "*: line 1: '99999999999' is not a token id" "a huge id" encode "$M" 99999999999
fails 1 "*: line 1: 'cat' is not a token id" "a word for an id" encode "$M" "3 cat"
fails 1 "*: line 1 has 65 ids, but text_len is 64" "too many ids" \
    encode "$M" "$(yes 5 | head -n 65 | tr '\n' ' ')"
fails 2 "*--token-ids needs*" "ids need the negative prompt's" wan-encode-text -m "$M" --token-ids
done_testing
