#!/bin/sh
# Checkpoints as other libraries and training lay them out: each gives what the official layout
# gives, in every program that reads it; what a program does not use is named; what makes another
# model of it is refused, and so is a file of another kind, by what it is.
. "$(dirname "$0")/tap.sh"
. "$ROOT/t/layouts.sh"
model=$ROOT/fixtures/random
weights=$model/diffusion_pytorch_model.safetensors text=$model/models_t5_umt5-xxl-enc-bf16.pth
vae=$model/Wan2.1_VAE.pth spiece=$model/google/umt5-xxl/spiece.model
cd "$TMP" || exit 1

# ---- what the official layout gives ----

# Other libraries' configurations have no text_len: 512, as their pipelines have it.
mkdir official
cp "$weights" official
sed 's/"text_len": 64/"text_len": 512/' "$model/config.json" >official/config.json
tensor-pick "$GOLDEN:t5.prompt.context=context" "$GOLDEN:t5.negative.context=context_null" \
    "$GOLDEN:dit.x=latents" >in
tensor-pick "$GOLDEN:vae.z[0:16]=latents" >latents
mkdir words && mkdir -p words/google/umt5-xxl && cp "$text" words && cp "$spiece" words/google/umt5-xxl
forward() { wan-denoise -m "$@" --forward 500 <in; }
encode() { echo 'a lovely cat' | wan-encode-text -m "$1" -n 'bad' --tokenizer "$spiece"; }
decode() { wan-vae-decode -m "$1" <latents; }
forward official >cond
encode words >context
decode "$model" >frames
tensor-pick "$GOLDEN:vae.frames[0:5]=frames" >video
wan-vae-encode -m "$model" <video >encoded

same() { # NAME KIND MODEL: what KIND makes of it is what the official layout gives, and no word is said
    case $2 in
    cond) forward "$3" >out 2>err ;;
    context) encode "$3" >out 2>err ;;
    frames) decode "$3" >out 2>err ;;
    esac
    is "$(cat err)" "${4-}" "$1: no word"
    close_to "$1" --same 1 out:"$2" "$2:$2"
}

# ---- diffusers ----

mkdir -p pipe/transformer pipe/vae pipe/text_encoder pipe/tokenizer
renamed "$weights" diffusers_names >pipe/transformer/diffusion_pytorch_model.safetensors
cat >pipe/transformer/config.json <<'END'
{"_class_name": "WanTransformer3DModel", "_diffusers_version": "0.42.1", "added_kv_proj_dim": null,
"attention_head_dim": 128, "cross_attn_norm": true, "eps": 1e-06, "ffn_dim": 384, "freq_dim": 64,
"image_dim": null, "in_channels": 16, "num_attention_heads": 2, "num_layers": 2, "out_channels": 16,
"patch_size": [1, 2, 2], "pos_embed_seq_len": null, "qk_norm": "rms_norm_across_heads",
"rope_max_seq_len": 1024, "text_dim": 64}
END
renamed "$vae" vae_names >pipe/vae/diffusion_pytorch_model.safetensors
cat >pipe/vae/config.json <<'END'
{"_class_name": "AutoencoderKLWan", "attn_scales": [], "base_dim": 8, "dim_mult": [1, 2, 4, 4],
"is_residual": false, "latents_mean": [-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517,
1.5508, 0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921], "latents_std": [2.8184,
1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743, 3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253,
2.8251, 1.916], "num_res_blocks": 2, "patch_size": null, "z_dim": 16}
END
renamed "$text" hf_names >hf
tensor-pick hf "hf:shared.weight=encoder.embed_tokens.weight" >pipe/text_encoder/model.safetensors
cat >pipe/text_encoder/config.json <<'END'
{"model_type": "umt5", "d_ff": 160, "d_kv": 64, "d_model": 64, "feed_forward_proj": "gated-gelu",
"num_heads": 2, "num_layers": 3, "relative_attention_max_distance": 128,
"relative_attention_num_buckets": 32, "vocab_size": 1024}
END
cp "$spiece" pipe/tokenizer
is "$(tensor-info --names pipe/vae/diffusion_pytorch_model.safetensors |
    grep -c -e up_blocks -e mid_block -e down_blocks)" 180 "the VAE's names are diffusers'"
for part in pipe pipe/transformer pipe/transformer/diffusion_pytorch_model.safetensors; do
    same "$part, transformer" cond $part
done
for part in pipe pipe/text_encoder pipe/text_encoder/model.safetensors; do
    same "$part, text" context $part
done
for part in pipe pipe/vae pipe/vae/diffusion_pytorch_model.safetensors; do
    same "$part, VAE" frames $part
    wan-vae-encode -m $part <video >out 2>err
    is "$(cat err)" "" "$part, its encoder: no word"
    close_to "$part, its encoder" --same 1 out:latents encoded:latents
done
echo 'a lovely cat' | wan-encode-text -m pipe -n bad >out
close_to "the pipeline's own tokenizer" --same 1 out:context context:context
wan-quantize -q -t w8a16 -m official >q1
wan-quantize -q -t w8a16 -m pipe >q2
tensor-diff -s 1 q1 q2 >diff
ok $? "quantized, it has official names and the same codes"
like "$(tensor-info q2)" '*config*dim: 384*num_heads: 2*' "and a configuration of official keys"
forward q1 >q1out
forward q2 >q2out
close_to "and computes the same" --same 1 q1out:cond q2out:cond

# In shards, with an index and without; the index goes before a file of the same name.
mkdir shards
for i in 0 1; do
    tensor-pick "pipe/transformer/diffusion_pytorch_model.safetensors:blocks.$i.*" \
        >shards/diffusion_pytorch_model-0000$((i + 1))-of-00003.safetensors
done
tensor-pick "pipe/transformer/diffusion_pytorch_model.safetensors:[!b]*" \
    >shards/diffusion_pytorch_model-00003-of-00003.safetensors
cp pipe/transformer/config.json shards
same "shards of diffusers" cond shards
{
    echo '{"metadata": {}, "weight_map": {'
    for i in 1 2 3; do
        shard=diffusion_pytorch_model-0000$i-of-00003.safetensors
        tensor-info -n shards/$shard | sed "s/.*/\"&\": \"$shard\",/"
    done | sed '$s/,$//'
    echo '}}'
} >shards/diffusion_pytorch_model.safetensors.index.json
same "shards with an index" cond shards
same "the index" cond shards/diffusion_pytorch_model.safetensors.index.json
head -c 1000 /dev/zero >shards/diffusion_pytorch_model.safetensors
same "an index beside a file" cond shards

fails 1 "*-00001-of-00003.safetensors has no tensor patch_embedding.weight *: it is one of several shards; give -m their directory" \
    "a shard alone" forward shards/diffusion_pytorch_model-00001-of-00003.safetensors

# Variants, in a pipeline and in a part of it.
variant() { # KIND PART FILE NAME: the part's file, called NAME
    rm -rf variants && mkdir -p "variants/$2" && cp "pipe/$2/config.json" "variants/$2"
    cp "pipe/$2/$3" "variants/$2/$4"
    same "$4 of a pipeline" $1 variants
    same "$4 in $2" $1 "variants/$2"
}
variant cond transformer diffusion_pytorch_model.safetensors diffusion_pytorch_model.fp16.safetensors
variant frames vae diffusion_pytorch_model.safetensors diffusion_pytorch_model.fp16.safetensors
variant context text_encoder model.safetensors model.fp16.safetensors
cp "$vae" pipe/vae/x.bin
variant frames vae x.bin diffusion_pytorch_model.bin
cp "$text" pipe/text_encoder/x.bin
variant context text_encoder x.bin pytorch_model.fp16.bin
rm pipe/vae/x.bin pipe/text_encoder/x.bin
mkdir pairs && cp -r pipe/transformer pairs && cp -r pipe/transformer pairs/transformer_2
fails 1 "wan-denoise: pairs has transformer and transformer_2: it is Wan 2.2, of two transformers*; -m pairs/transformer_2 runs *" \
    "a pipeline of two transformers" forward pairs
fails 1 "wan-quantize: pairs has transformer and transformer_2: *" "and to be converted" wan-quantize -t bf16 -m pairs
same "one of them" cond pairs/transformer_2
rm -rf pairs && mkdir -p pairs/high_noise_model pairs/low_noise_model
fails 1 "wan-denoise: pairs has high_noise_model and low_noise_model: it is Wan 2.2, *" "Wan 2.2's own directory" forward pairs

# ---- ComfyUI's single files ----

mkdir single && cp official/config.json single
for prefix in model.diffusion_model. diffusion_model. model.; do
    renamed "$weights" with_prefix $prefix >single/x.safetensors
    same "prefix $prefix" cond single/x.safetensors
done
tensor-pick "$vae" >single/wan_2.1_vae.safetensors
same "the VAE as safetensors" frames single/wan_2.1_vae.safetensors
same "the VAE in a directory" frames single
n=$(wc -c <"$spiece")
{
    header='{"spiece_model":{"dtype":"U8","shape":['$n'],"data_offsets":[0,'$n']}}'
    printf "\\$(printf %03o ${#header})\\0\\0\\0\\0\\0\\0\\0%s" "$header"
    cat "$spiece"
} >sp
tensor-pick hf sp >umt5_xxl.safetensors
echo 'a lovely cat' | wan-encode-text -m umt5_xxl.safetensors -n bad >out 2>err
is "$(cat err)" "" "umT5 with its tokenizer inside: no word"
close_to "umT5 with its tokenizer inside" --same 1 out:context context:context
fails 1 "*cannot find google/umt5-xxl/spiece.model, tokenizer/spiece.model or spiece.model in .: --tokenizer FILE names it" \
    "umT5 without a tokenizer" sh -c 'echo a | wan-encode-text -m hf -n b'

# Parts of an all-in-one file.
renamed "$weights" with_prefix model.diffusion_model. >a
renamed "$vae" with_prefix vae. >b
renamed hf with_prefix text_encoders.umt5xxl.transformer. >c
tensor-pick a b c >single/all.safetensors
forward single/all.safetensors >out 2>err
close_to "an all-in-one file's transformer" --same 1 out:cond cond:cond
like "$(cat err)" "wan-denoise: warning: 226 tensors of single/all.safetensors are not used: *, ..." \
    "what it has beside is counted and named"
decode single/all.safetensors >out 2>err
close_to "its VAE" --same 1 out:frames frames:frames
encode single/all.safetensors >out 2>err
close_to "its text encoder" --same 1 out:context context:context

# ---- training's wrappers, in any order ----

for prefix in _orig_mod. module. module._orig_mod. _orig_mod.module. model._fsdp_wrapped_module.; do
    renamed "$weights" with_prefix $prefix >single/x.safetensors
    same "prefix $prefix" cond single/x.safetensors
done
wrapped() { sed 's/^blocks\.\([0-9]*\)\./module._orig_mod.blocks.\1._fsdp_wrapped_module._checkpoint_wrapped_module./; t
    s/^/_fsdp_wrapped_module.model./'; }
renamed "$weights" wrapped >single/x.safetensors
same "wrappers within names" cond single/x.safetensors
renamed "$weights" with_prefix nobody. >single/x.safetensors
fails 1 "*x.safetensors has no tensor patch_embedding.weight: it is not Wan's transformer; what it has begins with nobody.*" \
    "a prefix of nobody's" forward single/x.safetensors

# ---- what is not used is named; what changes the model is an error ----

tensor-pick "$GOLDEN:t5.prompt.ids=one" "$GOLDEN:dit.x=two" >more
tensor-pick "$weights" more >single/x.safetensors
same "tensors beside" cond single/x.safetensors \
    "wan-denoise: warning: 2 tensors of single/x.safetensors are not used: one, two"
beside() { # TENSOR PATTERN
    tensor-pick "$weights" "$weights:head.head.bias=$1" >single/x.safetensors
    fails 1 "wan-denoise: single/x.safetensors has $1: it is $2" "$1" forward single/x.safetensors
}
beside blocks.0.self_attn.q.lora_A.weight "a LoRA; merge it*wan-merge"
beside lora_unet_blocks_0_ffn_0.lora_down.weight "a LoRA; *"
beside vace_blocks.0.before_proj.weight "a VACE model; *"
beside blocks.0.cross_attn.k_img.weight "an image-to-video model; *"
beside img_emb.proj.0.weight "an image-to-video model; *"
beside blocks.0.to_gate_compress.weight "a model of sparse attention*"
beside blocks.0.ffn.0.pre_quant_scale "quantized with smoothed activations*"
beside blocks.0.ffn.0.smooth_factor "quantized with smoothed activations*"
tensor-pick "$weights" "$weights:head.head.bias=blocks.0.ffn.0.mystery" >single/x.safetensors
fails 1 "*blocks.0.ffn.0.mystery in single/x.safetensors belongs to blocks.0.ffn.0.weight, and what it does to it is not known" \
    "an unknown companion" forward single/x.safetensors

# ---- a file of another kind is named ----

refused() { # NAME FILE PATTERN
    fails 1 "wan-denoise: $2 $3" "$1" forward "$2"
}
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n' >lfs
refused "a Git LFS pointer" lfs "is a Git LFS pointer, not the file itself: *"
echo '<!DOCTYPE html><html>' >web
refused "a web page" web "is a web page: *"
gzip <lfs >packed
refused "a gzip" packed "is packed by gzip: *"
refused "the VAE" "$vae" "is Wan's video VAE, not Wan's transformer"
refused "umT5" "$text" "is umT5's encoder with Wan's names, not Wan's transformer"
refused "Hugging Face's umT5" hf "is umT5's encoder with Hugging Face's names, not Wan's transformer"
tensor-pick "$weights:head.head.bias=blocks.0.attn1.to_q.lora_A.weight" >adapter
refused "a LoRA alone" adapter "has blocks.0.attn1.to_q.lora_A.weight: it is a LoRA; *"
tensor-pick "$weights:head.head.bias=double_blocks.0.img_attn.qkv.bias" >flux
refused "another model" flux "has double_blocks.0.img_attn.qkv.bias: it is a model of the Flux or HunyuanVideo kind, not Wan's transformer"
tensor-pick "$weights:head.head.bias=model.layers.0.self_attn.q_proj.bias" >llm
refused "a language model" llm "has model.layers.0.self_attn.q_proj.bias: it is a language model *"
fails 1 "wan-vae-decode: $weights is Wan's transformer, not Wan's video VAE" "a transformer for a VAE" \
    sh -c "wan-vae-decode -m $weights <latents"
fails 1 "wan-encode-text: $vae is Wan's video VAE, not umT5's encoder" "a VAE for umT5" encode "$vae"
config() { # SED PATTERN: the pipeline's configuration, changed, is refused
    mkdir -p odd && cp pipe/transformer/*.safetensors odd
    sed "$1" pipe/transformer/config.json >odd/config.json
    fails 1 "wan-denoise: odd/config.json $2" "config.json: $1" forward odd
}
config 's/WanTransformer3DModel/WanVACETransformer3DModel/' "is of a 'WanVACETransformer3DModel' model, not of Wan's transformer"
config 's/"image_dim": null/"image_dim": 1280/' "says image_dim 1280: only null is supported"
config 's/rms_norm_across_heads/rms_norm/' 'says qk_norm "rms_norm": only "rms_norm_across_heads" is supported'
config 's/"num_attention_heads": 2/"num_attention_heads": 4/' "says head_dim 128, but the weights have 64"
config 's/"patch_size": .1, 2, 2./"patch_size": [1, 1, 1]/' "says patches of 1 x 1 x 1, but the weights have 1 x 2 x 2"
config 's/"text_dim"/"window_size": [3, 3], "text_dim"/' "says window_size [[]3, 3[]]: only [[]-1, -1[]] is supported"
config 's/"rms_norm_across_heads"/false/' "says qk_norm false: only true is supported"
config 's/"ffn_dim": 384/"ffn_dim": 512/' "says ffn_dim 512, but the weights have 384"
sed 's/2.8184/2.8/' pipe/vae/config.json >odd/config.json
cp pipe/vae/*.safetensors odd
fails 1 "wan-vae-decode: odd/config.json has other latents_std than Wan 2.1" "a VAE of other latents" \
    decode odd
cp single/x.safetensors single/wan2.1_t2v_a.safetensors
cp single/x.safetensors single/wan2.1_t2v_b.safetensors
fails 1 "wan-denoise: single/* are several checkpoints, *a.safetensors and *b.safetensors among them: give -m one of them" \
    "several files, of which one is wanted" forward single
fails 1 "wan-denoise: cannot open official:x: No such file*" "a key of a directory" forward official:x
fails 1 "*has no models by name as a .pth may have*" "a key of a safetensors file" forward "$weights:x"
done_testing
