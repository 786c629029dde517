#!/bin/sh
# tensor-info, tensor-diff, tensor-pick, tensor-view: what they say, on streams and checkpoints.
. "$(dirname "$0")/tap.sh"
CHECKPOINT=$ROOT/fixtures/random
TAB=$(printf '\t')

bytes() { # N as 8 bytes, little-endian
    _n=$1 _i=0
    while [ $_i -lt 8 ]; do
        printf "\\$(printf %o $((_n & 255)))"
        _n=$((_n >> 8)) _i=$((_i + 1))
    done
}

document() { # HEADER: the beginning of a document
    bytes ${#1}
    printf %s "$1"
}

# ---- tensor-info ----

# F32: 1, -2, 3, 0, NaN, infinity
(document '{"__metadata__":{"prompt":"a cat","p":"{\"steps\":50}"},"x":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}'
    printf '\0\0\200\77\0\0\0\300\0\0\100\100\0\0\0\0\0\0\300\177\0\0\200\177') >"$TMP/x"
like "$(tensor-info "$TMP/x")" "*x, document 1: 1 tensor, 24 bytes*prompt: a cat*steps: 50*x *F32 *\[2, 3\] *24" \
    "tensor-info: a table"
is "$(tensor-info -v -j "$TMP/x" | sed 's/.*"tensors"/"tensors"/')" \
    '"tensors":[{"name":"x","type":"F32","shape":[2,3],"bytes":24,"min":-2.0,"max":3.0,"mean":0.5,"std":1.80277564,"nan":1,"inf":1}]}' \
    "tensor-info: values, as JSON"
is "$(tensor-info -v "$TMP/x" | tail -1 | tr -s ' ')" "x F32 [2, 3] 24 -2 3 0.5 1.8028 1 1" \
    "tensor-info: values, as a table"
is "$(cat "$TMP/x" "$TMP/x" | tensor-info -j | grep -c '"metadata":{"prompt":"a cat","p":')" 2 \
    "tensor-info: a line of JSON a document, metadata in their order"
is "$(tensor-info -n -k '*.bias' "$CHECKPOINT/Wan2.1_VAE.pth" | grep -cv bias)" 0 \
    "tensor-info: a .pth; names by pattern"
like "$(tensor-info "$CHECKPOINT/models_t5_umt5-xxl-enc-bf16.pth")" "*.pth: * tensors, *token_embedding.weight *BF16 *" \
    "tensor-info: BF16 in a .pth"

# A sharded checkpoint: x in one file, y in the other.
mkdir "$TMP/shards"
tensor-pick "$GOLDEN:vae.z=x" >"$TMP/shards/one.safetensors"
tensor-pick "$GOLDEN:vae.raw=y" >"$TMP/shards/two.safetensors"
echo '{"metadata":{},"weight_map":{"x":"one.safetensors","y":"two.safetensors"}}' \
    >"$TMP/shards/model.safetensors.index.json"
is "$(tensor-info -n "$TMP/shards/model.safetensors.index.json" | sort | tr '\n' ' ')" "x y " \
    "tensor-info: a sharded checkpoint"
tensor-diff "$TMP/shards/model.safetensors.index.json:y" "$GOLDEN:vae.raw" >/dev/null
ok $? "tensor-diff: a tensor of a sharded checkpoint"
rm "$TMP/shards/two.safetensors"
fails 1 "tensor-info: *two.safetensors*No such file*" "tensor-info: a shard is missing" \
    tensor-info "$TMP/shards/model.safetensors.index.json"

# Types: U8, I8, BOOL, BF16, F16, F8: what 0xc0 0x3f (or two such bytes) is
while read -r type shape min max; do
    (document "{\"x\":{\"dtype\":\"$type\",\"shape\":[$shape],\"data_offsets\":[0,2]}}"
        printf '\300\77') >"$TMP/type"
    is "$(tensor-info -v "$TMP/type" | tail -1 | awk '{ print $5, $6 }')" "$min $max" \
        "tensor-info: values of $type"
done <<END
U8 2 63 192
I8 2 -64 63
BOOL 2 1 1
BF16 1 1.5 1.5
F16 1 1.9375 1.9375
U16 1 16320 16320
I16 1 16320 16320
F8_E4M3 2 -2 1.875
F8_E5M2 2 -2 1.75
END

# What is told by name only.
document '{"a":{"dtype":"C64","shape":[2],"data_offsets":[0,16]},"b":{"dtype":"F8_E4M3FNUZ","shape":[2],"data_offsets":[16,18]}}' >"$TMP/told"
head -c 18 /dev/zero >>"$TMP/told"
like "$(tensor-info -v "$TMP/told")" "*
a     C64          \[2\]                              16            -           -           -           -  - -
b     F8_E4M3FNUZ  \[2\]                               2            -*" "types without values are listed"
is "$(tensor-pick "$TMP/told" | tensor-info -n | tr '\n' ' ')" "a b " "and picked as they are"
for tool in "tensor-pick -t F32" "tensor-view -k a" "tensor-diff $TMP/told"; do
    fails 1 "*told, document 1: [ab] is *, a type whose values are not read" \
        "not by ${tool%% *}, where values are wanted" $tool "$TMP/told"
done
fails 2 "*nothing is converted to C64*" "nor made" tensor-pick -t C64 "$TMP/told"

# A checkpoint of 3 GB, sparse: 1000 tensors of 3 MB.
header=$(awk 'BEGIN {
    printf "{"
    for (i = 0; i < 1000; i++)
        printf "%s\"blocks.%d.weight\":{\"dtype\":\"F16\",\"shape\":[1024,1500],\"data_offsets\":[%.0f,%.0f]}",
            i ? "," : "", i, i * 3072000, (i + 1) * 3072000
    print "}"
}')
document "$header" >"$TMP/big"
truncate -s $((8 + ${#header} + 3072000000)) "$TMP/big"
best=1 runs=0
while [ $runs -lt 10 ] && awk -v s="$best" 'BEGIN { exit !(s >= 0.05) }'; do # others may be busy
    tensor-info --stats "$TMP/stats" "$TMP/big" >"$TMP/out"
    best=$(awk -v best="$best" '/"total"/ { s = $2 + 0; print s < best ? s : best }' "$TMP/stats")
    runs=$((runs + 1))
done
resident=$(awk '/"peak_resident_bytes"/ { print $2 + 0 }' "$TMP/stats")
comment "3 GB: $best s, $resident bytes resident at most"
is "$(wc -l <"$TMP/out")" 1002 "tensor-info: a file of 3 GB"
awk -v s="$best" 'BEGIN { exit !(s > 0 && s < 0.05) }'
figure $? "in less than 50 ms"
[ "$resident" -gt 0 ] && [ "$resident" -lt 30000000 ]
figure $? "and less than 30 MB"
within 60000 tensor-info "$TMP/big" >/dev/null
ok $? "without mapping it"
is "$(tensor-info -n <"$TMP/big" | wc -l)" 1000 "tensor-info: on standard input it is skipped by a seek"
tensor-pick "$TMP/big:blocks.999.weight[5]=row" | tensor-info >"$TMP/out"
ok $? "tensor-pick: a row of it"

# ---- tensor-diff ----

# a: 1 2 4 8, b: 1 2 4 8.5, as F32
(document '{"x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'
    printf '\0\0\200\77\0\0\0\100\0\0\200\100\0\0\0\101') >"$TMP/a"
(document '{"x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'
    printf '\0\0\200\77\0\0\0\100\0\0\200\100\0\0\10\101') >"$TMP/b"
is "$(tensor-diff "$TMP/a" "$TMP/b")" \
    "x${TAB}differs${TAB}abs 0.5${TAB}rel 0.0518${TAB}same 0.75" "tensor-diff: a line"
# diff STATUS NAME ARGUMENTS...
diff() {
    _wanted=$1 _name=$2; shift 2
    tensor-diff "$@" >"$TMP/out" 2>&1
    is $? "$_wanted" "tensor-diff: $_name"
}
diff 0 "the same" "$TMP/a" "$TMP/a"
diff 1 "not the same" "$TMP/a" "$TMP/b"
diff 0 "abs within" --abs 0.5 "$TMP/a" "$TMP/b"
diff 1 "abs over" --abs 0.499 "$TMP/a" "$TMP/b"
diff 0 "rel within" --rel 0.052 "$TMP/a" "$TMP/b"
diff 1 "rel over" --rel 0.0517 "$TMP/a" "$TMP/b"
diff 0 "share within" --same 0.75 "$TMP/a" "$TMP/b"
diff 1 "share over" --same 0.76 "$TMP/a" "$TMP/b"
diff 1 "all bounds must hold" --abs 1 --same 0.76 "$TMP/a" "$TMP/b"
diff 1 "a NaN passes no bound, not even against itself" --abs 1000 --rel 1000 --same 0 "$TMP/x" "$TMP/x"
diff 1 "a tensor that one side lacks" --abs 1000 "$GOLDEN" "$TMP/a"
like "$(tensor-diff --abs 1000 "$TMP/a" "$GOLDEN" | head -1)" "x${TAB}differs${TAB}missing from *golden*" \
    "tensor-diff: is named"
cat "$TMP/a" "$TMP/a" | tensor-diff --abs 1 - "$TMP/a" >"$TMP/out"
is $? 1 "tensor-diff: more documents on one side"
cat "$TMP/a" "$TMP/a" >"$TMP/aa"
cat "$TMP/a" "$TMP/b" | tensor-diff "$TMP/aa" - >"$TMP/out"
is $? 1 "tensor-diff: the second documents differ"
is "$(cut -f 2 "$TMP/out" | tr '\n' ' ')" "ok differs " "tensor-diff: documents in pairs"
tensor-pick -t F64 "$TMP/a" >"$TMP/a64"
diff 0 "another type, the same values" "$TMP/a64" "$TMP/a"
diff 0 "a name on one side" "$TMP/a:x" "$TMP/a"
tensor-pick "$TMP/a:x=y" >"$TMP/y"
diff 0 "other names" "$TMP/a:x" "$TMP/y:y"
cp "$TMP/a" "$TMP/with:colon"
diff 0 "a colon in the file's name" "$TMP/with:colon:x" "$TMP/a:x"
diff 1 "another shape" --abs 1000 "$GOLDEN:vae.frames" "$GOLDEN:vae.raw"
like "$(cat "$TMP/out")" "*shape \[9, 64, 80, 3\], not \[3, 9, 64, 80\]" "tensor-diff: both are named"
diff 0 "another shape with --reshape" --reshape --abs 1000 "$GOLDEN:vae.frames" "$GOLDEN:vae.raw"
diff 1 "another count with --reshape" --reshape --abs 1000 "$GOLDEN:vae.frames" "$GOLDEN:vae.z"
diff 1 "other metadata" --metadata --abs 1000 "$TMP/a" "$TMP/y"
diff 0 "the same metadata" --metadata "$TMP/y" "$TMP/y"
# U8: 0 255 against 0 254: mean square 0.5, PSNR 10 log10(255^2 / 0.5)
for last in 377 376; do
    (document '{"f":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}'; printf "\\0\\$last") >"$TMP/u$last"
done
like "$(tensor-diff "$TMP/u377" "$TMP/u376")" "*${TAB}psnr 51.14" "tensor-diff: PSNR of U8"
fails 1 "tensor-diff: $TMP/a, document 1 has no tensor 'nix'" "tensor-diff: no such tensor" \
    tensor-diff "$TMP/a:nix" "$TMP/a"
fails 1 "tensor-diff: cannot open $TMP/nix: *" "tensor-diff: no such file" \
    tensor-diff "$TMP/nix:x" "$TMP/a"
fails 2 "tensor-diff: two operands*" "tensor-diff: one operand" tensor-diff "$TMP/a"
fails 2 "tensor-diff: standard input*" "tensor-diff: - twice" tensor-diff - -
fails 2 "tensor-diff: --same is from 0 to 1*" "tensor-diff: a share over 1" \
    tensor-diff --same 2 "$TMP/a" "$TMP/a"

# ---- tensor-diff --per-document ----

# A trace: documents of steps; that of the other variant. Its first has no sigma, the other's has.
tensor-pick "$TMP/a" -k seed=7 -k step=1 -k timestep=999 >"$TMP/a1"
tensor-pick "$TMP/a" -k seed=7 -k step=2 -k timestep=500.5 -k sigma=0.5 >"$TMP/a2"
tensor-pick "$TMP/b" -k step=1 -k sigma=0.999 >"$TMP/b1"
tensor-pick "$TMP/a" -k step=2 >"$TMP/b2"
cat "$TMP/a1" "$TMP/a2" >"$TMP/trace.a"
cat "$TMP/b1" "$TMP/b2" >"$TMP/trace.b"
tensor-diff --per-document "$TMP/trace.a" "$TMP/trace.b" >"$TMP/table"
is $? 1 "tensor-diff --per-document: without bounds all must be identical"
is "$(head -n 1 "$TMP/table" | tr '\t' ' ')" \
    "document seed step timestep sigma tensor result rel abs cosine same psnr nan" "a header line"
is "$(cut -f 1-7,9,11- "$TMP/table" | sed 1d | tr '\t\n' ',/')" \
    "1,7,1,999,0.999,x,differs,0.5,0.75,,0/2,7,2,500.5,0.5,x,ok,0,1,,0/" \
    "a row a document, with what its metadata say"
# 1 2 4 8 and 1 2 4 8.5: squares 85 and 93.25, product 89
is "$(cut -f 8,10 "$TMP/table" | sed 1d | awk '{
    rel = $1 - (NR == 1 ? 0.5 / sqrt(93.25) : 0); c = $2 - (NR == 1 ? 89 / sqrt(85 * 93.25) : 1)
    if (rel * rel > 1e-28 || c * c > 1e-28) print }')" "" "relative L2 and cosine"
tensor-diff --per-document -s 0 "$TMP/trace.a" "$TMP/trace.b" >/dev/null
ok $? "-s 0 measures without judging"
tensor-pick "$TMP/b" -k seed=8 -k step=1 -k timestep=998 >"$TMP/c1"
tensor-pick "$TMP/b" -k seed=9 -k step=2 -k timestep=500.5 >"$TMP/c2"
cat "$TMP/c1" "$TMP/c2" >"$TMP/trace.c"
tensor-diff --per-document -s 0 "$TMP/trace.a" "$TMP/trace.c" 2>&1 >/dev/null | sed "s|$TMP/||g" >"$TMP/out"
is "$(cat "$TMP/out")" "tensor-diff: warning: trace.a, document 1 is of seed 7, but of 8 in trace.c
tensor-diff: warning: trace.a, document 1 is of timestep 999, but of 998 in trace.c" \
    "what is not of one seed and timestep is told of, once"
tensor-diff --per-document -s 0 "$TMP/x" "$TMP/x" >"$TMP/out"
is "$?:$(tail -n 1 "$TMP/out" | cut -f 13)" 1:1 "but for NaN"
tensor-diff --per-document "$TMP/u377" "$TMP/u376" | tail -n 1 | cut -f 12 | grep -q '^51.14'
ok $? "PSNR of U8"
tensor-diff --per-document "$TMP/a:x" "$TMP/y:y" >"$TMP/out"
is "$?:$(tail -n 1 "$TMP/out" | cut -f 6)" 0:x "other names, if they are given"
mkfifo "$TMP/fifo.a" "$TMP/fifo.b"
cat "$TMP/trace.a" >"$TMP/fifo.a" &
cat "$TMP/trace.b" >"$TMP/fifo.b" &
tensor-diff --per-document "$TMP/fifo.a" "$TMP/fifo.b" | cmp -s - "$TMP/table"
ok $? "two FIFOs"
wait
# A row is there before the second documents are: both wait until it was read.
{ cat "$TMP/a1"; read -r _ <"$TMP/fifo.a"; cat "$TMP/a2"; } >"$TMP/fifo.b" &
tensor-diff --per-document -s 0 "$TMP/fifo.b" "$TMP/trace.b" | {
    read -r _; read -r first; echo go >"$TMP/fifo.a"; cat >/dev/null; echo "$first" | cut -f 1,3; } >"$TMP/out"
is "$(cat "$TMP/out")" "1${TAB}1" "rows come while the streams go on"
wait
# 40 documents of 4 MB through pipes, within 60 MB of addresses
head -c 4000000 /dev/zero >"$TMP/zeros"
(document '{"v":{"dtype":"F32","shape":[1000000],"data_offsets":[0,4000000]}}'; cat "$TMP/zeros") >"$TMP/one"
many() { for _i in 1 2 3 4 5 6 7 8 9 10; do cat "$TMP/one" "$TMP/one" "$TMP/one" "$TMP/one"; done; }
many >"$TMP/fifo.a" &
many >"$TMP/fifo.b" &
within 60000 tensor-diff --per-document "$TMP/fifo.a" "$TMP/fifo.b" >"$TMP/out"
is "$?:$(wc -l <"$TMP/out")" 0:41 "a pair of documents is in memory at a time"
wait
rm "$TMP/zeros" "$TMP/one"
fails 1 "tensor-diff: $TMP/a1 has 1 documents, $TMP/trace.b has more" "a stream that is shorter" \
    tensor-diff --per-document "$TMP/a1" "$TMP/trace.b"
is "$(wc -l <"$TMP/.out")" 2 "after the rows of those that both have"
fails 1 "tensor-diff: $TMP/b1 has 1 documents, $TMP/trace.a has more" "or longer" \
    tensor-diff --per-document "$TMP/trace.a" "$TMP/b1"
fails 1 "tensor-diff: $TMP/y, document 1 has no tensor 'x', but $TMP/a has" "other names" \
    tensor-diff --per-document "$TMP/a" "$TMP/y"
fails 1 "tensor-diff: $TMP/a2, document 1 is of step 2, but of step 1 in $TMP/b1" "other steps" \
    tensor-diff --per-document "$TMP/a2" "$TMP/b1"
fails 1 "tensor-diff: $GOLDEN, document 1: vae.frames is \[9, 64, 80, 3\], but \[3, 9, 64, 80\] in $GOLDEN" \
    "another shape" tensor-diff --per-document "$GOLDEN:vae.frames" "$GOLDEN:vae.raw"
fails 2 "tensor-diff: --per-document has no rows for --metadata*" "not with --metadata" \
    tensor-diff --per-document --metadata "$TMP/a" "$TMP/a"

# ---- tensor-pick ----

tensor-pick "$GOLDEN:vae.frames[1:3]=two" "$GOLDEN:vae.frames[-1]=last" "$GOLDEN:vae.z" \
    -k a=b=c -k d= >"$TMP/picked"
is "$(tensor-info -j "$TMP/picked" | sed 's/.*"tensors"/"tensors"/')" \
    '"tensors":[{"name":"vae.z","type":"F32","shape":[16,3,8,10],"bytes":15360},{"name":"two","type":"U8","shape":[2,64,80,3],"bytes":30720},{"name":"last","type":"U8","shape":[64,80,3],"bytes":15360}]}' \
    "tensor-pick: names, ranges"
like "$(tensor-info -j "$TMP/picked")" '*"metadata":{"a":"b=c","d":"","tensor-pick":*' \
    "tensor-pick: metadata"
tensor-pick "$GOLDEN:vae.frames" | tensor-pick -- '-:vae.frames[1:3]=two' '-:vae.frames[8]=last' |
    tensor-diff "$TMP/picked:two" - >/dev/null
ok $? "tensor-pick: from a pipe, twice"
is "$(tensor-pick "$GOLDEN:t5.*.ids" | tensor-info -n | tr '\n' ' ')" \
    "t5.negative.ids t5.prompt.ids " "tensor-pick: by pattern"
tensor-pick "$CHECKPOINT/Wan2.1_VAE.pth" >"$TMP/vae"
tensor-diff "$TMP/vae" "$CHECKPOINT/Wan2.1_VAE.pth" >/dev/null
ok $? "tensor-pick: a .pth whole"
tensor-pick -t F16 "$GOLDEN:vae.z" | tensor-diff --rel 5e-4 - "$GOLDEN:vae.z" >/dev/null
ok $? "tensor-pick: F32 to F16"
tensor-pick -t F64 "$GOLDEN:vae.frames" | tensor-pick -t U8 - | tensor-diff - "$GOLDEN:vae.frames" >/dev/null
ok $? "tensor-pick: U8 to F64 and back"
tensor-pick -d 2 "$TMP/aa" | tensor-diff - "$TMP/a" >/dev/null
ok $? "tensor-pick: the second document"
fails 1 "tensor-pick: *has no document 3, only 2" "tensor-pick: the third of two" tensor-pick -d 3 "$TMP/aa"
fails 1 "tensor-pick: *has no tensor 'nix'" "tensor-pick: no such tensor" tensor-pick "$TMP/a:nix"
fails 1 "tensor-pick: two tensors would be named 'x'" "tensor-pick: a name twice" \
    tensor-pick "$TMP/a" "$TMP/b"
fails 1 "tensor-pick: \[2:5\] is not within 'x' \[4\] of *" "tensor-pick: a range too far" \
    tensor-pick "$TMP/a:x[2:5]"
fails 1 "tensor-pick: \[3:2\] is not within*" "tensor-pick: a range backwards" tensor-pick "$TMP/a:x[3:2]"
fails 1 "tensor-pick: \[1-2\] is no range*" "tensor-pick: not a range" tensor-pick "$TMP/a:x[1-2]"
fails 1 "tensor-pick: 'x' has 8.5, which I8 cannot hold" "tensor-pick: integers are exact" \
    tensor-pick -t I8 "$TMP/b"
fails 2 "tensor-pick: there is no type 'F17'*" "tensor-pick: no such type" tensor-pick -t F17 "$TMP/a"
fails 2 "tensor-pick: -k takes KEY=VALUE*" "tensor-pick: a key without a value" \
    tensor-pick -k key "$TMP/a"

# ---- tensor-view ----

if ! have ffmpeg; then
    skip "there is no ffmpeg" "tensor-view"
    done_testing
    exit
fi
# pixels PNG: its RGB bytes in hexadecimal, in one line
pixels() { ffmpeg -v error -i "$1" -f rawvideo -pix_fmt rgb24 - | od -An -v -tx1 | tr -d ' \n'; }
size() { od -An -v -tx1 -j 16 -N 8 "$1" | tr -d ' \n'; }

(document '{"frames":{"dtype":"U8","shape":[2,1,2,3],"data_offsets":[0,12]}}'
    printf '\1\2\3\4\5\6\7\10\11\12\13\14') >"$TMP/frames"
tensor-view -p 16 -c 1 "$TMP/frames" -o "$TMP/frames.png"
ok $? "tensor-view: frames"
is "$(size "$TMP/frames.png")" 0000000e00000010 "tensor-view: enlarged, one below the other"
is "$(pixels "$TMP/frames.png" | cut -c 1-84)" \
    "$(printf '010203%.0s' 1 2 3 4 5 6 7; printf '040506%.0s' 1 2 3 4 5 6 7)" \
    "tensor-view: colours are the values"
is "$(pixels "$TMP/frames.png" | tail -c 84)" "$(printf '070809%.0s' 1 2 3 4 5 6 7; printf '0a0b0c%.0s' 1 2 3 4 5 6 7)" "tensor-view: those of the second"
# [3, T, H, W], not as high as wide: of two pictures of two lines the first pixel is red and the last.
one='\0\0\200\77' four='\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' nil='\0\0\0\0'
(document '{"video":{"dtype":"F32","shape":[3,2,2,4],"data_offsets":[0,192]}}'
    printf "$one$nil$nil$nil$four$four$nil$nil$nil$one$four$four$four$four$four$four$four$four") >"$TMP/video"
tensor-view -q -r 0,1 -p 16 -c 1 "$TMP/video" >"$TMP/video.png"
pixels "$TMP/video.png" | sed 's/000000//g' >"$TMP/red"
is "$(pixels "$TMP/video.png" | cut -c 1-18)$(pixels "$TMP/video.png" | tail -c 18)$(sed 's/ffffff//g; s/808080//g' "$TMP/red" | tr -d '\n' | wc -c)" \
    "ff0000ff0000ff0000ff0000ff0000ff0000252" "tensor-view: channels first"
(document '{"m":{"dtype":"I8","shape":[1,4],"data_offsets":[0,4]}}'; printf '\201\0\177\1') >"$TMP/m"
tensor-view "$TMP/m" -p 16 2>"$TMP/said" | cat >"$TMP/m.png"
is "$(cat "$TMP/said")" "tensor-view: m I8 [1, 4] from -127 to 127" "tensor-view: the range is said"
is "$(pixels "$TMP/m.png" | cut -c 1-72)" \
    "$(for c in 053061 f7f7f7 67001f f6f4f4; do printf "$c%.0s" 1 2 3 4; done | cut -c 1-72)" \
    "tensor-view: blue, white, red"
like "$(tensor-view -q "$TMP/x" -p 16 2>&1 >"$TMP/x.png")$(pixels "$TMP/x.png")" "*ff00ff*" \
    "tensor-view: NaN is magenta, -q says nothing"
tensor-view -q "$GOLDEN:unipc.latents" -t 6 -p 100 >"$TMP/latents.png"
ok $? "tensor-view: latents, reduced"
count() { ffprobe -v error -count_frames -show_entries stream=codec_name,width,nb_read_frames -of csv=p=0 "$1"; }
is "$(tensor-pick "$GOLDEN:vae.frames" | tensor-view -q -a 8 -p 64 -o "$TMP/moves.png" && count "$TMP/moves.png")" \
    "apng,40,9" "tensor-view: an animated PNG, a picture a frame"
tensor-view -q -a 2 "$GOLDEN:unipc.latents" -p 200 -o "$TMP/latents.gif"
like "$(count "$TMP/latents.gif")" "gif,*,[1-9]*" "tensor-view: latents as a GIF, their channels at each time"
is "$(tensor-view -q -a 2 -t 2 "$GOLDEN:vae.frames" -p 64 -o "$TMP/two.gif" && count "$TMP/two.gif" | cut -d , -f 3)" 2 "tensor-view: two of its times"
tensor-view -q "$GOLDEN:vae.raw" -o "$TMP/raw.png"
ok $? "tensor-view: floats in colour"
tensor-view -q "$CHECKPOINT/Wan2.1_VAE.pth:conv1.bias" -o "$TMP/vector.png"
ok $? "tensor-view: a vector of a .pth"
fails 1 "tensor-view: *.pth has 194 tensors: choose one with -k*" "tensor-view: which of many" \
    tensor-view "$CHECKPOINT/Wan2.1_VAE.pth"
fails 1 "tensor-view: ffmpeg: *No space left on device" "tensor-view: a full disk, in ffmpeg's words" \
    sh -c 'exec tensor-view -q "$0" >/dev/full' "$TMP/m"
fails 1 "tensor-view: cannot write $TMP/none/m.png.part: *" "tensor-view: no such directory" \
    tensor-view -q "$TMP/m" -o "$TMP/none/m.png"
fails 1 "tensor-view: ffmpeg not found*" "tensor-view: no ffmpeg" \
    env PATH="$TMP" "$BUILD/tensor-view" -q "$TMP/m" -o "$TMP/none.png"
mkdir "$TMP/bin"
printf '#!/bin/sh\nhead -c 100 >/dev/null\necho it broke >&2\necho what followed >&2\nexit 1\n' >"$TMP/bin/ffmpeg"
chmod +x "$TMP/bin/ffmpeg"
fails 1 "tensor-view: ffmpeg: it broke" "tensor-view: ffmpeg dies half way" \
    env PATH="$TMP/bin:$PATH" tensor-view -q "$GOLDEN:vae.frames" -o "$TMP/none.png"
[ ! -e "$TMP/none.png" ] && [ ! -e "$TMP/none.png.part" ]
ok $? "tensor-view: and no file is left"
fails 2 "tensor-view: --range takes LOW,HIGH*" "tensor-view: a range upside down" \
    tensor-view -r 1,0 "$TMP/m"

done_testing
