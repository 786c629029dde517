/*
** layouts.c: one table a layout: the names it has, and the official names they stand for.
**
** In a pattern # is a number and a * at the end is whatever follows; in an official name they stand
** for the same. "^NAME" is the transposed matrix; "A|B|C" are rows of one, in equal parts (what
** has no rows is each one's); "?" before them: where no other tensor has the name; "" is known and
** of no use here. @ is the number of a layer in a list that the layout counts by stages.
*/
#include "layouts.h"

#include <stddef.h>

/* ---- Wan's transformer ---- */

static const renaming wan_names[] = {
    {"patch_embedding.*", NULL},
    {"text_embedding.0.*", NULL},
    {"text_embedding.2.*", NULL},
    {"time_embedding.0.*", NULL},
    {"time_embedding.2.*", NULL},
    {"time_projection.1.*", NULL},
    {"blocks.#.modulation", NULL},
    {"blocks.#.self_attn.q.*", NULL},
    {"blocks.#.self_attn.k.*", NULL},
    {"blocks.#.self_attn.v.*", NULL},
    {"blocks.#.self_attn.o.*", NULL},
    {"blocks.#.self_attn.norm_q.*", NULL},
    {"blocks.#.self_attn.norm_k.*", NULL},
    {"blocks.#.norm3.*", NULL},
    {"blocks.#.cross_attn.q.*", NULL},
    {"blocks.#.cross_attn.k.*", NULL},
    {"blocks.#.cross_attn.v.*", NULL},
    {"blocks.#.cross_attn.o.*", NULL},
    {"blocks.#.cross_attn.norm_q.*", NULL},
    {"blocks.#.cross_attn.norm_k.*", NULL},
    {"blocks.#.ffn.0.*", NULL},
    {"blocks.#.ffn.2.*", NULL},
    {"head.modulation", NULL},
    {"head.head.*", NULL},
    {NULL, NULL},
};

const renaming wan_diffusers_names[] = {
    {"patch_embedding.*", NULL},
    {"condition_embedder.text_embedder.linear_1.*", "text_embedding.0.*"},
    {"condition_embedder.text_embedder.linear_2.*", "text_embedding.2.*"},
    {"condition_embedder.time_embedder.linear_1.*", "time_embedding.0.*"},
    {"condition_embedder.time_embedder.linear_2.*", "time_embedding.2.*"},
    {"condition_embedder.time_proj.*", "time_projection.1.*"},
    {"blocks.#.scale_shift_table", "blocks.#.modulation"},
    {"blocks.#.attn1.to_q.*", "blocks.#.self_attn.q.*"},
    {"blocks.#.attn1.to_k.*", "blocks.#.self_attn.k.*"},
    {"blocks.#.attn1.to_v.*", "blocks.#.self_attn.v.*"},
    /* diffusers' fuse_qkv_projections() leaves those that it joins beside */
    {"blocks.#.attn1.to_qkv.*",
     "?blocks.#.self_attn.q.*|blocks.#.self_attn.k.*|blocks.#.self_attn.v.*"},
    {"blocks.#.attn1.to_out.0.*", "blocks.#.self_attn.o.*"},
    {"blocks.#.attn1.norm_q.*", "blocks.#.self_attn.norm_q.*"},
    {"blocks.#.attn1.norm_k.*", "blocks.#.self_attn.norm_k.*"},
    {"blocks.#.norm2.*", "blocks.#.norm3.*"},
    {"blocks.#.attn2.to_q.*", "blocks.#.cross_attn.q.*"},
    {"blocks.#.attn2.to_k.*", "blocks.#.cross_attn.k.*"},
    {"blocks.#.attn2.to_v.*", "blocks.#.cross_attn.v.*"},
    {"blocks.#.attn2.to_kv.*", "?blocks.#.cross_attn.k.*|blocks.#.cross_attn.v.*"},
    {"blocks.#.attn2.to_out.0.*", "blocks.#.cross_attn.o.*"},
    {"blocks.#.attn2.norm_q.*", "blocks.#.cross_attn.norm_q.*"},
    {"blocks.#.attn2.norm_k.*", "blocks.#.cross_attn.norm_k.*"},
    {"blocks.#.ffn.net.0.proj.*", "blocks.#.ffn.0.*"},
    {"blocks.#.ffn.net.2.*", "blocks.#.ffn.2.*"},
    {"scale_shift_table", "head.modulation"},
    {"proj_out.*", "head.head.*"},
    {"rope.freqs*", ""},
    {NULL, NULL},
};

/* ---- umT5's encoder ---- */

static const renaming umt5_names[] = {
    {"token_embedding.*", NULL},     {"norm.*", NULL},
    {"blocks.#.norm1.*", NULL},      {"blocks.#.norm2.*", NULL},
    {"blocks.#.attn.q.*", NULL},     {"blocks.#.attn.k.*", NULL},
    {"blocks.#.attn.v.*", NULL},     {"blocks.#.attn.o.*", NULL},
    {"blocks.#.ffn.gate.0.*", NULL}, {"blocks.#.ffn.fc1.*", NULL},
    {"blocks.#.ffn.fc2.*", NULL},    {"blocks.#.pos_embedding.embedding.*", NULL},
    {"spiece_model", NULL},          {NULL, NULL},
};

/* The table of tokens is tied: it may be there under two names. */
static const renaming umt5_hf_names[] = {
    {"shared.*", "token_embedding.*"},
    {"encoder.embed_tokens.*", "?token_embedding.*"},
    {"encoder.final_layer_norm.*", "norm.*"},
    {"encoder.block.#.layer.0.layer_norm.*", "blocks.#.norm1.*"},
    {"encoder.block.#.layer.1.layer_norm.*", "blocks.#.norm2.*"},
    {"encoder.block.#.layer.0.SelfAttention.q.*", "blocks.#.attn.q.*"},
    {"encoder.block.#.layer.0.SelfAttention.k.*", "blocks.#.attn.k.*"},
    {"encoder.block.#.layer.0.SelfAttention.v.*", "blocks.#.attn.v.*"},
    {"encoder.block.#.layer.0.SelfAttention.o.*", "blocks.#.attn.o.*"},
    {"encoder.block.#.layer.0.SelfAttention.relative_attention_bias.*",
     "blocks.#.pos_embedding.embedding.*"},
    {"encoder.block.#.layer.1.DenseReluDense.wi_0.*", "blocks.#.ffn.gate.0.*"},
    {"encoder.block.#.layer.1.DenseReluDense.wi_1.*", "blocks.#.ffn.fc1.*"},
    {"encoder.block.#.layer.1.DenseReluDense.wo.*", "blocks.#.ffn.fc2.*"},
    {"spiece_model", NULL},
    {"logit_scale", ""}, /* ComfyUI's, of no use here */
    {NULL, NULL},
};

/* llama.cpp's */
static const renaming umt5_gguf_names[] = {
    {"token_embd.*", "token_embedding.*"},
    {"enc.output_norm.*", "norm.*"},
    {"enc.blk.#.attn_norm.*", "blocks.#.norm1.*"},
    {"enc.blk.#.ffn_norm.*", "blocks.#.norm2.*"},
    {"enc.blk.#.attn_q.*", "blocks.#.attn.q.*"},
    {"enc.blk.#.attn_k.*", "blocks.#.attn.k.*"},
    {"enc.blk.#.attn_v.*", "blocks.#.attn.v.*"},
    {"enc.blk.#.attn_o.*", "blocks.#.attn.o.*"},
    {"enc.blk.#.attn_rel_b.*", "blocks.#.pos_embedding.embedding.*"},
    {"enc.blk.#.ffn_gate.*", "blocks.#.ffn.gate.0.*"},
    {"enc.blk.#.ffn_up.*", "blocks.#.ffn.fc1.*"},
    {"enc.blk.#.ffn_down.*", "blocks.#.ffn.fc2.*"},
    {NULL, NULL},
};

/* ---- Wan's video VAE ---- */

static const renaming vae_names[] = {
    {"conv1.*", NULL},
    {"conv2.*", NULL},
    {"encoder.conv1.*", NULL},
    {"encoder.downsamples.#.*", NULL},
    {"encoder.middle.#.*", NULL},
    {"encoder.head.#.*", NULL},
    {"decoder.conv1.*", NULL},
    {"decoder.middle.#.*", NULL},
    {"decoder.upsamples.#.*", NULL},
    {"decoder.head.#.*", NULL},
    {NULL, NULL},
};

#define RESIDUAL(theirs, ours)                                                                     \
    {theirs ".norm1.gamma", ours ".residual.0.gamma"}, {theirs ".conv1.*", ours ".residual.2.*"},  \
        {theirs ".norm2.gamma", ours ".residual.3.gamma"},                                         \
        {theirs ".conv2.*", ours ".residual.6.*"},                                                 \
    {                                                                                              \
        theirs ".conv_shortcut.*", ours ".shortcut.*"                                              \
    }

#define MIDDLE(theirs, ours)                                                                       \
    RESIDUAL(theirs ".resnets.0", ours ".0"), {theirs ".attentions.0.*", ours ".1.*"},             \
        RESIDUAL(theirs ".resnets.1", ours ".2")

static const renaming vae_diffusers_names[] = {
    {"quant_conv.*", "conv1.*"},
    {"post_quant_conv.*", "conv2.*"},
    {"encoder.conv_in.*", "encoder.conv1.*"},
    RESIDUAL("encoder.down_blocks.#", "encoder.downsamples.#"),
    {"encoder.down_blocks.#.resample.*", "encoder.downsamples.#.resample.*"},
    {"encoder.down_blocks.#.time_conv.*", "encoder.downsamples.#.time_conv.*"},
    MIDDLE("encoder.mid_block", "encoder.middle"),
    {"encoder.norm_out.gamma", "encoder.head.0.gamma"},
    {"encoder.conv_out.*", "encoder.head.2.*"},
    {"decoder.conv_in.*", "decoder.conv1.*"},
    MIDDLE("decoder.mid_block", "decoder.middle"),
    RESIDUAL("decoder.up_blocks.#.resnets.#", "decoder.upsamples.@"),
    {"decoder.up_blocks.#.upsamplers.0.*", "decoder.upsamples.@.*"},
    {"decoder.norm_out.gamma", "decoder.head.0.gamma"},
    {"decoder.conv_out.*", "decoder.head.2.*"},
    {NULL, NULL},
};

/* A tiny autoencoder of the same latents: a list of layers each way (madebyollin's TAEHV). */
static const renaming vae_tiny_names[] = {
    {"encoder.#.*", NULL},
    {"decoder.#.*", NULL},
    {NULL, NULL},
};

/* ---- CLIP; its official names here are Hugging Face's ---- */

static const renaming clip_names[] = {
    {"text_model.embeddings.token_embedding.weight", NULL},
    {"text_model.embeddings.position_embedding.weight", NULL},
    {"text_model.embeddings.position_ids", ""},
    {"text_model.encoder.layers.#.*", NULL},
    {"text_model.final_layer_norm.*", NULL},
    {"text_projection.weight", NULL},
    {"vision_model.embeddings.class_embedding", NULL},
    {"vision_model.embeddings.patch_embedding.weight", NULL},
    {"vision_model.embeddings.position_embedding.weight", NULL},
    {"vision_model.embeddings.position_ids", ""},
    {"vision_model.pre_layrnorm.*", NULL},
    {"vision_model.encoder.layers.#.*", NULL},
    {"vision_model.post_layernorm.*", NULL},
    {"visual_projection.weight", NULL},
    {"logit_scale", ""},
    {NULL, NULL},
};

#define BLOCK(theirs, ours)                                                                        \
    {theirs ".resblocks.#.ln_1.*", ours ".encoder.layers.#.layer_norm1.*"},                        \
        {theirs ".resblocks.#.ln_2.*", ours ".encoder.layers.#.layer_norm2.*"},                    \
        {theirs ".resblocks.#.attn.in_proj_weight",                                                \
         ours ".encoder.layers.#.self_attn.q_proj.weight|" ours                                    \
              ".encoder.layers.#.self_attn.k_proj.weight|" ours                                    \
              ".encoder.layers.#.self_attn.v_proj.weight"},                                        \
        {theirs ".resblocks.#.attn.in_proj_bias",                                                  \
         ours ".encoder.layers.#.self_attn.q_proj.bias|" ours                                      \
              ".encoder.layers.#.self_attn.k_proj.bias|" ours                                      \
              ".encoder.layers.#.self_attn.v_proj.bias"},                                          \
        {theirs ".resblocks.#.attn.out_proj.*", ours ".encoder.layers.#.self_attn.out_proj.*"},    \
        {theirs ".resblocks.#.mlp.c_fc.*", ours ".encoder.layers.#.mlp.fc1.*"},                    \
    {                                                                                              \
        theirs ".resblocks.#.mlp.c_proj.*", ours ".encoder.layers.#.mlp.fc2.*"                     \
    }

#define TEXT(prefix)                                                                               \
    {prefix "token_embedding.weight", "text_model.embeddings.token_embedding.weight"},             \
        {prefix "positional_embedding", "text_model.embeddings.position_embedding.weight"},        \
        BLOCK(prefix "transformer", "text_model"),                                                 \
        {prefix "ln_final.*", "text_model.final_layer_norm.*"},                                    \
        {prefix "text_projection", "^text_projection.weight"},                                     \
    {                                                                                              \
        prefix "attn_mask", ""                                                                     \
    }

/* OpenAI's own, and open_clip's, whose newer models have the text's under "text." */
static const renaming clip_openai_names[] = {
    {"visual.class_embedding", "vision_model.embeddings.class_embedding"},
    {"visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight"},
    {"visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"},
    {"visual.ln_pre.*", "vision_model.pre_layrnorm.*"},
    BLOCK("visual.transformer", "vision_model"),
    {"visual.ln_post.*", "vision_model.post_layernorm.*"},
    {"visual.proj", "^visual_projection.weight"},
    TEXT(""),
    TEXT("text."),
    {"logit_scale", ""},
    {"logit_bias", ""},
    {"input_resolution", ""},
    {"context_length", ""},
    {"vocab_size", ""},
    {NULL, NULL},
};

const layout layouts[] = {
    {PART_TRANSFORMER, "Wan's transformer", wan_names},
    {PART_TRANSFORMER, "Wan's transformer with diffusers' names", wan_diffusers_names},
    {PART_TEXT, "umT5's encoder with Wan's names", umt5_names},
    {PART_TEXT, "umT5's encoder with Hugging Face's names", umt5_hf_names},
    {PART_TEXT, "umT5's encoder with llama.cpp's names", umt5_gguf_names},
    {PART_VAE, "Wan's video VAE", vae_names},
    {PART_VAE, "Wan's video VAE with diffusers' names", vae_diffusers_names},
    {PART_VAE, "a tiny video VAE", vae_tiny_names},
    {PART_CLIP, "CLIP with Hugging Face's names", clip_names},
    {PART_CLIP, "CLIP with OpenAI's names", clip_openai_names},
    {PART_DINO, "DINO with its authors' names", dino_names},
    {PART_DINO, "DINO with Hugging Face's names", dino_hf_names},
    {PART_FEATURES, "a network of torchvision's", features_names},
    {PART_HEADS, "LPIPS's heads", heads_names},
    {PARTS, NULL, NULL},
};

/* ---- what holds a model ---- */

/* Components that training and packing put before names, or in between. */
const char *const wrappers[] = {"module",
                                "model",
                                "diffusion_model",
                                "_orig_mod",
                                "_fsdp_wrapped_module",
                                "_checkpoint_wrapped_module",
                                NULL};

/* The same, of one part: all of them are one file's, or trainers'. */
const char *const part_wrappers[PARTS][6] = {
    [PART_TRANSFORMER] = {"transformer", "base_model", "unet", "dit", "pipe"},
    [PART_TEXT] = {"text_encoder", "text_encoders", "umt5xxl", "transformer", "cond_stage_model"},
    [PART_VAE] = {"vae", "first_stage_model"},
    [PART_DINO] = {"backbone", "vit", "dinov2"},
};

/* Endings of what stands beside a weight, and what they are here. */
const renaming companions[] = {
    {"._weight_qdata", ".weight"},
    {"._weight_scale", ".weight_scale"},
    {"._weight_zero_point", ".weight_zero_point"},
    {".scale_weight", ".weight_scale"},
    {".weight_zp", ".weight_zero_point"},
    {".scale_input", ""}, /* of activations, which are not quantized here */
    {".input_scale", ""},
    {NULL, NULL},
};

/* The name that says which part it is. */
const char *const landmarks[PARTS] = {"patch_embedding.weight",
                                      "token_embedding.weight",
                                      "decoder.conv1.weight",
                                      "text_model.embeddings.token_embedding.weight",
                                      "cls_token",
                                      "features.0.weight",
                                      "lin0.weight"};

/* ---- places: the first that matches ---- */

const char *const places[PARTS][32] = {
    [PART_TRANSFORMER] = {"diffusion_pytorch_model.safetensors.index.json",
                          "diffusion_pytorch_model.safetensors",
                          "diffusion_pytorch_model*.safetensors.index.json",
                          "diffusion_pytorch_model*.safetensors",
                          "transformer/diffusion_pytorch_model.safetensors.index.json",
                          "transformer/diffusion_pytorch_model.safetensors",
                          "transformer/diffusion_pytorch_model*.safetensors.index.json",
                          "transformer/diffusion_pytorch_model*.safetensors",
                          "diffusion_pytorch_model*.bin.index.json", "diffusion_pytorch_model*.bin",
                          "transformer/diffusion_pytorch_model*.bin.index.json",
                          "transformer/diffusion_pytorch_model*.bin", "*.safetensors.index.json",
                          "*[wW][aA][nN]*[tT]2[vV]*.safetensors", "*[wW][aA][nN]*[tT]2[vV]*.gguf",
                          "diffusion_models/*.safetensors", "diffusion_models/*.gguf",
                          "unet/*.gguf", "unet/*.safetensors"},
    [PART_TEXT] = {"models_t5_umt5-xxl-enc-bf16.pth",
                   "models_t5*.pth",
                   "models_t5*.safetensors",
                   "text_encoder/model.safetensors.index.json",
                   "text_encoder/model.safetensors",
                   "text_encoder/model*.safetensors.index.json",
                   "text_encoder/model*.safetensors",
                   "text_encoder/pytorch_model*.bin.index.json",
                   "text_encoder/pytorch_model*.bin",
                   "model.safetensors.index.json",
                   "model.safetensors",
                   "model-*-of-*.safetensors",
                   "pytorch_model.bin.index.json",
                   "pytorch_model.bin",
                   "model.*.safetensors",
                   "pytorch_model.*.bin",
                   "*umt5*.safetensors",
                   "*umt5*.gguf",
                   "text_encoders/*umt5*.safetensors",
                   "text_encoders/*umt5*.gguf"},
    [PART_VAE] = {"Wan2.1_VAE.pth", "*[vV][aA][eE]*.pth", "*[vV][aA][eE]*.safetensors",
                  "vae/diffusion_pytorch_model.safetensors",
                  "vae/diffusion_pytorch_model*.safetensors", "vae/diffusion_pytorch_model*.bin",
                  "vae/*[wW][aA][nN]*.safetensors", "diffusion_pytorch_model.safetensors",
                  "diffusion_pytorch_model*.safetensors", "diffusion_pytorch_model*.bin"},
    [PART_CLIP] = {"model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors",
                   "pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-*-of-*.bin",
                   "model.*.safetensors", "pytorch_model.*.bin", "open_clip_model.safetensors",
                   "open_clip_pytorch_model.bin", "*.pt"},
    [PART_DINO] = {"model.safetensors", "pytorch_model.bin", "dino*.safetensors", "dino*.pth"},
};

/* ---- what makes another model of it ---- */

/* What GGUF of these models says that it is; "pig" and "cow" say nothing. */
const char *const archs[] = {"wan", "t5encoder", "t5", "pig", "cow", NULL};

/* Two directories of which each has a half of one model. */
const char *const halves[][2] = {
    {"transformer", "transformer_2"},
    {"high_noise_model", "low_noise_model"},
    {NULL, NULL},
};

const stranger strangers[] = {
    {"*lora_*", "a LoRA; merge it into its model first, with wan-merge"},
    {"*.lora.*", "a LoRA; merge it into its model first, with wan-merge"},
    {"*.dora_scale", "a DoRA, which is not read"},
    {"*.lokr_*", "a LoKr, which is not read"},
    {"*.hada_*", "a LoHa, which is not read"},
    {"*.diff", "a LoRA; merge it into its model first, with wan-merge"},
    {"*.diff_b", "a LoRA; merge it into its model first, with wan-merge"},
    {"*vace_*", "a VACE model; only text-to-video is supported"},
    {"*.k_img*", "an image-to-video model; only text-to-video is supported"},
    {"*.v_img*", "an image-to-video model; only text-to-video is supported"},
    {"*.norm_k_img*", "an image-to-video model; only text-to-video is supported"},
    {"img_emb.*", "an image-to-video model; only text-to-video is supported"},
    {"*image_embedder*", "an image-to-video model; only text-to-video is supported"},
    {"*.add_k_proj*", "an image-to-video model; only text-to-video is supported"},
    {"*.add_v_proj*", "an image-to-video model; only text-to-video is supported"},
    {"*norm_added_*", "an image-to-video model; only text-to-video is supported"},
    {"*to_gate_compress*", "a model of sparse attention (FastVideo's VSA), which is not supported"},
    {"control_adapter.*", "a model with a control adapter; only text-to-video is supported"},
    {"*ref_conv*", "a model with reference pictures; only text-to-video is supported"},
    {"*cam_encoder*", "a model with a camera; only text-to-video is supported"},
    {"*audio_*", "a model with audio; only text-to-video is supported"},
    {"*face_*", "an animation model; only text-to-video is supported"},
    {"*motion_encoder*", "an animation model; only text-to-video is supported"},
    {"*dwpose_embedding*", "an animation model; only text-to-video is supported"},
    {"*pose_patch_embedding*", "an animation model; only text-to-video is supported"},
    {"*fps_embedding*", "a model that is told frames a second (SkyReels), which is not supported"},
    {"*fps_projection*", "a model that is told frames a second (SkyReels), which is not supported"},
    {"*ip_adapter*", "a model with reference pictures; only text-to-video is supported"},
    {"*.to_?_ip.*", "a model with reference pictures; only text-to-video is supported"},
    {"*trainable_cond_mask*", "a model with audio; only text-to-video is supported"},
    {"*controlnet*", "a model with a control net; only text-to-video is supported"},
    {"*.wscales", "quantized by SVDQuant, which is not read"},
    {"*.qweight", "packed in codes of 4 bits (GPTQ, AWQ or the like), which are not read"},
    {"*.weight_packed", "packed in codes of 4 bits, which are not read"},
    {"*.quant_state.*", "packed in 4 bits by bitsandbytes, which is not read"},
    {"*.SCB", "int8 of bitsandbytes, which is not read"},
    {"*.weight._data", "quantized by optimum-quanto, which is not read"},
    {"*.weight_scale_inv", "fp8 with a scale for each square of weights, which is not read"},
    {"*act_pre_scale*", "quantized with smoothed activations, which are not computed here"},
    {"*pre_quant_scale*", "quantized with smoothed activations, which are not computed here"},
    {"*smooth*", "quantized with smoothed activations, which are not computed here"},
    {NULL, NULL},
};

/* Other people's models, by a name of theirs. */
const stranger others[] = {
    {"double_blocks.*", "a model of the Flux or HunyuanVideo kind"},
    {"*.input_blocks.*", "a UNet of Stable Diffusion"},
    {"*down_blocks.*.attentions.*", "a UNet of Stable Diffusion"},
    {"*transformer_blocks.*", "a diffusers transformer other than Wan's"},
    {"joint_blocks.*", "a model of the Stable Diffusion 3 kind"},
    {"layers.*.attention*", "a language model or one like it"},
    {"*layers.*.self_attn.q_proj*", "a language model or one like it"},
    {"blk.*.attn_*", "a language model of llama.cpp"},
    {"decoder.block.*", "a T5 with its decoder alone"},
    {NULL, NULL},
};
