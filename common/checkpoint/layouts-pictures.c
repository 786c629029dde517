/*
** layouts-pictures.c: names of networks that see pictures, beside CLIP (layouts.c says how they are
** written): DINO's transformers, and LPIPS's networks and heads.
*/
#include "layouts.h"

#include <stddef.h>

#define QKV(end) "blocks.#.attn.q." end "|blocks.#.attn.k." end "|blocks.#.attn.v." end

/* facebookresearch/dino's and dinov2's */
const renaming dino_names[] = {
    {"cls_token", NULL},
    {"pos_embed", NULL},
    {"register_tokens", NULL},
    {"patch_embed.proj.*", NULL},
    {"blocks.#.norm1.*", NULL},
    {"blocks.#.attn.qkv.weight", QKV("weight")},
    {"blocks.#.attn.qkv.bias", QKV("bias")},
    {"blocks.#.attn.proj.*", NULL},
    {"blocks.#.ls1.gamma", NULL},
    {"blocks.#.norm2.*", NULL},
    {"blocks.#.mlp.fc1.*", NULL},
    {"blocks.#.mlp.fc2.*", NULL},
    {"blocks.#.ls2.gamma", NULL},
    {"norm.*", NULL},
    {"mask_token", ""},
    {"head.*", ""}, /* of the training, or a classifier */
    {NULL, NULL},
};

/* Hugging Face's ViTModel and Dinov2Model */
const renaming dino_hf_names[] = {
    {"embeddings.cls_token", "cls_token"},
    {"embeddings.position_embeddings", "pos_embed"},
    {"embeddings.register_tokens", "register_tokens"},
    {"embeddings.patch_embeddings.projection.*", "patch_embed.proj.*"},
    {"encoder.layer.#.layernorm_before.*", "blocks.#.norm1.*"},
    {"encoder.layer.#.norm1.*", "blocks.#.norm1.*"},
    {"encoder.layer.#.attention.attention.query.*", "blocks.#.attn.q.*"},
    {"encoder.layer.#.attention.attention.key.*", "blocks.#.attn.k.*"},
    {"encoder.layer.#.attention.attention.value.*", "blocks.#.attn.v.*"},
    {"encoder.layer.#.attention.output.dense.*", "blocks.#.attn.proj.*"},
    {"encoder.layer.#.layer_scale1.lambda1", "blocks.#.ls1.gamma"},
    {"encoder.layer.#.layernorm_after.*", "blocks.#.norm2.*"},
    {"encoder.layer.#.norm2.*", "blocks.#.norm2.*"},
    {"encoder.layer.#.intermediate.dense.*", "blocks.#.mlp.fc1.*"},
    {"encoder.layer.#.output.dense.*", "blocks.#.mlp.fc2.*"},
    {"encoder.layer.#.mlp.fc1.*", "blocks.#.mlp.fc1.*"},
    {"encoder.layer.#.mlp.fc2.*", "blocks.#.mlp.fc2.*"},
    {"encoder.layer.#.layer_scale2.lambda1", "blocks.#.ls2.gamma"},
    {"layernorm.*", "norm.*"},
    {"embeddings.mask_token", ""},
    {"pooler.dense.*", ""},
    {"classifier.*", ""},
    {NULL, NULL},
};

/* torchvision's AlexNet and VGG, of which LPIPS uses the convolutions; or these within LPIPS. */
const renaming features_names[] = {
    {"features.#.*", NULL},
    {"net.slice1.#.*", "features.#.*"},
    {"net.slice2.#.*", "features.#.*"},
    {"net.slice3.#.*", "features.#.*"},
    {"net.slice4.#.*", "features.#.*"},
    {"net.slice5.#.*", "features.#.*"},
    {"classifier.*", ""},
    {"scaling_layer.*", ""},
    {"lin#.*", ""},
    {"lins.#.*", ""},
    {NULL, NULL},
};

/* The heads of LPIPS; its list `lins` holds the same ones again. */
const renaming heads_names[] = {
    {"lin#.model.1.weight", "lin#.weight"},
    {"lins.#.*", ""},
    {"scaling_layer.*", ""},
    {"net.*", ""},
    {"features.#.*", ""},
    {"classifier.*", ""},
    {NULL, NULL},
};
