#!/bin/sh
# The tensor stream: what we write is read back byte for byte; whatever is cut, malformed or does
# not fit its header is one clear line and exit 1.
. "$(dirname "$0")/tap.sh"

# bytes N: N as 8 bytes, little-endian
bytes() {
    _n=$1 _i=0
    while [ $_i -lt 8 ]; do
        printf "\\$(printf %o $((_n & 255)))"
        _n=$((_n >> 8)) _i=$((_i + 1))
    done
}

# document HEADER N: a document of this header and N bytes of data
document() {
    bytes ${#1}
    printf %s "$1"
    head -c "$2" /dev/zero
}

# refuses PATTERN NAME HEADER N: tensor-info refuses such a document from a pipe
refuses() {
    document "$3" "$4" >"$TMP/bad"
    fails 1 "tensor-info: standard input, document 1: $1" "$2" \
        sh -c 'cat "$0" | tensor-info -v' "$TMP/bad"
}

a='"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}'

# ---- what we write ----

tensor-pick "$GOLDEN:vae.frames[0:2]=frames" "$GOLDEN:vae.z=z" "$GOLDEN:t5.prompt.ids=ids" \
    -k prompt='a "cat", Größe 猫' -k zero= >"$TMP/one"
ok $? "a document is written"
again() { tensor-pick -k prompt='a "cat", Größe 猫' -k zero= "$@"; }
again "$TMP/one" | cmp - "$TMP/one"
ok $? "from a file: re-read and written again, the same bytes"
cat "$TMP/one" | again - | cmp - "$TMP/one"
ok $? "from a pipe: the same bytes"
cat "$TMP/one" | again --wait - | cmp - "$TMP/one"
ok $? "from a pipe with --wait: the same bytes"
is "$(tensor-info -n "$TMP/one" | tr '\n' ' ')" "z ids frames " "wide types are first"
length=$(od -An -td8 -N8 "$TMP/one" | tr -d ' ')
is $(((length + 8) % 64)) 0 "data begin at a multiple of 64"
is "$(head -c 24 "$TMP/one" | tail -c 16)" '{"__metadata__":' "metadata are first"
tensor-diff "$TMP/one:z" "$GOLDEN:vae.z" >/dev/null && tensor-diff --reshape \
    "$TMP/one:ids" "$GOLDEN:t5.prompt.ids" >/dev/null
ok $? "the values are those that went in"

# ---- what we read ----

document "{$a}" 24 >"$TMP/plain"
cat "$TMP/one" "$TMP/plain" "$TMP/one" >"$TMP/three"
is "$(tensor-info -n <"$TMP/three" | tr '\n' ' ')" "z ids frames a z ids frames " \
    "three documents from a file"
is "$(cat "$TMP/three" | tensor-info -n | tr '\n' ' ')" "z ids frames a z ids frames " \
    "three documents from a pipe"
tail -c +$(($(wc -c <"$TMP/one") + 1)) "$TMP/three" | tensor-diff "$TMP/plain" - >/dev/null
is $? 1 "a second document that the other side lacks is a difference"
document '{"b":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"c":{"dtype":"F64","shape":[1],"data_offsets":[3,11]}}' 11 |
    tensor-info -v >"$TMP/out" 2>&1
ok $? "a tensor that is not aligned is read"
document '{"e":{"dtype":"F32","shape":[0,5],"data_offsets":[4,4]},"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"z":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}' 4 >"$TMP/empty"
is "$(tensor-info -n "$TMP/empty" | tr '\n' ' ')" "z s e " "empty tensors and scalars are read"
tensor-pick "$TMP/empty" | tensor-diff - "$TMP/empty" >/dev/null
ok $? "and written"
document '{}' 0 | tensor-info >/dev/null
ok $? "a document without tensors is valid"
document "{$a}   " 24 | tensor-info >/dev/null
ok $? "a padded header is valid"

# ---- cut ----

# cut_at N HOW PATTERN: one whole document, then N bytes of the second, from a pipe or a file
tensor-pick "$GOLDEN:vae.z[0:2]=z" "$GOLDEN:vae.frames[0]=f" "$GOLDEN:t5.prompt.ids=ids" >"$TMP/cut"
size=$(wc -c <"$TMP/cut")
header=$(($(od -An -td8 -N8 "$TMP/cut" | tr -d ' ') + 8))
whole=$(wc -c <"$TMP/plain")
cat "$TMP/plain" "$TMP/cut" >"$TMP/both"
wrong=
cut_at() {
    head -c $((whole + $1)) "$TMP/both" >"$TMP/short"
    if [ "$2" = pipe ]; then
        cat "$TMP/short" | tensor-pick -d 2 - 2>"$TMP/said" >/dev/null
    else
        tensor-info -n <"$TMP/short" 2>"$TMP/said" >/dev/null
    fi
    _rc=$? _said=$(cat "$TMP/said")
    case $_rc:$_said in
    1:tensor-????": standard input, document 2: "$3)
        [ "$(wc -l <"$TMP/said")" -eq 1 ] && return ;;
    esac
    wrong="${wrong:-at $1 of a $2: exit $_rc, '$_said'}"
}
n=1
while [ $n -lt "$header" ]; do
    if [ $n -lt 8 ]; then
        expected="the header's length ends short: $n of 8 bytes"
    else
        expected="the header ends short: $((n - 8)) of $((header - 8)) bytes"
    fi
    cut_at $n pipe "$expected"
    cut_at $n file "$expected"
    n=$((n + 1))
done
is "$wrong" "" "cut at each of the $((header - 1)) bytes of the header, of a pipe and of a file"
wrong=
n=0
while [ $n -lt 50 ]; do
    at=$((header + (size - header - 1) * n / 49))
    cut_at $at pipe "'*' ends short: [0-9]* of [0-9]* bytes"
    cut_at $at file "'*' ends short: [0-9]* of [0-9]* bytes"
    n=$((n + 1))
done
is "$wrong" "" "cut at 50 places of the $((size - header)) bytes of data, of a pipe and of a file"
head -c $(($(wc -c <"$TMP/plain") - 7)) "$TMP/plain" >"$TMP/short"
fails 1 "tensor-info: standard input, document 1: 'a' ends short: 17 of 24 bytes" \
    "the message has the tensor and the bytes" sh -c 'cat "$0" | tensor-info' "$TMP/short"
fails 1 "tensor-info: $TMP/short, document 1: 'a' ends short: 17 of 24 bytes" \
    "and the name of a file" tensor-info "$TMP/short"

# ---- malformed ----

printf '\0\0\0\0\0\0\0\200{}' >"$TMP/bad"
fails 1 "*document 1: no safetensors: a header of 9223372036854775808 bytes is over the limit*" \
    "a header of 2^63 bytes, in a file" tensor-info "$TMP/bad"
fails 1 "*document 1: no safetensors: a header of 9223372036854775808 bytes is over the limit*" \
    "a header of 2^63 bytes, in a pipe" sh -c 'cat "$0" | tensor-info' "$TMP/bad"
(bytes 1048577; printf '{}'; head -c 1048575 /dev/zero | tr '\0' ' ') >"$TMP/long"
fails 1 "*a header of 1048577 bytes is over the limit of 1048576" "a header over 1 MiB in a pipe" \
    sh -c 'cat "$0" | tensor-info' "$TMP/long"
tensor-info "$TMP/long" >/dev/null
ok $? "a file may have it"
(bytes 104857601; printf '{}') >"$TMP/bad"
fails 1 "*a header of 104857601 bytes is over the limit of 104857600" \
    "a header over 100 MiB in a file" tensor-info "$TMP/bad"

refuses "no safetensors: the header does not begin with {" "an empty header" "" 0
refuses "no safetensors: the header does not begin with {" "an array" "[1]" 0
refuses "the header is not JSON: *" "half an object" '{"a":' 0
refuses "the header is not JSON: *" "something behind the object" '{} {}' 0
refuses "the header has a name twice: *" "the same name twice" "{$a,$a}" 24
refuses "the header is not JSON: *" "a name that is not UTF-8" "$(printf '{"\377":{}}')" 0
refuses "'a' is not described by a JSON object" "a tensor that is a number" '{"a":1}' 0
refuses "__metadata__ is not a JSON object" "metadata that are an array" '{"__metadata__":[]}' 0
refuses "__metadata__ 'k' is not a string" "metadata with a number" '{"__metadata__":{"k":1}}' 0
refuses "'a' has no dtype" "no type" '{"a":{"shape":[1],"data_offsets":[0,1]}}' 1
refuses "'a' has the unknown type 'F128'" "an unknown type" \
    '{"a":{"dtype":"F128","shape":[1],"data_offsets":[0,16]}}' 16
refuses "'a' has no shape" "no shape" '{"a":{"dtype":"U8","data_offsets":[0,1]}}' 1
refuses "'a' has 9 dimensions, more than 8" "nine dimensions" \
    '{"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}}' 1
refuses "'a' has a dimension that is not a whole number of 0 or more" "a negative dimension" \
    '{"a":{"dtype":"U8","shape":[-1,-1],"data_offsets":[0,1]}}' 1
refuses "'a' has a dimension that is not a whole number of 0 or more" "a dimension of 1.0" \
    '{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}' 1
refuses "'a' is \[4294967296, 4294967296\]: the product of its dimensions overflows" \
    "a product over 64 bits" \
    '{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}}' 0
refuses "'a' is \[2305843009213693952\]: the product of its dimensions overflows" \
    "a size in bytes over 63 bits" \
    '{"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}}' 0
refuses "the header is not JSON: *" "a dimension over 64 bits" \
    '{"a":{"dtype":"U8","shape":[18446744073709551617],"data_offsets":[0,1]}}' 1
refuses "'a' has no data_offsets of two numbers" "no offsets" '{"a":{"dtype":"U8","shape":[1]}}' 1
refuses "'a' has no data_offsets of two numbers" "three offsets" \
    '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}' 1
refuses "'a' has a data offset that is not a whole number*" "a negative offset" \
    '{"a":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}}' 1
refuses "'a' ends at byte 0, before it begins at 4" "offsets the wrong way round" \
    '{"a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}}' 4
refuses "'a' has 23 bytes, but F32 \[2, 3\] takes 24" "a size that is not shape times type" \
    '{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,23]}}' 23
refuses "'a' begins at byte 4: a gap of 4 bytes behind the header" "a gap at the beginning" \
    '{"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}' 8
refuses "'b' begins at byte 25: a gap of 1 bytes behind a" "a gap" \
    "{$a,\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[25,29]}}" 29
refuses "'b' begins at byte 20, within 'a'" "an overlap" \
    "{$a,\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[20,24]}}" 24
document "{\"a\\nb\\u001b\":1}" 0 >"$TMP/bad"
fails 1 "*'a?b?' is not described*" "a name cannot steer the terminal" tensor-info "$TMP/bad"
fails 1 "tensor-info: standard input is empty" "an empty stream" tensor-info
fails 1 "tensor-info: cannot open $TMP/none: No such file*" "no file" tensor-info "$TMP/none"
fails 1 "tensor-info: cannot read $TMP: Is a directory" "a directory" tensor-info "$TMP"

# A header of 100 bytes that promises 2^50 costs no memory.
document '{"a":{"dtype":"U8","shape":[1125899906842624],"data_offsets":[0,1125899906842624]}}' 100 \
    >"$TMP/bad"
fails 1 "*'a' ends short: 100 of 1125899906842624 bytes" "memory grows with what has arrived" \
    within 100000 sh -c 'cat "$0" | tensor-info -v' "$TMP/bad"

# ---- output that cannot be written ----

fails 1 "tensor-pick: cannot write standard output: No space left on device" "a full disk" \
    sh -c 'exec tensor-pick "$0" >/dev/full' "$TMP/one"
fails 1 "tensor-info: cannot write standard output: No space left on device" \
    "a full disk, for text" sh -c 'exec tensor-info "$0" >/dev/full' "$TMP/one"
fails 1 "tensor-pick: cannot write standard output: Broken pipe" "a closed pipe" \
    sh -c '{ tensor-pick "$0" 3>&1 >&4 4>&-; echo $? >"$1"; } 4>&1 | true; exit "$(cat "$1")"' \
    "$GOLDEN" "$TMP/status"
fails 1 "tensor-pick: cannot write standard output: Bad file descriptor" "a closed output" \
    sh -c 'exec tensor-pick "$0" >&-' "$TMP/one"

# ---- what is kept of a header ----

tensor-pick -k a=1 -k zz=2 "$TMP/one" >"$TMP/kept"
tensor-split "$TMP/sealed" <"$TMP/kept"
tensor-split --pass "$TMP/again" <"$TMP/sealed" >"$TMP/passed"
is "$(tensor-info -j "$TMP/passed" | sed 's/"file":"[^"]*",//')" "$(tensor-info -j "$TMP/kept" | sed 's/"file":"[^"]*",//')" \
    "of a sealed file that passes the seal alone goes"
# blanks FILE: how many end its header, which is as long as its first eight bytes say
blanks() {
    n=$(od -An -tu4 -N 4 "$1" | tr -d ' ')
    dd if="$1" bs=1 skip=8 count="$n" 2>/dev/null | sed 's/.*[^ ]//' | tr -d '\n' | wc -c
}
# A letter of a value is there twice, in the program's record too; a tab is two letters here and three there.
for tab in '' "$(printf '\t')"; do
    tensor-pick -k "k=$tab" "$TMP/one" >"$TMP/short"
    room=$(blanks "$TMP/short")
    [ $((room % 2)) = 1 ] || break
done
tensor-pick -k "k=$tab$(printf "%$((room / 2))s" '' | tr ' ' x)" "$TMP/one" >"$TMP/full"
is "$(blanks "$TMP/full")" 0 "a header that fills its room has no more of it"

done_testing
