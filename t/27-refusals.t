#!/bin/sh
# Checkpoints that are not a text-to-video model of Wan 2.1: wan-denoise (or the program that would run them) and
# wan-quantize refuse each in one line that says what it is. None is misread.
. "$(dirname "$0")/tap.sh"
cd "$TMP" || exit 1
gzip -dc "$ROOT/fixtures/layouts/wan.safetensors.gz" >wan.safetensors
cp "$ROOT/fixtures/layouts/config.json" .
tensor-pick "$GOLDEN:t5.prompt.context=context" "$GOLDEN:t5.negative.context=context_null" \
    "$GOLDEN:dit.x=latents" >in
b=blocks.0.self_attn.q vae=$ROOT/fixtures/random/Wan2.1_VAE.pth

# number NAME TYPE SHAPE BYTES: a file of one tensor, all bytes 1
number() {
    header='{"'$1'":{"dtype":"'$2'","shape":['$3'],"data_offsets":[0,'$4']}}'
    printf "\\$(printf %03o ${#header})\\0\\0\\0\\0\\0\\0\\0%s" "$header"
    head -c "$4" /dev/zero | tr '\0' '\1'
}
# both NAME PATTERN: bad.safetensors is refused with that message, by wan-denoise and by wan-quantize
both() {
    fails 1 "wan-denoise: $2" "$1" sh -c 'wan-denoise -m bad.safetensors --forward 500 <in'
    fails 1 "wan-quantize: $2" "$1, to be converted" wan-quantize -q -t bf16 -m bad.safetensors
    fails 1 "wan-quantize: $2" "$1, from a pipe" sh -c 'cat bad.safetensors | wan-quantize -q -t bf16'
}
# without NAME FILE..: makes bad.safetensors of the model without that tensor, and of the files
without() {
    _name=$1
    shift
    tensor-info --names wan.safetensors | grep -vxF "$_name" | sed 's/^/wan.safetensors:/' |
        xargs tensor-pick "$@" >bad.safetensors
}

# ---- tensors beside weights ----

while IFS='|' read -r name what; do
    number "$name" F32 1 4 >more
    without nothing more
    both "$name" "*has $name: it is $what"
done <<END
$b.lora_A.weight|a LoRA; merge it into its model first, with wan-merge
$b.lora_down.weight|a LoRA; merge it*
$b.diff_b|a LoRA; merge it*
lora_unet_blocks_0_ffn_0.alpha|a LoRA; merge it*
$b.dora_scale|a DoRA, which is not read
$b.lokr_w1|a LoKr, which is not read
$b.hada_w1_a|a LoHa, which is not read
vace_blocks.0.after_proj.bias|a VACE model; only text-to-video is supported
vace_patch_embedding.bias|a VACE model; only text-to-video is supported
blocks.0.cross_attn.k_img.bias|an image-to-video model; only text-to-video is supported
blocks.0.cross_attn.norm_k_img.weight|an image-to-video model; *
img_emb.proj.0.bias|an image-to-video model; *
condition_embedder.image_embedder.norm1.bias|an image-to-video model; *
blocks.0.to_gate_compress.bias|a model of sparse attention (FastVideo's VSA), which is not supported
control_adapter.conv.bias|a model with a control adapter; *
controlnet_patch_embedding.bias|a model with a control net; *
ref_conv.bias|a model with reference pictures; *
blocks.0.cam_encoder.bias|a model with a camera; *
audio_proj.norm.bias|a model with audio; *
fps_embedding.weight|a model that is told frames a second (SkyReels), *
blocks.0.cross_attn.to_k_ip.bias|a model with reference pictures; *
dwpose_embedding.0.bias|an animation model; *
face_adapter.fuser.bias|an animation model; *
$b.pre_quant_scale|quantized with smoothed activations, which are not computed here
$b.smooth_factor|quantized with smoothed activations, *
$b.qweight|packed in codes of 4 bits (GPTQ, AWQ or the like), which are not read
$b.weight_packed|packed in codes of 4 bits, which are not read
$b.wscales|quantized by SVDQuant, which is not read
$b.weight.quant_state.bitsandbytes__nf4|packed in 4 bits by bitsandbytes, which is not read
$b.SCB|int8 of bitsandbytes, which is not read
$b.weight._data|quantized by optimum-quanto, which is not read
$b.weight_scale_inv|fp8 with a scale for each square of weights, which is not read
END

# ---- weights of other types ----

while read -r type shape bytes pattern; do
    number $b.weight $type $shape $bytes >more
    without $b.weight more
    both "$type for a weight" "$b.weight is $type *[[]${shape%,*}, *in *$pattern"
done <<END
I16 64,64 8192 weights are floats, or I8 with scales
I32 64,64 16384 weights are floats, or I8 with scales
I64 64,64 32768 weights are floats, or I8 with scales
BOOL 64,64 4096 weights are floats, or I8 with scales
U8 64,32 2048 codes of 8 bits are read as I8 alone; U8 is packed, or has a zero point
I8 64,64 4096 but has no scales ($b.weight_scale)
C64 64,64 32768 a type that is not read
F4 64,64 2048 a type that is not read
F8_E8M0 64,64 4096 a type that is not read
F8_E4M3FNUZ 64,64 4096 a type that is not read
END
# A bias or a modulation has no scales: it is floats.
while read -r name type shape bytes; do
    number $name $type $shape "$bytes" >more
    without $name more
    fails 1 "wan-denoise: $name is $type *in bad.safetensors: it must be floats" "$name of $type" \
        sh -c 'wan-denoise -m bad.safetensors --forward 500 <in'
done <<END
blocks.0.ffn.0.bias I8 256 256
blocks.0.ffn.0.bias I32 256 1024
blocks.0.ffn.0.bias C64 256 2048
patch_embedding.bias U8 64 64
blocks.0.modulation BOOL 1,6,64 384
head.modulation F8_E8M0 1,2,64 128
blocks.0.norm3.bias I64 64 512
END
number model.diffusion_model.img_emb.proj.0.bias F32 1 4 >more
tensor-info --names wan.safetensors | sed 's/.*/wan.safetensors:&=model.diffusion_model.&/' |
    xargs tensor-pick more >bad.safetensors
both "an image-to-video model with a prefix" "*has model.diffusion_model.img_emb.proj.0.bias: it is an image-to-video model; *"
number model.diffusion_model.double_blocks.0.img_attn.qkv.weight F32 4,4 64 >bad.safetensors
both "Flux with a prefix" "*: it is a model of the Flux or HunyuanVideo kind, not *"
number $b.weight F8_E4M3 64,64 4096 >more
number $b.weight_scale F8_E8M0 64,2 128 >scale
without $b.weight more scale
both "mxfp8" "$b.weight_scale is F8_E8M0 [[]64, 2[]] in *: scales are F32, F16, BF16 or F64"
number $b.weight_scale F32 64,2 512 >scale
without $b.weight more scale
both "a scale for each group" "$b.weight_scale is F32 [[]64, 2[]] in *: only one scale for all of $b.weight F8_E4M3 [[]64, 64[]], or one a row, is read"
number $b.weight_scale F32 1,64 256 >scale
without $b.weight more scale
both "a scale for each column" "$b.weight_scale is F32 [[]1, 64[]] in *: only one scale for all*"
number $b.mystery F32 1 4 >scale
without $b.weight more scale
both "a companion that is not known" "$b.mystery in * belongs to $b.weight, and what it does to it is not known"

# ---- other models, or a part of one ----

while IFS='|' read -r name what; do
    number "$name" F32 4,4 64 >bad.safetensors
    both "$what" "*has $name: it is $what, not *"
done <<END
double_blocks.0.img_attn.qkv.weight|a model of the Flux or HunyuanVideo kind
model.diffusion_model.input_blocks.0.0.weight|a UNet of Stable Diffusion
transformer_blocks.0.attn1.to_q.weight|a diffusers transformer other than Wan's
joint_blocks.0.x_block.attn.qkv.weight|a model of the Stable Diffusion 3 kind
model.layers.0.self_attn.q_proj.weight|a language model or one like it
END
number $b.lora_A.weight F32 4,4 64 >bad.safetensors
both "a LoRA alone" "*has $b.lora_A.weight: it is a LoRA; *"
wide() { # CHANNELS PATTERN: a patch embedding of so many channels
    number patch_embedding.weight F16 64,$1,1,2,2 $((64 * $1 * 8)) >more
    without patch_embedding.weight more
    fails 1 "wan-denoise: bad.safetensors is $2: patch_embedding takes $1 channels, not 16" \
        "$1 channels" sh -c 'wan-denoise -m bad.safetensors --forward 500 <in'
}
wide 36 "an image-to-video model"
wide 48 "Wan 2.2's 5B, of other latents"
wide 32 "no text-to-video model of Wan 2.1"
tensor-info --names "$vae" | grep -v '^conv2' | sed "s|^|$vae:|" >names
number conv2.bias F32 48 192 >more
xargs tensor-pick more <names >bad.safetensors
fails 1 "wan-vae-decode: bad.safetensors is a VAE of latents of 48 channels, not 16: Wan 2.2's" \
    "another VAE" sh -c "tensor-pick '$GOLDEN:vae.z[0:16]=latents' | wan-vae-decode -m bad.safetensors"
tensor-info --names "$vae" | grep -v '^conv1' | sed "s|^|$vae:|" >names
number conv1.bias F32 96 384 >more
xargs tensor-pick more <names >bad.safetensors
tensor-pick "$GOLDEN:vae.frames=frames" >frames
fails 1 "wan-vae-encode: bad.safetensors is a VAE of latents of 48 channels, not 16: Wan 2.2's" \
    "another VAE's encoder" sh -c "wan-vae-encode -m bad.safetensors <frames"
text=$ROOT/fixtures/random/models_t5_umt5-xxl-enc-bf16.pth
tensor-info --names "$text" | grep -v 'blocks.[1-9].pos_emb' | sed "s|^|$text:|" | xargs tensor-pick >bad.safetensors
fails 1 "*bad.safetensors is the encoder of T5, whose layers share one table of positions, not umT5's" \
    "T5" wan-encode-text -m bad.safetensors --tokenizer "$ROOT/fixtures/random/google/umt5-xxl/spiece.model" -n a

# ---- files that are no checkpoints ----

while IFS='|' read -r bytes what; do
    printf "$bytes" >bad.safetensors
    both "$what" "*$what"
done <<'END'
version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n|is a Git LFS pointer, not the file itself: *
<!DOCTYPE html><html>|is a web page: the download went wrong
<?xml version="1.0"?><Error>|is XML: the download went wrong
|is empty
\037\213\010\000aaaaaa|is packed by gzip: unpack it first
\050\265\057\375aaaaaa|is packed by zstd: unpack it first
7z\274\257\047\034aaaa|is a 7z archive: unpack it first
\211HDF\r\n\032\n|is HDF5: convert it to safetensors
\223NUMPY\001|is a NumPy array: convert it to safetensors
tjggaaaaaaaa|is a GGML file of the time before GGUF: convert it
short|is cut short: it has only 5 bytes
Entry not found|is neither safetensors, nor an index of shards, nor a .pth, nor GGUF
END
done_testing
