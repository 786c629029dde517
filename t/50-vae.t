#!/bin/sh
# wan-vae-decode against the official decoder; what it keeps between frames and between documents;
# checkpoints and latents that it must refuse.
. "$(dirname "$0")/tap.sh"
cd "$ROOT" || exit 1

MODEL=fixtures/random
VAE=$MODEL/Wan2.1_VAE.pth

# document HEADER N: a document of this header, N zeros of data
document() {
    printf "\\$(printf %03o ${#1})\\000\\000\\000\\000\\000\\000\\000%s" "$1"
    head -c "$2" /dev/zero
}

# latents T Y X: zeros
latents() {
    _n=$((64 * $1 * $2 * $3))
    document "{\"latents\":{\"dtype\":\"F32\",\"shape\":[16,$1,$2,$3],\"data_offsets\":[0,$_n]}}" $_n
}

# decode FILE OPTIONS...: FILE as standard input
decode() {
    _input=$1
    shift
    wan-vae-decode "$@" <"$_input"
}

# nan FILE OFFSET: a NaN in the place of the four bytes there
nan() { printf '\000\000\300\177' | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null; }

tensor-pick "$GOLDEN:vae.z=latents" >"$TMP/z"

# ---- the numbers ----

for type in fp32 fp16 bf16; do
    wan-vae-decode -m $MODEL --dtype $type --raw <"$TMP/z" >"$TMP/raw"
    close_to "raw output, $type" --rel "$(bound $type 1e-4 vae.raw)" "$TMP/raw:video" "$GOLDEN:vae.raw"
done
wan-vae-decode -m $MODEL --stats "$TMP/stats" <"$TMP/z" >"$TMP/frames"
close_to "frames" --abs 1 --same 0.999 "$TMP/frames:frames" "$GOLDEN:vae.frames"
tensor-pick $VAE >"$TMP/vae.safetensors"
wan-vae-decode -m "$TMP/vae.safetensors" <"$TMP/z" >"$TMP/again"
close_to "the same weights as safetensors" "$TMP/again:frames" "$TMP/frames:frames"

# One latent frame alone gives the first picture: nothing looks ahead. Each channel is 3 x 320 bytes.
n=$(($(wc -c <"$TMP/z") - 16 * 3 * 320))
{
    latents 1 8 10 | head -c -5120
    for c in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
        tail -c +$((n + 1 + c * 960)) "$TMP/z" | head -c 320
    done
} >"$TMP/z1"
wan-vae-decode -m $MODEL <"$TMP/z1" >"$TMP/first"
tensor-pick "$TMP/frames:frames[0:1]" >"$TMP/first-of-all"
close_to "one latent frame gives the first picture" "$TMP/first:frames" "$TMP/first-of-all:frames"

# ---- documents, metadata, memory ----

cat "$TMP/z" "$TMP/z1" "$TMP/z" | wan-vae-decode -m $MODEL --stats "$TMP/stats3" >"$TMP/three"
cat "$TMP/frames" "$TMP/first" "$TMP/frames" | cmp -s - "$TMP/three"
ok $? "three documents through one pipe: three videos"
for d in 1 3; do
    tensor-pick -d $d "$TMP/three:frames" >"$TMP/one"
    close_to "document $d is what it is alone" "$TMP/one:frames" "$TMP/frames:frames"
done
like "$(tr -d ' \n' <"$TMP/stats3")" '*"weight_loads":1,*"documents":3,*' "weights are loaded once"

tensor-pick -k fps=24 -k prompt='a "cat" 猫' -k seed=7 "$GOLDEN:vae.z=latents" |
    wan-vae-decode -m $MODEL >"$TMP/tagged"
info=$(tensor-info "$TMP/tagged")
like "$info" '*fps: 24*' "fps is passed on"
like "$info" '*prompt: a "cat" 猫*' "the prompt is passed on"
like "$info" '*seed: 7*' "the seed is passed on"
like "$(tensor-info "$TMP/frames")" '*fps: 16*' "fps is 16 where there is none"
like "$info" '*wan-vae-decode:*dtype: "fp32"*raw: false*weights: "????????????????????????????????"*input: "tensors:????????????????????????????????"*' "provenance"

peak() { sed -n 's/.*"peak_device_bytes": \([0-9]*\).*/\1/p' "$1"; }
for t in 2 6; do
    latents $t 8 10 | wan-vae-decode -m $MODEL --stats "$TMP/stats$t" >"$TMP/frames$t"
done
is "$(peak "$TMP/stats6")" "$(peak "$TMP/stats2")" "21 frames take the memory of 5"
like "$(tensor-info "$TMP/frames6")" '*\[21, 64, 80, 3\]*' "6 latent frames give 21"
latents 2 1 3 | wan-vae-decode -m $MODEL --wait | tensor-info >"$TMP/small"
like "$(cat "$TMP/small")" '*\[5, 8, 24, 3\]*' "latents of odd sides"

# ---- what is not finite is never a frame ----

cp "$TMP/z" "$TMP/bad"
nan "$TMP/bad" $((n + 640)) # channel 0, latent frame 2
fails 1 "wan-vae-decode: latent frame 2 of document 1 decodes to * values that are not finite*" \
    "NaN in latent frame 2" decode "$TMP/bad" -m $MODEL
is "$(wc -c <"$TMP/.out")" $(($(wc -c <"$TMP/frames") - 4 * 64 * 80 * 3)) \
    "the frames before it were written, its own were not"
fails 1 "*latent frame 2 of document 1*" "NaN, --raw" decode "$TMP/bad" -m $MODEL --raw
cp "$TMP/vae.safetensors" "$TMP/bad.safetensors"
nan "$TMP/bad.safetensors" $(($(wc -c <"$TMP/bad.safetensors") - 4))
fails 1 "wan-vae-decode: * in */bad.safetensors has 1 value* not finite*" "NaN in the weights" \
    decode "$TMP/z" -m "$TMP/bad.safetensors"

# ---- checkpoints ----

# without PATTERN, MORE...: the checkpoint without the tensors of this name, with others
without() {
    _gone=$1
    shift
    tensor-info "$TMP/vae.safetensors" | awk '$2 == "F32" { print $1 }' | grep -v "^$_gone" |
        sed "s,^,$TMP/vae.safetensors:," | xargs tensor-pick "$@" >"$TMP/cut.safetensors"
}
fails 1 "wan-vae-decode: *nothing.pth*No such file*" "no such file" \
    decode "$TMP/z" -m nothing.pth
mkdir "$TMP/empty"
fails 1 "wan-vae-decode: *Wan2.1_VAE.pth*$TMP/empty*" "a directory without a VAE" \
    decode "$TMP/z" -m "$TMP/empty"
fails 1 "*is Wan's transformer, not Wan's video VAE" "a checkpoint of something else" \
    decode "$TMP/z" -m $MODEL/diffusion_pytorch_model.safetensors
head -c 3000000 $VAE >"$TMP/short.pth"
fails 1 "wan-vae-decode: *short.pth*" "a truncated .pth" decode "$TMP/z" -m "$TMP/short.pth"
head -c 1000000 "$TMP/vae.safetensors" >"$TMP/short.safetensors"
fails 1 "wan-vae-decode: *short.safetensors*" "a truncated .safetensors" \
    decode "$TMP/z" -m "$TMP/short.safetensors"
for name in conv2.bias decoder.head.2.weight decoder.middle.1.proj.bias \
    decoder.upsamples.4.shortcut.weight decoder.upsamples.7.time_conv.weight; do
    without "$name"
    fails 1 "*cut.safetensors has no tensor $name" "without $name" \
        decode "$TMP/z" -m "$TMP/cut.safetensors"
done
without decoder.upsamples.5
fails 1 "*no tensor decoder.upsamples.5.residual.0.gamma" "without a layer in the middle" \
    decode "$TMP/z" -m "$TMP/cut.safetensors"
without decoder.conv1.weight "$VAE:decoder.head.2.weight=decoder.conv1.weight"
fails 1 "*decoder.conv1.weight is F32 \[3, 8, 3, 3, 3\] in *\[*16, 3, 3, 3\] is needed*" \
    "a tensor of the wrong shape" decode "$TMP/z" -m "$TMP/cut.safetensors"

# ---- input ----

: >"$TMP/nothing"
fails 1 "wan-vae-decode: standard input has no document" "no document" \
    decode "$TMP/nothing" -m $MODEL
head -c -100 "$TMP/z" >"$TMP/cut"
fails 1 "wan-vae-decode: *standard input*latents*" "latents cut short" decode "$TMP/cut" -m $MODEL
tensor-pick "$GOLDEN:vae.z=other" >"$TMP/other"
fails 1 "*standard input*no tensor 'latents'*" "no latents" decode "$TMP/other" -m $MODEL
tensor-pick "$GOLDEN:vae.z[0:8]=latents" >"$TMP/other"
fails 1 "*latents*\[8, 3, 8, 10\]*16*" "latents of 8 channels" decode "$TMP/other" -m $MODEL
tensor-pick -t F16 "$GOLDEN:vae.z=latents" >"$TMP/other"
fails 1 "*latents*F16*F32*" "latents of another type" decode "$TMP/other" -m $MODEL
latents 0 8 10 >"$TMP/other"
fails 1 "*latents of document 1*empty*" "no latent frame" decode "$TMP/other" -m $MODEL

# ---- output ----

fails 1 "wan-vae-decode: *standard output*No space left*" "a full disk" \
    sh -c "wan-vae-decode -m $MODEL <'$TMP/z' >/dev/full"
fails 1 "wan-vae-decode: *standard output*Broken pipe" "a closed pipe" \
    sh -c "{ wan-vae-decode -m $MODEL <'$TMP/z' || echo \$? >'$TMP/rc'; } | :; exit \$(cat '$TMP/rc')"

# ---- use ----

fails 2 "wan-vae-decode: -m is needed*" "no -m" wan-vae-decode
fails 2 "wan-vae-decode: --dtype is fp32*" "--dtype fp8" wan-vae-decode -m $MODEL --dtype fp8
fails 2 "wan-vae-decode: unwanted operand 'x'*" "an operand" wan-vae-decode -m $MODEL x

done_testing
