#!/bin/sh
# Input of odd sizes, names and fates: answered with a line, in time that grows with its length alone.
. "$(dirname "$0")/tap.sh"
cd "$TMP" || exit 1

# header NAME JSON BYTES: a safetensors file with as many zeros of data
header() {
    printf '%s' "$2" > "$1.json"
    n=$(wc -c < "$1.json")
    { printf "\\$(printf %o $((n % 256)))\\$(printf %o $((n / 256 % 256)))\\$(printf %o $((n / 65536)))\\0\\0\\0\\0\\0"
        cat "$1.json"; head -c "$3" /dev/zero; } > "$1"
}
# quickly SECONDS WHAT COMMAND...: of processor time, which others on the machine do not lengthen
quickly() {
    most=$1 what=$2; shift 2
    ( ulimit -t "$most"; "$@" > out 2> err )
    ok $? "$what, in $most s"
    comment "$(head -c 300 err)"
}
one_line() { # WHAT PATTERN COMMAND...
    what=$1 pattern=$2; shift 2
    "$@" > out 2> err
    is $? 1 "$what"
    like "$(cat err)" "$pattern" "which says what"
    is "$(wc -l < err)" 1 "in one line"
}

header one.st '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' 4
one_line "a name that the format keeps" "*'__metadata__'*safetensors keeps*" tensor-pick one.st:a=__metadata__
header none.st '{"w":{"dtype":"F32","shape":[1152921504606846976,0],"data_offsets":[0,0]}}' 0
quickly 1 "2^60 rows of nothing" tensor-info none.st

# Of no rows is of no token: what lies behind it in the file is not read for one.
t5=$ROOT/fixtures/random/models_t5_umt5-xxl-enc-bf16.pth
tensor-pick "$t5:token_embedding.weight[0:0]=token_embedding.weight" "$t5:blocks.*" "$t5:norm.*" > t5.st
echo cat > words
one_line "a table of no tokens" "*token_embedding.weight in t5.st is * \[0, 64\]: it has no token*" \
    wan-encode-text -m t5.st --tokenizer "$ROOT/fixtures/random/google/umt5-xxl" < words

# Lists of a length that whoever made the file has chosen.
keys=$(awk 'BEGIN { for (i = 0; i < 45000; i++) printf "%s\"key%d\":\"v\"", i ? "," : "", i }')
header keys.st "{\"__metadata__\":{$keys},\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}" 4
quickly 3 "45,000 keys of metadata" tensor-pick keys.st:a
many=$(awk 'BEGIN { for (i = 0; i < 100000; i++)
    printf "%s\"t%d\":{\"dtype\":\"%s\",\"shape\":[4],\"data_offsets\":[%d,%d]}", i ? "," : "", i, "U8", 4 * i, 4 * i + 4 }')
header many.st "{$many}" 400000
quickly 4 "100,000 tensors are picked" tensor-pick many.st
is "$(tensor-info -n many.st | wc -l)" 100000 "and told"
quickly 4 "and compared" tensor-diff many.st many.st
awk 'BEGIN { for (k = 0; k < 2; k++) for (i = 0; i < 200000; i++) printf "%s%d%s", k ? "" : "c", i, i < 199999 ? "," : "\r\n" }' > wide.csv
( ulimit -t 4; pair-stats -c c199999 < wide.csv > out 2> err )
is $? 1 "200,000 columns, none of them a pair's, are looked through in 4 s"

# A checkpoint that becomes shorter while its pages are read: by us, and by the system for us.
cp "$ROOT/fixtures/random/Wan2.1_VAE.pth" "$(printf 'shrinking\033[1m.pth')"
mkfifo pipe
{ tensor-pick shrinking*.pth 2> err; echo $? > status; } > pipe &
exec 3< pipe
head -c 64 <&3 > start
: > "$(echo shrinking*.pth)"
cat <&3 > rest
exec 3<&-
wait
is "$(cat status)" 1 "a file made shorter while it is read"
is "$(cat err)" "tensor-pick: shrinking?[1m.pth became shorter while it was read" "which says what, and steers no terminal"

# A directory that a command names is recorded by the files in it, and a pipe among them has no content.
mkdir directory
echo one > directory/file
wan-recipe record -- cat directory > before
mkfifo directory/pipe
timeout 10 "$BUILD/wan-recipe" record -- cat directory > after
is "$?:$(cat after)" "0:$(cat before)" "a pipe in a directory that is recorded"
echo two > directory/file
is "$(wan-recipe record -- cat directory | cmp -s - before && echo same)" "" "a file in it counts"
done_testing
