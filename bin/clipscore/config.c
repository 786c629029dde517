/*
** config.c: a CLIP's sizes: from the shapes of its weights, and the rest from config.json.
**
** A number that config.json leaves out has Hugging Face's default. OpenAI's own files have no
** config.json, and need none: heads are 64 wide, and the number of positions tells how large
** pictures are.
*/
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/checkpoint/config.h"
#include "../../common/die.h"
#include "clip.h"

/* "vision_config.KEY" */
static const char *key_of(const char *section, const char *key)
{
    static char full[96];
    snprintf(full, sizeof full, "%s.%s", section, key);
    return full;
}

static int64_t whole(const config *c, const char *section, const char *key, int64_t otherwise)
{
    return config_whole(c, key_of(section, key), otherwise, 0, INT32_MAX);
}

/* The sizes that both encoders have. heads, act: the number of heads (0: width / 64) and the
 * activation, if config.json does not say. */
static void read_tower(clip_tower *t, weights *w, const config *c, const char *section,
                       int64_t heads, const char *act)
{
    const char *from = config_from(c);
    const char *said = config_text(c, key_of(section, "hidden_act"));
    if (!vit_activation(&t->body, said ? said : act))
        die("%s: %s.hidden_act is '%s': only quick_gelu and gelu are known", from, section, said);
    t->body.epsilon = (float)config_number(c, key_of(section, "layer_norm_eps"), 1e-5);
    char *layers = new_format("%s.encoder.layers", clip_part(t));
    vit_sizes(&t->body, w, layers, &clip_names, whole(c, section, "num_attention_heads", heads),
              from);
    free(layers);
}

static void read_sizes(clip *m, const config *c, bool bare)
{
    weights *w = m->w;
    tensor patch =
        weights_tensor(w, "vision_model.embeddings.patch_embedding.weight", -1, 3, -1, -1);
    tensor places = weights_tensor(w, "vision_model.embeddings.position_embedding.weight", -1,
                                   m->vision.body.width);
    int64_t side = 224;
    m->patches.side = patch.dim[2];
    if (bare && places.dim[0] > 0)
        side = m->patches.side * (int64_t)sqrt((double)(places.dim[0] - 1));
    m->side = whole(c, "vision_config", "image_size", side);
    m->grid = m->patches.side > 0 ? m->side / m->patches.side : 0;
    if (m->grid < 1 || patch.dim[3] != m->patches.side || m->side != m->grid * m->patches.side ||
        places.dim[0] != m->grid * m->grid + 1)
        die("pictures of %lld pixels do not fit the patches %s and positions %s of %s",
            (long long)m->side, tensor_text(patch), tensor_text(places), weights_path(w));
    int64_t D = m->text.body.width;
    m->vocabulary = weights_tensor(w, "text_model.embeddings.token_embedding.weight", -1, D).dim[0];
    m->positions =
        weights_tensor(w, "text_model.embeddings.position_embedding.weight", -1, D).dim[0];
    m->end = whole(c, "text_config", "eos_token_id", bare ? m->vocabulary - 1 : 49407);
    m->projection = weights_tensor(w, "visual_projection.weight", -1, -1).dim[0];
    if (m->projection < 8 || m->projection % 8)
        die("visual_projection of %s is %lld wide: widths must be multiples of 8", weights_path(w),
            (long long)m->projection);
}

void clip_open(clip *m, const char *path)
{
    weights *w = model_find(path, PART_CLIP);
    bool openai = strstr(weights_what(w), "OpenAI") != NULL;
    config *c = config_open(w, PART_CLIP, !openai);
    bool said = config_text(c, "vision_config.hidden_act") != NULL;
    *m = (clip){.w = w, .text.body.causal = true};
    if (!openai && !config_has(c, "vision_config"))
        die("%s is not CLIP's: it has no vision_config", config_from(c));
    if (!openai && !config_has(c, "text_config"))
        die("%s is not CLIP's: it has no text_config", config_from(c));
    read_tower(&m->vision, w, c, "vision_config", openai ? 0 : 12, "quick_gelu");
    read_tower(&m->text, w, c, "text_config", openai ? 0 : 8, "quick_gelu");
    read_sizes(m, c, openai);
    if (openai && !said && !weights_has(w, "input_resolution"))
        warn("%s does not say how it computes: quick_gelu, as OpenAI's own do, is taken",
             weights_path(w));
    config_close(c);
}
