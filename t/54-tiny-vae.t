#!/bin/sh
# wan-vae-decode with a tiny autoencoder (fixtures/taehv): what the original's blocks give, what it
# keeps between frames and between documents, and what it must refuse.
. "$(dirname "$0")/tap.sh"
cd "$ROOT" || exit 1

MODEL=fixtures/taehv/tiny.safetensors
THEIRS=fixtures/taehv/golden.safetensors

# decode FILE OPTIONS...: FILE as standard input
decode() {
    _input=$1
    shift
    wan-vae-decode "$@" <"$_input"
}
tensor-pick "$THEIRS:latents" >"$TMP/z"

# first T: so many of the three latent frames; a channel is 3 x 96 bytes
first() {
    _n=$((64 * $1 * 4 * 6))
    _header="{\"latents\":{\"dtype\":\"F32\",\"shape\":[16,$1,4,6],\"data_offsets\":[0,$_n]}}"
    printf "\\$(printf %03o ${#_header})\\000\\000\\000\\000\\000\\000\\000%s" "$_header"
    for c in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
        tail -c $((16 * 288 - c * 288)) "$TMP/z" | head -c $((96 * $1))
    done
}

# ---- the numbers: in 16 bits at most twice PyTorch's own error, which fixtures/taehv/make.py prints ----

for case in fp32:1e-5 fp16:1.4e-3 bf16:1.3e-2; do
    type=${case%:*} bound=${case#*:}
    [ "$(operands "$type")" = fp32 ] && [ "$type" != bf16 ] && bound=1e-5
    wan-vae-decode -m $MODEL --raw --dtype "$type" <"$TMP/z" >"$TMP/raw" 2>"$TMP/err"
    close_to "values, $type" --rel $bound "$TMP/raw:video" "$THEIRS:video"
    is "$(cat "$TMP/err")" "" "no word"
done
wan-vae-decode -m $MODEL <"$TMP/z" >"$TMP/frames"
like "$(tensor-info "$TMP/frames")" '*wan-vae-decode:*weights: "????????????????????????????????"*\[9, 32, 48, 3\]*' \
    "3 latent frames give 9, as the VAE's decoder does"

# ---- what is kept ----

for t in 1 2 3; do
    first $t >"$TMP/z$t"
    wan-vae-decode -m $MODEL --stats "$TMP/stats$t" <"$TMP/z$t" >"$TMP/frames$t"
    tensor-pick "$TMP/frames:frames[0:$((4 * t - 3))]=frames" >"$TMP/begin"
    close_to "$t latent frames give the first $((4 * t - 3)) pictures" "$TMP/frames$t:frames" "$TMP/begin:frames"
done
peak() { sed -n 's/.*"peak_device_bytes": \([0-9]*\).*/\1/p' "$1"; }
is "$(peak "$TMP/stats3")" "$(peak "$TMP/stats2")" "9 frames take the memory of 5"
cat "$TMP/z3" "$TMP/z1" "$TMP/z3" | wan-vae-decode -m $MODEL >"$TMP/three"
cat "$TMP/frames3" "$TMP/frames1" "$TMP/frames3" | cmp -s - "$TMP/three"
ok $? "three documents: each is what it is alone"

# ---- checkpoints ----

tensor-pick $MODEL '-k' some=thing >"$TMP/more.safetensors"
wan-vae-decode -m "$TMP/more.safetensors" <"$TMP/z" | tensor-diff - "$TMP/frames" >/dev/null
ok $? "metadata of the file are of no matter"
# picked MORE...: the tiny one without $gone, with other tensors
picked() {
    tensor-info --names $MODEL | grep -v "^$gone" | sed "s,^,$MODEL:," | xargs tensor-pick "$@" >"$TMP/cut.safetensors"
}
for gone in decoder.1.bias decoder.4.conv.2.weight decoder.13.conv.weight decoder.20.weight decoder.22.bias; do
    picked
    fails 1 "*cut.safetensors has no tensor $gone*" "without $gone" decode "$TMP/z" -m "$TMP/cut.safetensors"
done
gone=decoder.7.conv.weight
picked "$MODEL:decoder.7.conv.weight[0:8]"
fails 1 "*decoder.7.conv.weight in */cut.safetensors makes 8 channels of 16: only one or two frames*" \
    "a product of another height" decode "$TMP/z" -m "$TMP/cut.safetensors"
# The same values under another shape: a kernel in time is none of a picture.
while read -r name shape; do
    reshaped "$name" "$shape" <$MODEL >"$TMP/cut.safetensors"
    fails 1 "*$name*" "$name of shape $shape" decode "$TMP/z" -m "$TMP/cut.safetensors"
done <<'END'
decoder.1.weight [16,16,3,1,3]
decoder.4.conv.0.weight [16,32,3,1,3]
decoder.4.conv.2.weight [16,16,1,3,3]
decoder.8.weight [16,16,1,3,3]
decoder.22.weight [3,8,1,3,3]
END
gone=decoder.1.weight
picked "$MODEL:decoder.8.weight=decoder.1.weight"
wan-vae-decode -m "$TMP/cut.safetensors" <"$TMP/z" >/dev/null
ok $? "another first kernel is another model, and runs"
picked "$MODEL:decoder.20.weight=decoder.1.weight"
fails 1 "*cut.safetensors is a tiny VAE of latents of 8 channels, not 16" "latents of another width" \
    decode "$TMP/z" -m "$TMP/cut.safetensors"
fails 1 "wan-vae-encode: $MODEL has no tensor encoder.downsamples.0.*" "it encodes nothing" \
    sh -c "tensor-pick '$TMP/frames:frames' | wan-vae-encode -m $MODEL"
# On a card there must be two for it to be asked so far.
[ "$DEVICE" = cuda ] && [ "$(nvidia-smi -L 2> /dev/null | wc -l)" -lt 2 ] ||
    fails 1 "wan-vae-decode: a tiny VAE is for one gpu: -G 2 is too many" "-G 2" decode "$TMP/z" -m $MODEL -G 2

done_testing
