/*
** coders.c: checkpoints of somebody's names, types and shapes (drawn.h), as the video autoencoder's
** decoder and encoder and the tiny decoder are loaded from them. What loads can be computed: memory
** for a video is taken.
*/
#include "../../bin/wan-vae-decode/decoder.h"
#include "../../bin/wan-vae-decode/tiny.h"
#include "../../bin/wan-vae-encode/encoder.h"
#include "../../common/checkpoint/layout.h"

enum { MODELS = 3 };
#include "drawn.h"

static drawn_model drawn_models[MODELS] = {
    {.letter = 'v', .name = "decoder"},
    {.letter = 'e', .name = "encoder"},
    {.letter = 'y', .name = "tiny"},
};

void fuzz_begin(void) { drawn_begin("coders"); }

static void start_decoder(tensor_type type)
{
    vae_decoder v;
    decoder_load(&v, model_find("model", PART_VAE), type, band_of(0, 1));
    decoder_start(&v, 2, 2);
}

static void start_encoder(tensor_type type)
{
    vae_encoder v;
    encoder_load(&v, model_find("model", PART_VAE), type);
    encoder_start(&v, 16, 16);
}

static void start_tiny(tensor_type type)
{
    tiny_decoder v;
    weights *w = model_find("model", PART_VAE);
    if (!is_tiny(w))
        return;
    tiny_load(&v, w, type);
    tiny_start(&v, 2, 2);
}

void fuzz_target(const uint8_t *bytes, size_t n)
{
    tensor_type type;
    switch (drawn_take(bytes, n, &type)) {
    case 'v': start_decoder(type); break;
    case 'e': start_encoder(type); break;
    default: start_tiny(type);
    }
    die("a model is there to the end of its program, which this is");
}
