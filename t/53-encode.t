#!/bin/sh
# wan-vae-encode against the official encoder: all numbers of frames, types, layouts; what it keeps
# between frames and between documents; what it must refuse.
. "$(dirname "$0")/tap.sh"
. "$ROOT/t/layouts.sh"
cd "$ROOT" || exit 1

MODEL=fixtures/random
VAE=$MODEL/Wan2.1_VAE.pth
MORE=fixtures/encode/golden.safetensors

# first N: so many of the golden's frames
first() { tensor-pick "$MORE:frames[0:$1]=frames"; }
# encode FILE OPTIONS...: FILE as standard input
encode() {
    _input=$1
    shift
    wan-vae-encode "$@" <"$_input"
}

# ---- the numbers ----

tensor-pick "$GOLDEN:vae.raw=video" >"$TMP/video"
for type in fp32 fp16 bf16; do
    wan-vae-encode -m $MODEL --raw --dtype $type <"$TMP/video" >"$TMP/latents"
    close_to "values, $type" --rel "$(bound $type 1e-4 vae.encode)" "$TMP/latents:latents" "$GOLDEN:vae.encode"
done
for n in 1 5 13 16 17; do
    first $n >"$TMP/frames"
    wan-vae-encode -m $MODEL --stats "$TMP/stats$n" <"$TMP/frames" >"$TMP/latents$n" 2>"$TMP/err"
    close_to "$n frames" --rel 1e-4 "$TMP/latents$n:latents" "$MORE:latents.$n"
    if [ $n = 16 ]; then
        is "$(cat "$TMP/err")" \
            "wan-vae-encode: warning: document 1 has 16 frames: the first 13 are encoded, as the reference does" \
            "and a note that the last three are not encoded"
    else
        is "$(cat "$TMP/err")" "" "no word"
    fi
done
close_to "16 frames are 13" "$TMP/latents16:latents" "$TMP/latents13:latents"
first 2 >"$TMP/frames"
wan-vae-encode -q -m $MODEL <"$TMP/frames" >"$TMP/latents" 2>"$TMP/err"
close_to "two frames are one" "$TMP/latents:latents" "$TMP/latents1:latents"
is "$(cat "$TMP/err")" "" "and -q says nothing"
fails 1 "wan-vae-encode: document 1 of standard input has 2 frames, not a multiple of 4 and one more" \
    "--strict" encode "$TMP/frames" -m $MODEL --strict

# ---- layouts and types of the checkpoint ----

first 5 >"$TMP/five"
renamed $VAE vae_names >"$TMP/diffusers.safetensors"
tensor-pick $VAE >"$TMP/vae.safetensors"
for f in diffusers vae; do
    wan-vae-encode -m "$TMP/$f.safetensors" <"$TMP/five" >"$TMP/latents" 2>"$TMP/err"
    close_to "$f.safetensors" "$TMP/latents:latents" "$TMP/latents5:latents"
    is "$(cat "$TMP/err")" "" "no word"
done
for type in F16 BF16; do
    tensor-pick -t $type $VAE >"$TMP/stored.safetensors"
    wan-vae-encode -m "$TMP/stored.safetensors" <"$TMP/five" >"$TMP/latents"
    kind=$(echo $type | sed 's/BF16/bf16/; s/F16/fp16/')
    close_to "a checkpoint in $type" --rel "$(bound $kind 1e-4 vae.encode)" "$TMP/latents:latents" "$MORE:latents.5"
done

# ---- there and back ----

wan-vae-encode -m $MODEL <"$TMP/five" | wan-vae-decode -m $MODEL >"$TMP/back"
like "$(tensor-info "$TMP/back")" '*\[5, 40, 56, 3\]*' "decoded, it has the size and the frames it had"
framediff "$TMP/five" "$TMP/back" >"$TMP/psnr"
ok $? "and framediff takes the two"
comment "$(cut -f 7 "$TMP/psnr" | tail -1) dB, of random weights"

# ---- documents, metadata, memory ----

first 13 >"$TMP/thirteen"
cat "$TMP/thirteen" "$TMP/five" "$TMP/thirteen" | wan-vae-encode -m $MODEL --stats "$TMP/stats" >"$TMP/three"
cat "$TMP/latents13" "$TMP/latents5" "$TMP/latents13" >"$TMP/alone"
cmp -s "$TMP/three" "$TMP/alone"
ok $? "three documents through one pipe: each is what it is alone"
like "$(tr -d ' \n' <"$TMP/stats")" '*"weight_loads":1,*"documents":3,*"frames":31,*' "weights are loaded once"
peak() { sed -n 's/.*"peak_device_bytes": \([0-9]*\).*/\1/p' "$1"; }
is "$(peak "$TMP/stats17")" "$(peak "$TMP/stats5")" "17 frames take the memory of 5"

tensor-pick -k fps=24 -k prompt='a "cat" 猫' -k seed=7 "$TMP/latents5:latents" | wan-vae-decode -m $MODEL >"$TMP/tagged"
wan-vae-encode -m $MODEL --wait <"$TMP/tagged" >"$TMP/latents"
info=$(tensor-info "$TMP/latents")
like "$info" '*fps: 24*' "fps is passed on"
like "$info" '*prompt: a "cat" 猫*' "the prompt is passed on"
like "$info" '*wan-vae-encode:*dtype: "fp32"*raw: false*weights: "????????????????????????????????"*input: "????????????????????????????????"*' "provenance"
wan-vae-encode --recipe -m $MODEL <"$TMP/tagged" >"$TMP/dry"
ok $? "--recipe"
recipe() { tensor-info "$1" | sed -n 's/^ *recipe: //p'; }
is "$(recipe "$TMP/dry")" "$(recipe "$TMP/latents")" "the recipe is what it will be"
wan-vae-encode --recipe -m $MODEL --dtype fp16 <"$TMP/tagged" >"$TMP/dry"
[ "$(recipe "$TMP/dry")" != "$(recipe "$TMP/latents")" ]
ok $? "and another type's is another"

# ---- what is not finite is never written ----

tensor-pick $VAE:encoder.head.2.bias=encoder.head.2.bias >"$TMP/bias"
# A large last bias: in F16 the product that follows has no room.
awk 'BEGIN { for (i = 0; i < 32; i++) printf "\\000\\000\\200\\177" }' >"$TMP/octal"
printf "$(cat "$TMP/octal")" >"$TMP/infinite"
{
    head -c -128 "$TMP/bias"
    cat "$TMP/infinite"
} >"$TMP/bad-bias"
tensor-info --names "$TMP/vae.safetensors" | grep -v '^encoder.head.2.bias' | sed "s,^,$TMP/vae.safetensors:," |
    xargs tensor-pick "$TMP/bad-bias:encoder.head.2.bias" >"$TMP/bad.safetensors"
fails 1 "wan-vae-encode: encoder.head.2.bias in */bad.safetensors has 32 values* not finite*" \
    "infinities in the weights" encode "$TMP/five" -m "$TMP/bad.safetensors"
cp "$TMP/video" "$TMP/nan"
printf '\000\000\300\177' | dd of="$TMP/nan" bs=1 seek=$(($(wc -c <"$TMP/nan") - 4)) conv=notrunc 2>/dev/null
fails 1 "wan-vae-encode: the video of document 1 of standard input has 1 value that is not finite" "a NaN in the values" \
    encode "$TMP/nan" -m $MODEL --raw

# ---- checkpoints ----

# without PATTERN, MORE...: the checkpoint without the tensors of this name, with others
without() {
    _gone=$1
    shift
    tensor-info --names "$TMP/vae.safetensors" | grep -v "^$_gone" |
        sed "s,^,$TMP/vae.safetensors:," | xargs tensor-pick "$@" >"$TMP/cut.safetensors"
}
for name in conv1.bias encoder.head.2.weight encoder.middle.1.proj.bias \
    encoder.downsamples.3.shortcut.weight encoder.downsamples.5.time_conv.weight; do
    without "$name"
    fails 1 "*cut.safetensors has no tensor $name" "without $name" \
        encode "$TMP/five" -m "$TMP/cut.safetensors"
done
without encoder.downsamples.4
fails 1 "*no tensor encoder.downsamples.4.residual.0.gamma" "without a layer in the middle" \
    encode "$TMP/five" -m "$TMP/cut.safetensors"
without encoder
fails 1 "*cut.safetensors has no tensor encoder.downsamples.0.*: it is no Wan video VAE's encoder" "a decoder alone" \
    encode "$TMP/five" -m "$TMP/cut.safetensors"
without conv1.bias "$VAE:encoder.downsamples.0.residual.2.bias=conv1.bias"
fails 1 "*cut.safetensors is a VAE of latents of 4 channels, not 16" "latents of another width" \
    encode "$TMP/five" -m "$TMP/cut.safetensors"
fails 1 "*is Wan's transformer, not Wan's video VAE" "a checkpoint of something else" \
    encode "$TMP/five" -m $MODEL/diffusion_pytorch_model.safetensors

# ---- input ----

: >"$TMP/nothing"
fails 1 "wan-vae-encode: standard input has no document" "no document" encode "$TMP/nothing" -m $MODEL
head -c -100 "$TMP/five" >"$TMP/cut"
fails 1 "wan-vae-encode: *standard input*frames*" "frames cut short" encode "$TMP/cut" -m $MODEL
is "$(wc -c <"$TMP/.out")" 0 "and nothing is written"
tensor-pick "$MORE:frames=other" >"$TMP/other"
fails 1 "*standard input*no tensor 'frames'*" "no frames" encode "$TMP/other" -m $MODEL
fails 1 "*standard input*no tensor 'video'*" "no video for --raw" encode "$TMP/five" -m $MODEL --raw
tensor-pick -t F32 "$MORE:latents.5[0:3]=video" >"$TMP/other"
fails 1 "*are 7x5: sides must be multiples of 8*" "a video of odd sides" encode "$TMP/other" -m $MODEL --raw
fails 1 "*standard input*no tensor 'frames'*" "a video without --raw" encode "$TMP/video" -m $MODEL
printf '{"frames":{"dtype":"U8","shape":[0,8,8,3],"data_offsets":[0,0]}}' >"$TMP/header"
{ printf '\100\000\000\000\000\000\000\000'; cat "$TMP/header"; } >"$TMP/empty"
fails 1 "*frames of document 1*empty*" "no frame" encode "$TMP/empty" -m $MODEL

# ---- output and use ----

fails 1 "wan-vae-encode: *standard output*No space left*" "a full disk" \
    sh -c "wan-vae-encode -m $MODEL <'$TMP/five' >/dev/full"
fails 2 "wan-vae-encode: -m is needed*" "no -m" wan-vae-encode
fails 2 "wan-vae-encode: --dtype is fp32*" "--dtype fp8" wan-vae-encode -m $MODEL --dtype fp8
fails 2 "wan-vae-encode: unwanted operand 'x'*" "an operand" wan-vae-encode -m $MODEL x

done_testing
