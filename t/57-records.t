#!/bin/sh
# What decides the bytes is in the record: every option, the weights, what was read. A record that forgets one would
# let make take an old file for the new one.
. "$(dirname "$0")/tap.sh"
cd "$TMP" || exit 1
model=$ROOT/fixtures/random
mkdir other && cp -r "$model"/* other && chmod -R u+w other

# recipe: of the documents on standard input, or all that is there if it is no stream
recipe() { tee said | tensor-info -j 2> /dev/null | tr '{' '\n' | sed -n 's/.*"recipe":"\([^"]*\)".*/\1/p' | tail -n 1; }
# decides INPUT OPTIONS -- COMMAND...: with OPTIONS behind COMMAND the recipe is another
decides() {
    input=$1 options=$2; shift 3
    plain=$("$@" < "$input" | recipe)
    # shellcheck disable=SC2086 # words
    with=$("$@" $options < "$input" 2> err | recipe)
    [ "$plain" ] && [ "$with" ] && [ "$plain" != "$with" ]
    ok $? "$1: $options"
    [ ! -s err ] || comment "$(head -c 200 err)"
}
# same INPUT OPTIONS -- COMMAND...: it is the same
same() {
    input=$1 options=$2; shift 3
    plain=$("$@" < "$input" | recipe)
    # shellcheck disable=SC2086
    is "$("$@" $options < "$input" 2> /dev/null | recipe)" "$plain" "$1: $options does not count"
}

# ---- text ----

echo 'a red fox' > prompts
echo 'two red foxes' > others
echo blurred > negative
encode="wan-encode-text -q -m $model --recipe"
# shellcheck disable=SC2086
{
    $encode < prompts > text
    $encode < others > text2
    $encode -n bad < prompts > text3
    is "$(recipe < text)" "$($encode < prompts | recipe)" "the same text has the same recipe"
    [ "$(recipe < text)" != "$(recipe < text2)" ]
    ok $? "wan-encode-text: the prompt"
    decides prompts '-n bad' -- $encode
    decides prompts '--negative-file negative' -- $encode
    printf '1 2 3\n' > ids
    [ "$(wan-encode-text -q -m "$model" --token-ids -n 4 --recipe < ids | recipe)" != "$(wan-encode-text -q -m "$model" -n 4 --recipe < ids | recipe)" ]
    ok $? "wan-encode-text: --token-ids"
    printf '\1' | dd of=other/models_t5_umt5-xxl-enc-bf16.pth bs=1 seek=300000 conv=notrunc 2> /dev/null
    decides prompts '-m other' -- $encode
}

# ---- latents ----

denoise="wan-denoise -q -m $model --recipe --size 64x64 --frames 5 -s 4"
# shellcheck disable=SC2086
{
    while IFS= read -r options; do decides text "$options" -- $denoise; done << END
-s 5
-g 4
-F 3
-S 2
--size 64x32
--frames 9
--solver euler
--dtype bf16
--rng torch-cpu
--until 2
--schedule diffusers
--timesteps 900,500,200,100
--sigmas 0.9,0.5,0.2,0.1
--skip 2
--guidance-steps 1-2
--skip-layers 0:1-2
--cfg-zero 1
--act int8
--attention int8
END
    printf '\1' | dd of=other/diffusion_pytorch_model.safetensors bs=1 seek=3000000 conv=notrunc 2> /dev/null
    decides text '-m other' -- $denoise
    $denoise < text > latents
    $denoise < text2 > latents2
    $denoise < text3 > latents3
    [ "$(recipe < latents)" != "$(recipe < latents2)" ] && [ "$(recipe < latents)" != "$(recipe < latents3)" ]
    ok $? "wan-denoise: what the text is"
    for options in '--memory 100' '-q' '--progress'; do same text "$options" -- $denoise; done
}

# ---- frames, films, checkpoints ----

decode="wan-vae-decode -q -m $model --recipe"
# shellcheck disable=SC2086
{
    decides latents '--dtype bf16' -- $decode
    decides latents '--raw' -- $decode
    printf '\1' | dd of=other/Wan2.1_VAE.pth bs=1 seek=2000000 conv=notrunc 2> /dev/null
    decides latents '-m other' -- $decode
    $decode < latents > frames
    $decode < latents2 > frames2
    [ "$(recipe < frames)" != "$(recipe < frames2)" ]
    ok $? "wan-vae-decode: what the latents are"
    decides frames '--dtype bf16' -- wan-vae-encode -q -m $model --recipe
    decides frames '--raw' -- wan-vae-encode -q -m $model --recipe
    decides frames '-m other' -- wan-vae-encode -q -m $model --recipe
    if have ffmpeg; then
        decides frames '-r 8' -- frames2mp4 --recipe
        decides frames '-Q 3' -- frames2mp4 --recipe
        [ "$(frames2mp4 --recipe < frames | recipe)" != "$(frames2mp4 --recipe < frames2 | recipe)" ]
        ok $? "frames2mp4: what the frames are"
    else
        skip "there is no ffmpeg" "frames2mp4"
    fi
    quantize="wan-quantize -q -t int8 --recipe -m $model"
    while IFS= read -r options; do decides /dev/null "$options" -- $quantize; done << END
-t fp8-row
-l all
--layer *ffn*=keep
--fake
--layout diffusers
--scale-type weight
--divide
--rotate h256:blocks.*.ffn.0
--rank 8
-m other
END
    same /dev/null '--ledger ledger' -- $quantize
    gzip -dc "$ROOT/fixtures/layouts/wan.safetensors.gz" > wan.safetensors
    gzip -dc "$ROOT/fixtures/layouts/lora-kohya.safetensors.gz" > lora.safetensors
    cp "$ROOT/fixtures/layouts/config.json" .
    merge="wan-merge -q -m wan.safetensors --recipe"
    $merge -l lora.safetensors | recipe > a
    $merge -l lora.safetensors:0.5 | recipe > b
    $merge -l lora.safetensors -t fp32 | recipe > c
    $merge -l lora.safetensors -l lora.safetensors | recipe > d
    is "$(sort -u a b c d | wc -l)" 4 "wan-merge: strengths, types and files"
}

# What is a tensor of others, without a recipe, is known by its values.
tensor-pick "$GOLDEN:vae.z=latents" > one
tensor-pick "$GOLDEN:vae.z[0:16]=latents" -k x=y > same_one
tensor-pick -t BF16 one > rounded && tensor-pick -t F32 rounded > rounded_one
for file in one same_one rounded_one; do wan-vae-decode -q -m "$model" < $file | recipe; done > recipes
is "$(sed -n 1p recipes)" "$(sed -n 2p recipes)" "tensors without a recipe: the same values are the same"
[ "$(sed -n 3p recipes)" ] && [ "$(sed -n 1p recipes)" != "$(sed -n 3p recipes)" ]
ok $? "and other values are others"

# ---- what measures ----

# said COMMAND...: its record is another than that of the command before
before=
said() {
    "$@" > record 2> err
    [ -s record ] && [ "$(cat record)" != "$before" ]
    ok $? "$*"
    before=$(cat record)
}
said flowmag --recipe
said flowmag --recipe --per-pair
said framediff --recipe
said framediff --recipe --per-frame
"$ROOT/fixtures/clip/unpack.sh" clip > /dev/null
said clipscore -m clip --recipe
said clipscore -m clip --recipe -p cat
said clipscore -m clip --recipe --fit pad
said clipscore -m clip --recipe --dtype fp16
done_testing
