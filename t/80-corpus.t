#!/bin/sh
# What fuzzing found worth keeping (t/corpus), through the parsers and through the programs: every
# input is read, or refused in one line; none crashes, leaks or takes 100 MB.
. "$(dirname "$0")/tap.sh"
targets=$(cd "$ROOT/t/fuzz" && ls -- *.c | grep -vE '^(fuzz|held|replay).c$' | sed 's/.c$//')
for target in $targets; do
    [ -x "$BUILD/t/fuzz/$target" ] || skip_all "make fuzz-targets DEVICE=cpu makes the targets: there is no $BUILD/t/fuzz/$target"
    "$ROOT/t/fuzz/corpus" unpack "$target" "$TMP/corpus/$target"
done
cd "$TMP/corpus" || exit 1

for target in $targets; do
    "$BUILD/t/fuzz/$target" "$target"/* >"$TMP/out" 2>"$TMP/err"
    rc=$?
    ok $rc "$target"
    comment "$(cat "$TMP/out")"
    [ $rc -eq 0 ] || comment "$(tail -n 2 "$TMP/err")"
done
is "$(for target in $targets; do [ "$(ls "$target")" ] || echo "$target"; done)" "" "every target has inputs"
is "$(cd "$ROOT/t/corpus" && ls -d -- * | sed 's/.tar.gz$//' | sort -u)" "$(echo "$targets" | sort)" "and what is kept is some target's"

# each NAME FILES -- COMMAND...: exits with 0, or with 1 and one line
each() {
    _name=$1 _files=$2 _wrong='' _read=0 _refused=0
    shift 3
    for file in $_files; do
        "$@" "$file" >"$TMP/out" 2>"$TMP/err" </dev/null
        case $?:$(wc -l <"$TMP/err") in
        0:*) _read=$((_read + 1)) ;;
        1:1) _refused=$((_refused + 1)) ;;
        *) _wrong="$_wrong $file" ;;
        esac
    done
    is "$_wrong" "" "$_name"
    comment "$_read read, $_refused refused"
}
text_of() { wan-encode-text -q --print-text <"$1"; }
model_of() { # a model's directory with this tokenizer
    mkdir -p "$TMP/model/google/umt5-xxl"
    cp "$1" "$TMP/model/google/umt5-xxl/spiece.model"
    echo 'a red ﬁsh' | wan-encode-text -m "$TMP/model" --print-ids
}
each "tensor-info of streams" 'stream/*' -- tensor-info -v
each "tensor-info of checkpoints" 'weights/*' -- tensor-info
each "tensor-pick of checkpoints" 'weights/*' -- tensor-pick
each "wan-quantize of checkpoints" 'weights/*' -- wan-quantize -q -t fp16 -m
each "wan-encode-text of prompts" 'prompts/*' -- text_of
each "wan-encode-text with tokenizers" 'spiece/*' -- model_of

fails 1 "*spiece.model: the trie of its character map leads out of it" \
    "a tokenizer that reads beyond its file" model_of spiece/root-leads-out
done_testing
