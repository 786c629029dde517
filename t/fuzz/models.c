/*
** models.c: checkpoints of somebody's names, types and shapes (drawn.h), as the transformer, umT5's
** encoder, CLIP, DINO and LPIPS are loaded from them. What loads can be computed: the text's
** encoder takes a word.
*/
#include "../../bin/clipscore/clip.h"
#include "../../bin/dinoscore/dino.h"
#include "../../bin/dit.h"
#include "../../bin/lpips/perceptual.h"
#include "../../bin/wan-encode-text/t5.h"
#include "../../common/checkpoint/layout.h"

enum { MODELS = 5 };
#include "drawn.h"

static drawn_model drawn_models[MODELS] = {
    {.letter = 'd', .name = "transformer"}, {.letter = 'x', .name = "text"},
    {.letter = 'c', .name = "clip"},        {.letter = 'n', .name = "dino"},
    {.letter = 'l', .name = "lpips"},
};

void fuzz_begin(void) { drawn_begin("models"); }

static void load_transformer(tensor_type type)
{
    dit m;
    weights *w = dit_find("model");
    dit_open(&m, w, "model/w.safetensors", type, (dit_share){.parts = 1});
    dit_load(&m, w);
}

static void encode_a_word(void)
{
    t5 m = t5_open(model_find("model", PART_TEXT));
    tensor context = tensor_of(new_bytes((size_t)m.width * sizeof(float)), F32, 1, m.width);
    t5_encode(&m, context, (const int32_t[]){0}, 1, (const int64_t[]){1});
}

static void load_clip(tensor_type type)
{
    clip m;
    clip_open(&m, "model");
    clip_load(&m, type);
}

static void load_dino(tensor_type type)
{
    dino m;
    dino_open(&m, "model");
    dino_load(&m, type);
    dino_size(&m, 2, 3);
}

static void load_lpips(tensor_type type)
{
    lpips m;
    lpips_open(&m, "alex", "model", NULL);
    lpips_load(&m, type);
}

void fuzz_target(const uint8_t *bytes, size_t n)
{
    tensor_type type;
    switch (drawn_take(bytes, n, &type)) {
    case 'd': load_transformer(type); break;
    case 'x': encode_a_word(); break;
    case 'c': load_clip(type); break;
    case 'n': load_dino(type); break;
    default: load_lpips(type);
    }
    die("a model is there to the end of its program, which this is");
}
