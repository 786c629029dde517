#!/bin/sh
# wan-encode-text: sentencepiece ids, the negative prompt, metadata, options, bad input.
. "$(dirname "$0")/tap.sh"
M=$ROOT/fixtures/random SPM=$ROOT/fixtures/spm

# ---- ids ----

# A model's directory without config.json: text_len is 512.
mkdir -p "$TMP/m/google/umt5-xxl"
cp "$M/google/umt5-xxl/spiece.model" "$TMP/m/google/umt5-xxl"
print_ids() { wan-encode-text -m "${1:-$TMP/m}" --print-ids; }

# ids.txt is what sentencepiece makes of prompts.txt with its curly quotes. Cleaning would make these
# straight; as numeric references without a semicolon they pass it.
sed 's/“/\&#8220/g; s/”/\&#8221/g' "$SPM/prompts.txt" | print_ids >"$TMP/ids"
is "$(grep -c ' 2$' "$TMP/ids")" 150 "each line ends with the end token"
sed 's/ 2$//' "$TMP/ids" >"$TMP/pieces"
is "$(diff "$TMP/pieces" "$SPM/ids.txt" | grep -c '^<')" 0 "ids of 150 multilingual lines"
grep -n '[“”]' "$SPM/prompts.txt" | cut -d: -f1 | sed 's/$/d/' >"$TMP/curly"
sed -f "$TMP/curly" "$SPM/ids.txt" >"$TMP/wanted"
grep -v '[“”]' "$SPM/prompts.txt" | print_ids | sed 's/ 2$//' | cmp -s - "$TMP/wanted"
ok $? "the $(wc -l <"$TMP/wanted") lines without curly quotes, as they stand"
is "$(echo '“x”' | print_ids)" "$(echo '"x"' | print_ids)" "curly quotes become straight ones"

long=$(yes fox | head -n 600 | tr '\n' ' ')
echo "$long" | print_ids >"$TMP/long" 2>"$TMP/err"
is "$(wc -w <"$TMP/long")" 512 "a long prompt is cut to 512 tokens"
like "$(cat "$TMP/long")" "* 2" "keeping the end token"
like "$(cat "$TMP/err")" "wan-encode-text: warning: line 1 has * tokens, cut to 512" "with a warning"
is "$(echo "$long" | print_ids "$M" 2>/dev/null | wc -w)" 64 "config.json's text_len counts"
is "$(echo '3  4 1' | wan-encode-text -m "$TMP/m" --token-ids --print-ids)" "3 4 1" "--token-ids: ids are read"

# ---- documents ----

printf 'a red fox\n\nsnow & ice \n' |
    wan-encode-text -q -m "$M" -n 'blurred' --stats "$TMP/stats" | tee "$TMP/two" |
    tensor-split "$TMP/1" "$TMP/2"
ok $? "two prompts, one blank line"
wan-encode-text -m "$M" -n 'blurred' <<'END' | cmp -s - "$TMP/two"
a red fox
snow & ice 
END
ok $? "a blank line leaves no trace"
n=$(echo 'a red fox' | print_ids | wc -w)
like "$(tensor-info "$TMP/1")" "*prompt: a red fox*negative_prompt: blurred*context *F32 *[[]$n, 64]*" \
    "context has a row for each token, and the metadata have the prompts"
like "$(tensor-info "$TMP/2")" "*prompt: snow & ice *" "prompts are kept as given"
like "$(tensor-info "$TMP/1")" '*wan-encode-text*version*device*weights*' "provenance"
echo 'snow & ice' | wan-encode-text -m "$M" -n blurred >"$TMP/alone"
close_to "a prompt by itself" --rel 1e-5 "$TMP/alone:context" "$TMP/2:context"
echo 'a red fox' | wan-encode-text -m "$M" --wait -n blurred >"$TMP/waited"
close_to "--wait" --rel 1e-5 "$TMP/waited" "$TMP/1"

# Twenty prompts, as many as an experiment has: the weights are loaded once.
head -n 20 "$SPM/prompts.txt" | wan-encode-text -q -m "$M" --stats "$TMP/stats" >"$TMP/twenty"
like "$(tr -d ' \n' <"$TMP/stats")" '*"weight_loads":1,*"documents":20,*' \
    "20 prompts: 20 documents, weights loaded once"

# ---- the negative prompt ----

negative_of() { echo fox | wan-encode-text -q -m "$M" "$@" >"$TMP/n"; }
default=$(cat "$ROOT/pipelines/negative.txt")
negative_of
close_default() {
    negative_of "$@"
    case $(tensor-info "$TMP/n") in *"negative_prompt: $default"*) return 0 ;; esac
    return 1
}
close_default
ok $? "the default negative prompt is pipelines/negative.txt"
close_default -n ''
ok $? "an empty one is the default, as in the reference"
printf 'worst\r\n' >"$TMP/worst"
negative_of --negative-file "$TMP/worst"
cp "$TMP/n" "$TMP/file"
negative_of -n worst
close_to "--negative-file is -n from a file" --abs 0 "$TMP/file:context_null" "$TMP/n:context_null"
negative_of -n ' '
like "$(tensor-info "$TMP/n")" '*context_null *F32 *[[]1, 64]*' "one blank is an empty negative prompt"

mkdir -p "$TMP/prefix/bin" "$TMP/prefix/share/wan"
cp "$BUILD/wan-encode-text" "$TMP/prefix/bin"
echo installed >"$TMP/prefix/share/wan/negative.txt"
echo fox | "$TMP/prefix/bin/wan-encode-text" -m "$M" >"$TMP/n"
like "$(tensor-info "$TMP/n")" '*negative_prompt: installed*' "installed, it is in share/wan"

# ---- a tokenizer.json beside spiece.model decides (fixtures/spm/bytes) ----

H=$ROOT/fixtures/spm/bytes
mkdir -p "$TMP/json"
cp "$H/spiece.model" "$H/tokenizer.json" "$TMP/json"
ids_by() { # NAME FILE: the ids of the hard lines, with the tokenizer.json that stands there
    wan-encode-text -m "$TMP/json" --print-ids <"$H/hard.txt" >"$TMP/ids" 2>"$TMP/err"
    is "$(diff "$TMP/ids" "$H/$2" | grep -c '^<')$(cat "$TMP/err")" 0 "$1: as the fast tokenizer's, all $(wc -l <"$H/hard.txt") lines"
}
ids_by "no byte fallback: <unk>" ids.none.txt
sed 's/"byte_fallback": false/"byte_fallback": true/' "$H/tokenizer.json" >"$TMP/json/tokenizer.json"
ids_by "byte fallback" ids.bytes.txt
sed 's/"prepend_scheme": "always"/"prepend_scheme": "first"/' "$H/tokenizer.json" >"$TMP/json/tokenizer.json"
ids_by "a blank before the first word only" ids.first.txt
sed 's/"[lr]strip": false/"rstrip": true, "lstrip": true/' "$H/tokenizer.json" >"$TMP/json/tokenizer.json"
ids_by "added tokens that strip white space" ids.strip.txt
for side in left right; do # it shows only where words are not split at white space first
    tr -d '\n' <"$H/tokenizer.json" | sed 's/{ *"type": "WhitespaceSplit" *},//
        s/"'${side%"${side#?}"}'strip": false/"'${side%"${side#?}"}'strip": true/g' >"$TMP/json/tokenizer.json"
    ids_by "those that strip it on the $side, with Metaspace alone" ids.$side.txt
done
sed 's/"single_word": false/"single_word": true/' "$H/tokenizer.json" >"$TMP/json/tokenizer.json"
ids_by "added tokens that are whole words" ids.word.txt
cp "$H/tokenizer.json" "$TMP/json"
printf '\032\003\012\001x' | cat "$H/spiece.model" - >"$TMP/json/spiece.model" # normalizer_spec { name: "x" }
ids_by "a normalizer_spec with a name but no map does not normalize" ids.none.txt
rm "$TMP/json/spiece.model"
ids_by "a tokenizer.json alone" ids.none.txt
rm "$TMP/json/tokenizer.json"
cp "$H/spiece.model" "$TMP/json"
wan-encode-text -m "$TMP/json" --print-ids <"$H/hard.txt" >"$TMP/ids"
different=$(diff "$TMP/ids" "$H/ids.none.txt" | grep -c '^<')
[ "$different" -gt 20 ]
ok $? "without it sentencepiece decides: $different lines differ"
# The record says which of the two it was.
record() { echo fox | wan-encode-text -q -m "$TMP/m" -n a | tensor-info | grep -e 'tokenizer: ' -e 'ids_by: '; }
cp "$M/models_t5_umt5-xxl-enc-bf16.pth" "$TMP/json"
[ -d "$TMP/m/google" ] && cp -R "$TMP/m" "$TMP/m.kept" && rm -rf "$TMP/m/google"
mkdir -p "$TMP/m/google/umt5-xxl" && cp "$H/spiece.model" "$TMP/m/google/umt5-xxl"
cp "$M/models_t5_umt5-xxl-enc-bf16.pth" "$TMP/m"
like "$(record)" '*ids_by: "sentencepiece"*' "the record says that sentencepiece decided"
record >"$TMP/one"
cp "$H/tokenizer.json" "$TMP/m/google/umt5-xxl"
like "$(record)" '*ids_by: "tokenizer.json, no byte fallback, 9 added"*' "or tokenizer.json"
record >"$TMP/two"
! cmp -s "$TMP/one" "$TMP/two"
ok $? "and their digests differ"
rm -rf "$TMP/m" && mv "$TMP/m.kept" "$TMP/m"
bad_json() { # NAME SED PATTERN
    sed "$2" "$H/tokenizer.json" >"$TMP/json/tokenizer.json"
    fails 1 "wan-encode-text: *tokenizer.json$3" "$1" sh -c "echo fox | wan-encode-text -m '$TMP/json' --print-ids"
}
bad_json "another kind of tokenizer" 's/"Unigram"/"BPE"/' " is of a tokenizer of type 'BPE', not Unigram"
bad_json "an unknown normalizer" 's/"normalizer": null/"normalizer": {"type": "BertNormalizer"}/' " has a normalizer of type BertNormalizer, which is not read"
bad_json "an unknown pre-tokenizer" 's/WhitespaceSplit/ByteLevel/' " has a pre-tokenizer of type ByteLevel, which is not read"
bad_json "no unk_id" 's/"unk_id": 3/"unk_id": null/' ": its vocabulary of * pieces has no unk_id, or is none"
bad_json "no JSON" 's/{//' ": line *"

# ---- what is refused ----

encode() { printf '%b' "$2" | wan-encode-text -m "$1"; }
mkdir "$TMP/none" "$TMP/broken"
cp "$M/models_t5_umt5-xxl-enc-bf16.pth" "$TMP/none"
fails 1 "*cannot find google/umt5-xxl/spiece.model, * in $TMP/none: --tokenizer *" "no tokenizer" \
    encode "$TMP/none" fox
fails 1 "*cannot find models_t5*in $TMP/m" "no weights" encode "$TMP/m" fox
cp -R "$TMP/m/google" "$TMP/broken"
head -c 1000 "$M/google/umt5-xxl/spiece.model" >"$TMP/broken/google/umt5-xxl/spiece.model"
fails 1 "*cannot read $TMP/broken/google/umt5-xxl/spiece.model: *" "a truncated tokenizer" \
    encode "$TMP/broken" fox
cp -R "$M/." "$TMP/broken"
echo '{"text_len": "many"}' >"$TMP/broken/config.json"
fails 1 "*config.json: text_len must be a whole number*" "text_len is no number" \
    encode "$TMP/broken" fox
echo '{' >"$TMP/broken/config.json"
fails 1 "*cannot read $TMP/broken/config.json: *" "config.json is no JSON" encode "$TMP/broken" fox
fails 1 "*standard input has no prompt" "an empty prompt file" encode "$M" ''
fails 1 "*line 2 is not UTF-8" "not UTF-8" encode "$M" 'fox\n\0377\n'
is "$(encode "$M" 'fox\n\0377\n' 2>/dev/null | wc -c)" 0 "and nothing of the batch is written"
fails 1 "*the negative prompt is not UTF-8" "a negative prompt that is not UTF-8" \
    wan-encode-text -m "$M" -n "$(printf '\377')"
fails 1 "*cannot read $TMP/absent: No such file*" "no --negative-file" \
    wan-encode-text -m "$M" --negative-file "$TMP/absent"
: >"$TMP/empty"
fails 1 "*$TMP/empty is empty*" "an empty --negative-file" \
    wan-encode-text -m "$M" --negative-file "$TMP/empty"
full() { echo fox | wan-encode-text -m "$M" >/dev/full; }
fails 1 "*cannot write standard output: No space left on device" "a full disk" full
closed() { (trap '' PIPE; yes fox 2>/dev/null | head -n 2000 | wan-encode-text -q -m "$M") | head -c 10 >/dev/null; }
like "$(closed 2>&1)" "wan-encode-text: *Broken pipe" "a closed pipe"
fails 2 "*-m DIR or -m FILE is needed*" "no -m" wan-encode-text
fails 2 "*no operands are wanted*" "an operand" wan-encode-text -m "$M" prompts.txt
fails 2 "*exclude each other*" "-n and --negative-file" \
    wan-encode-text -m "$M" -n a --negative-file b
done_testing
