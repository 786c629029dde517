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
quickly_refused() { # WHAT PATTERN COMMAND...: in a second, by one line
    what=$1 pattern=$2; shift 2
    ( ulimit -t 1; "$@" > out 2> err < /dev/null )
    is "$?:$(wc -l < err)" 1:1 "$what: refused"
    like "$(cat err)" "$pattern" "$what: why"
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

# A shape of no elements has no loop over its rows: each reader bounds it.
for shape in 1152921504606846976,0 33554432,0 0,4611686018427387904,4611686018427387904 9223372036854775807,3,0; do
    header none.st "{\"w\":{\"dtype\":\"F32\",\"shape\":[$shape],\"data_offsets\":[0,0]}}" 0
    for how in "tensor-info none.st" "tensor-pick none.st" "wan-quantize -q -t int8 -m none.st" "wan-merge -m none.st -l none.st" \
        "wan-denoise -m none.st" "wan-vae-decode -m none.st" "wan-vae-encode -m none.st" "tensor-diff none.st none.st"; do
        # shellcheck disable=SC2086 # words
        quickly_refused "[$shape] of ${how%% *}" "*'w' is \[*\]: *" $how
    done
    quickly_refused "[$shape] on a pipe" "*'w' is \[*\]: *" sh -c 'cat none.st | tensor-info'
done
quickly_refused "as many in a pickle" "*w is \[0, 4611686018427387904, 4611686018427387904\]: *" tensor-info "$ROOT/fixtures/pth/bad-size-empty.pth"
quickly_refused "as many in a GGUF" "*product of its dimensions overflows" tensor-info "$ROOT/t/corpus/gguf/zero-beside-huge"
header empty.st '{"w":{"dtype":"F32","shape":[16777216,0],"data_offsets":[0,0]}}' 0
quickly 1 "of rows that may be are 16 million read" tensor-info -v empty.st

# Of no rows is of no token: what lies behind it in the file is not read for one.
t5=$ROOT/fixtures/random/models_t5_umt5-xxl-enc-bf16.pth
tensor-pick "$t5:token_embedding.weight[0:0]=token_embedding.weight" "$t5:blocks.*" "$t5:norm.*" > t5.st
echo cat > words
one_line "a table of no tokens" "*token_embedding.weight in t5.st is * \[0, 64\]: it has no token*" \
    wan-encode-text -m t5.st --tokenizer "$ROOT/fixtures/random/google/umt5-xxl" < words

# A VAE of 18 widths, all of whose convolutions keep the frames before: there is room for each.
awk 'function put(name, shape,   n, d, i) {
         n = split(shape, d, ","); bytes = 2
         for (i = 1; i <= n; i++) bytes *= d[i]
         printf "%s\"%s\":{\"dtype\":\"F16\",\"shape\":[%s],\"data_offsets\":[%d,%d]}", at ? "," : "{", name, shape, at, at + bytes
         at += bytes
     }
     function conv(name, to, from, k) { put(name ".weight", to "," from "," k); put(name ".bias", to) }
     function residual(prefix, from, to) {
         put(prefix "residual.0.gamma", from ",1,1,1"); conv(prefix "residual.2", to, from, "3,3,3")
         put(prefix "residual.3.gamma", to ",1,1,1"); conv(prefix "residual.6", to, to, "3,3,3")
         if (from != to) conv(prefix "shortcut", to, from, "1,1,1")
     }
     BEGIN {
         conv("conv2", 16, 16, "1,1,1"); conv("decoder.conv1", 8, 16, "3,3,3")
         residual("decoder.middle.0.", 8, 8); residual("decoder.middle.2.", 8, 8)
         put("decoder.middle.1.norm.gamma", "8,1,1")
         conv("decoder.middle.1.to_qkv", 24, 8, "1,1"); conv("decoder.middle.1.proj", 8, 8, "1,1")
         for (i = 0; i < 18; i++) residual("decoder.upsamples." i ".", 8 + 8 * i, 16 + 8 * i)
         put("decoder.head.0.gamma", "152,1,1,1"); conv("decoder.head.2", 3, 152, "3,3,3")
         print "}"; print at > "/dev/stderr"
     }' > widths 2> bytes
header widths.st "$(cat widths)" "$(cat bytes)"
tensor-pick "$GOLDEN:vae.z[0:16]=latents" > latents
wan-vae-decode -q -m widths.st < latents > widened 2> err
is "$?:$(cat err):$(tensor-info -n widened)" "0::frames" "a VAE of 18 widths"

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

# A pipe where a file is expected is read if somebody writes to it, and waited for no longer than three seconds.
tensor-pick "$GOLDEN:vae.frames=frames" > one
wait_for() { # NAME COMMAND...: a pipe of its own, or those that read meet those that write
    what=$1; shift
    mkdir "$what"
    mkfifo "$what/nobody"
    { cd "$what" || exit; timeout 20 "$@" < /dev/null > out 2> err; echo "$?:$(wc -l < err):$(cat err)" > status; } &
}
while IFS= read -r line; do
    # shellcheck disable=SC2086 # words
    wait_for "$(echo "$line" | tr -c 'a-z0-9\n' _)" $line
done <<LINES
tensor-info nobody
tensor-diff nobody ../one
tensor-pick ../one nobody:w
tensor-view -o x.png nobody
tensor-split --by-recipe nobody
wan-denoise -m nobody
wan-encode-text -m nobody
wan-encode-text -m $ROOT/fixtures/random --tokenizer nobody
wan-encode-text -m $ROOT/fixtures/random --negative-file nobody
wan-merge -m nobody -l ../one
wan-merge -m $ROOT/fixtures/random -l nobody
wan-quantize -q -t int8 -m nobody
wan-quantize -q -t int8 -m $ROOT/fixtures/random --ledger nobody
wan-quantize -q -t int8 -m $ROOT/fixtures/random --method gptq --stat nobody
wan-vae-decode -m nobody
wan-vae-encode -m nobody
wan-sensitivity -q -m $ROOT/fixtures/random nobody
framediff nobody ../one
frames2mp4 --by-recipe nobody
pair-check --names nobody . .
pair-tables --names nobody -v a -v b .
wan-recipe digest nobody
wan-recipe plan --keep nobody
wan-check -m nobody
mp42frames nobody
LINES
wait
is "$(grep -L '^1:1:[a-z0-9-]*: .*nobody is a pipe' -- *_nobody*/status; ls -- *_nobody*/status | wc -l)" 25 "a pipe that nobody writes to, or reads, in 25 places"
mkfifo late
{ sleep 1; cat one; } > late &
is "$(tensor-info -n late)" "$(tensor-info -n one)" "a pipe whose writer is late is read"
{ sleep 1; cat late > ledger; } &
timeout 20 wan-quantize -q -t int8 -m "$ROOT/fixtures/random" --ledger late > /dev/null
wait
is "$(head -n 1 ledger | cut -f 1)" name "and one whose reader is late is written"

# A file that is written whole replaces files alone.
mkfifo there
fails 1 "tensor-view: there is there and is not a regular file" "tensor-view replaces no pipe" tensor-view -o there one
fails 1 "frames2mp4: there is there and is not a regular file" "nor does frames2mp4" sh -c 'frames2mp4 there < one'
fails 1 "tensor-split: there is there and is not a regular file" "nor tensor-split" sh -c 'tensor-split there < one'
is "$(find . -maxdepth 1 -name 'there*' -type p)" ./there "it is there still"

# ---- one rule for what goes to a file and to a pipe ----

head -c 65536 /dev/zero | tr '\0' x > most
{ cat most; echo x; } > more
wan-encode-text --print-text < most > out 2> err
is "$?:$(wc -c < out)" 0:65537 "a prompt of 65536 bytes"
for to in "$TMP/out" "|cat"; do
    case $to in \|*) sh -c 'wan-encode-text -m "$0" < more 2> err; echo $? > status' "$ROOT/fixtures/random" | cat > /dev/null ;;
    *) wan-encode-text -m "$ROOT/fixtures/random" < more > "$to" 2> err; echo $? > status ;; esac
    is "$(cat status):$(cat err)" "1:wan-encode-text: line 1 has 65537 bytes: a prompt has at most 65536" "of one more, to $to"
done
fails 1 "*the negative prompt has 65537 bytes*" "nor has the negative one" sh -c 'wan-encode-text -m "$0" --negative-file more < more' "$ROOT/fixtures/random"

# ---- what people open in other programs ----

"$ROOT/t/sample-experiment" sheet 3 2 fp16 w8a16 << LINES
=HYPERLINK("http://h.org","x")
-2+3
$(printf 'abc \342\200\256 cba \342\201\246 x \342\200\250 y')
LINES
for format in html tex md; do
    evalreport -f $format sheet > report.$format
    is "$(grep -c "$(printf '\342\200[\216\217\250-\256]\|\342\201[\246-\251]\|\330\234')" report.$format)" 0 "report.$format: nothing turns the direction of writing"
done
grep -qF 'abc (U+202E) cba (U+2066) x (U+2028) y' report.md
ok $? "such marks stand there by their number"

# A program that others are found beside works alone.
mkdir alone
cp "$BUILD/wan-encode-text" "$BUILD/tensor-info" alone
fails 1 "*negative.txt*--negative-file*" "a program copied alone says what it does not find" \
    sh -c 'echo cat | alone/wan-encode-text -m "$0"' "$ROOT/fixtures/random"
is "$(alone/tensor-info -n one)" "$(tensor-info -n one)" "one that needs nothing works"

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
