/*
** config.c: a CLIP's sizes: what the weights show is read from them, the rest from config.json.
**
** A number that config.json leaves out is Hugging Face's default for it.
*/
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "clip.h"

/* One object of config.json: "vision_config". */
typedef struct {
    const char *path, *name;
    json_t *object;
} section;

static json_t *read_json(const char *path)
{
    json_error_t error;
    FILE *f = fopen(path, "r");
    if (!f)
        die_errno("cannot read %s", path);
    json_t *j = json_loadf(f, 0, &error);
    fclose(f);
    if (!j)
        die("cannot read %s: line %d: %s", path, error.line, error.text);
    return j;
}

static section part(json_t *all, const char *path, const char *name)
{
    section s = {path, name, json_object_get(all, name)};
    if (!json_is_object(s.object))
        die("%s is not CLIP's: it has no %s", path, name);
    return s;
}

static int64_t whole(const section *s, const char *key, int64_t otherwise)
{
    json_t *v = json_object_get(s->object, key);
    if (!v)
        return otherwise;
    if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > INT32_MAX)
        die("%s: %s.%s must be a whole number", s->path, s->name, key);
    return json_integer_value(v);
}

/* What both encoders have; heads: how many if config.json does not say. */
static void read_tower(clip_tower *t, weights *w, const section *s, const char *model,
                       int64_t heads)
{
    char name[96];
    const char *act = json_string_value(json_object_get(s->object, "hidden_act"));
    json_t *epsilon = json_object_get(s->object, "layer_norm_eps");
    if (act && strcmp(act, "quick_gelu") != 0)
        die("%s: %s.hidden_act is '%s': only quick_gelu is known", s->path, s->name, act);
    t->epsilon = epsilon ? (float)json_number_value(epsilon) : 1e-5f;
    t->heads = whole(s, "num_attention_heads", heads);
    snprintf(name, sizeof name, "%s.encoder.layers.0.mlp.fc1.weight", model);
    tensor fc1 = weights_tensor(w, name, -1, -1);
    t->width = fc1.dim[1];
    t->ffn_width = fc1.dim[0];
    if (t->heads < 1 || t->width != 64 * t->heads)
        die("%s: the %s of %s is %lld wide with %lld heads: heads must be 64 wide", s->path, model,
            weights_path(w), (long long)t->width, (long long)t->heads);
    if (t->ffn_width % 8)
        die("%s: the mlp of %s is %lld wide: widths must be multiples of 8", weights_path(w), model,
            (long long)t->ffn_width);
    snprintf(name, sizeof name, "%s.encoder.layers.%%4d.", model);
    for (int i = 0, n; i < weights_count(w); i++)
        if (sscanf(weights_name(w, i), name, &n) == 1 && n >= t->layers)
            t->layers = n + 1; /* a gap is a missing tensor, which loading names */
}

static void read_sizes(clip *m, const section *vision, const section *text)
{
    weights *w = m->w;
    tensor patch =
        weights_tensor(w, "vision_model.embeddings.patch_embedding.weight", -1, 3, -1, -1);
    tensor places = weights_tensor(w, "vision_model.embeddings.position_embedding.weight", -1, -1);
    m->patch = patch.dim[2];
    m->side = whole(vision, "image_size", 224);
    m->grid = m->patch > 0 ? m->side / m->patch : 0;
    if (m->grid < 1 || patch.dim[3] != m->patch || m->side != m->grid * m->patch ||
        places.dim[0] != m->grid * m->grid + 1)
        die("pictures of %lld pixels do not fit the patches %s and positions %s of %s",
            (long long)m->side, tensor_text(patch), tensor_text(places), weights_path(w));
    m->vocabulary =
        weights_tensor(w, "text_model.embeddings.token_embedding.weight", -1, -1).dim[0];
    m->positions =
        weights_tensor(w, "text_model.embeddings.position_embedding.weight", -1, -1).dim[0];
    m->end = whole(text, "eos_token_id", 49407);
    m->projection = weights_tensor(w, "visual_projection.weight", -1, -1).dim[0];
    if (m->projection < 8 || m->projection % 8)
        die("visual_projection of %s is %lld wide: widths must be multiples of 8", weights_path(w),
            (long long)m->projection);
}

void clip_open(clip *m, const char *directory)
{
    static const char *const patterns[] = {"model.safetensors", "model*.safetensors", NULL};
    char *path = new_format("%s/config.json", directory);
    json_t *all = read_json(path);
    section vision = part(all, path, "vision_config"), text = part(all, path, "text_config");
    *m = (clip){.w = weights_find(directory, patterns), .text.causal = true};
    read_tower(&m->vision, m->w, &vision, "vision_model", 12);
    read_tower(&m->text, m->w, &text, "text_model", 8);
    read_sizes(m, &vision, &text);
    json_decref(all);
    free(path);
}
