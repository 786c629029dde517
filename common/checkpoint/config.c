/*
** config.c: config.json, read in one place: found, its keys translated, what it must say checked.
**
** One table a part of the model: keys of other libraries and the official ones they stand for; and
** what a key must say, because nothing else is computed here. Keys that nobody knows are passed
** over: they are many, and the weights tell what matters.
*/
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "../die.h"
#include "../openfile.h"
#include "layouts.h"

enum { MOST_BYTES = 1 << 20 };

struct config {
    char *from;
    json_t *root; /* NULL: there is none */
};

/* theirs "A.B": key B of object A. ours "=JSON": it must be that. */
static const renaming transformer_keys[] = {
    {"num_attention_heads", "num_heads"},
    {"in_channels", "in_dim"},
    {"out_channels", "out_dim"},
    {"attention_head_dim", "head_dim"},
    {"image_dim", "=null"},
    {"added_kv_proj_dim", "=null"},
    {"pos_embed_seq_len", "=null"},
    {"vace_layers", "=null"},
    {"cross_attn_norm", "=true"},
    {"window_size", "=[-1, -1]"},
    {NULL, NULL},
};
static const renaming text_keys[] = {
    {"d_model", "dim"},
    {"d_ff", "dim_ffn"},
    {"relative_attention_num_buckets", "num_buckets"},
    {"relative_attention_max_distance", "=128"},
    {"feed_forward_proj", "=\"gated-gelu\""},
    {NULL, NULL},
};
static const renaming vae_keys[] = {
    {"is_residual", "=false"},
    {"patch_size", "=null"},
    {NULL, NULL},
};
static const renaming clip_keys[] = {
    {"model_cfg.vision_cfg.image_size", "vision_config.image_size"},
    {"model_cfg.text_cfg.heads", "text_config.num_attention_heads"},
    {"model_cfg.text_cfg.hf_model_name", "=null"},
    {"model_cfg.vision_cfg.timm_model_name", "=null"},
    {NULL, NULL},
};
static const renaming dino_keys[] = {
    {"use_swiglu_ffn", "=false"},
    {"num_channels", "=3"},
    {NULL, NULL},
};
static const renaming no_keys[] = {{NULL, NULL}};
static const renaming *const keys[PARTS] = {transformer_keys, text_keys, vae_keys, clip_keys,
                                            dino_keys,        no_keys,   no_keys};

/* ---- keys ---- */

/* The value of "a.b.c", or NULL. */
static json_t *value_of(json_t *root, const char *key)
{
    while (root) {
        size_t n = strcspn(key, ".");
        char first[64];
        snprintf(first, sizeof first, "%.*s", (int)n, key);
        root = json_object_get(root, first);
        if (!key[n])
            return root;
        key += n + 1;
    }
    return NULL;
}

/* Sets "a.b" in root, where a need not be there yet. */
static void set_value(json_t *root, const char *key, json_t *value)
{
    const char *dot = strchr(key, '.');
    if (!dot) {
        json_object_set(root, key, value);
        return;
    }
    char first[64];
    snprintf(first, sizeof first, "%.*s", (int)(dot - key), key);
    json_t *inner = json_object_get(root, first);
    if (!inner) {
        inner = json_object();
        json_object_set_new(root, first, inner);
    }
    set_value(inner, dot + 1, value);
}

static void must_be(const config *c, const char *key, json_t *value, const char *wanted)
{
    char *said = json_dumps(value, JSON_ENCODE_ANY);
    if (said && strcmp(said, wanted) != 0)
        die("%s says %s %.60s: only %s is supported", c->from, key, said, wanted);
    free(said);
}

static void translate(config *c, model_part part)
{
    for (const renaming *r = keys[part]; r->theirs; r++) {
        json_t *value = value_of(c->root, r->theirs);
        if (value && *r->ours == '=')
            must_be(c, r->theirs, value, r->ours + 1);
        else if (value && !value_of(c->root, r->ours))
            set_value(c->root, r->ours, value);
    }
}

/* ---- whose it is ---- */

/* Is it of this part? What lies beside a file may be of another: then it says nothing of this one,
 * unless it says of a transformer that it is not Wan's. */
static bool is_of(const config *c, model_part part)
{
    const char *class = config_text(c, "_class_name"), *type = config_text(c, "model_type");
    switch (part) {
    case PART_TRANSFORMER:
        if (class && strcmp(class, "WanModel") != 0 && strcmp(class, "WanTransformer3DModel") != 0)
            die("%s is of a '%.60s' model, not of %s", c->from, class, part_name(part));
        return true;
    case PART_TEXT:
        if (type && (strcmp(type, "t5") == 0 || strcmp(type, "mt5") == 0))
            die("%s is of a '%.60s' model, not of %s", c->from, type, part_name(part));
        return true;
    case PART_VAE: return class && strcmp(class, "AutoencoderKLWan") == 0;
    default: return true;
    }
}

/* open_clip says it of the whole model, and means exact gelu where it does not. */
static void clip_activation(config *c)
{
    json_t *model = json_object_get(c->root, "model_cfg"), *quick;
    if (!model)
        return;
    quick = json_object_get(model, "quick_gelu");
    json_t *name = json_string(json_is_true(quick) ? "quick_gelu" : "gelu");
    set_value(c->root, "vision_config.hidden_act", name);
    set_value(c->root, "text_config.hidden_act", name);
    json_decref(name);
}

/* ---- finding it ---- */

/* The file's text; NULL if there is none. */
static char *text_of(const char *path)
{
    FILE *f = input_file(path);
    if (!f && errno == ENOENT)
        return NULL;
    if (!f)
        die_errno("cannot read %s", path);
    char *text = new_bytes(MOST_BYTES + 1);
    size_t n = fread(text, 1, MOST_BYTES, f);
    if (ferror(f))
        die_errno("cannot read %s", path);
    fclose(f);
    if (n == MOST_BYTES || strlen(text) != n)
        die("cannot read %s: not a JSON object of less than 1 MB", path);
    return text;
}

static void parse(config *c, const char *text)
{
    json_error_t error;
    c->root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!c->root)
        die("cannot read %s: line %d: %s", c->from, error.line, error.text);
    if (!json_is_object(c->root))
        die("cannot read %s: not a JSON object", c->from);
}

/* directory: its path with a slash behind, or "" */
static void find(config *c, const char *directory, model_part part)
{
    static const char *const names[] = {"config.json", "open_clip_config.json"};
    json_t *other = NULL;
    for (int i = 0; i < (part == PART_CLIP ? 2 : 1) && !c->root; i++) {
        char *from = new_format("%s%s", directory, names[i]), *text = text_of(from);
        if (i == 0 || text) {
            free(c->from);
            c->from = from;
        } else {
            free(from);
        }
        if (text)
            parse(c, text);
        free(text);
        if (part == PART_CLIP && i == 0 && !json_object_get(c->root, "vision_config"))
            other = c->root, c->root = NULL; /* timm's, say */
    }
    if (!c->root)
        c->root = other;
    else
        json_decref(other);
}

static config *found(config *c, model_part part)
{
    json_t *norm = c->root ? json_object_get(c->root, "qk_norm") : NULL;
    if (c->root && !is_of(c, part)) {
        json_decref(c->root);
        c->root = NULL;
    }
    if (!c->root)
        return c;
    if (part == PART_TRANSFORMER && json_is_false(norm))
        must_be(c, "qk_norm", norm, "true");
    if (part == PART_TRANSFORMER && json_is_string(norm))
        must_be(c, "qk_norm", norm, "\"rms_norm_across_heads\"");
    translate(c, part);
    if (part == PART_CLIP)
        clip_activation(c);
    return c;
}

config *config_in(const char *directory, model_part part)
{
    config *c = new_bytes(sizeof *c);
    char *slashed = new_format("%s/", directory);
    find(c, slashed, part);
    free(slashed);
    return found(c, part);
}

config *config_open(const weights *w, model_part part, bool needed)
{
    config *c = new_bytes(sizeof *c);
    const char *path = weights_file(w), *slash = strrchr(path, '/');
    const char *inside = weights_metadata(w, "config");
    char *directory = new_format("%.*s", slash ? (int)(slash + 1 - path) : 0, path);
    if (inside) {
        c->from = new_format("the config of %s", weights_path(w));
        parse(c, inside);
    } else {
        find(c, directory, part);
    }
    free(directory);
    if (!c->root && needed) {
        errno = ENOENT;
        die_errno("cannot read %s", c->from);
    }
    return found(c, part);
}

bool config_there(const config *c) { return c->root != NULL; }
const char *config_from(const config *c) { return c->from; }

/* ---- what it says ---- */

double config_number(const config *c, const char *key, double otherwise)
{
    json_t *value = value_of(c->root, key);
    if (!value || json_is_null(value))
        return otherwise;
    if (!json_is_number(value))
        die("%s of %s is not a number", key, c->from);
    return json_number_value(value);
}

int64_t config_whole(const config *c, const char *key, int64_t otherwise, int64_t least,
                     int64_t most)
{
    json_t *value = value_of(c->root, key);
    double v = !value || json_is_null(value) ? (double)otherwise : json_number_value(value);
    if ((value && !json_is_null(value) && !json_is_number(value)) ||
        !(v >= (double)least && v <= (double)most) || v != (double)(int64_t)v)
        die("%s: %s must be a whole number from %lld to %lld", c->from, key, (long long)least,
            (long long)most);
    return (int64_t)v;
}

bool config_has(const config *c, const char *key) { return value_of(c->root, key) != NULL; }

const char *config_text(const config *c, const char *key)
{
    return json_string_value(value_of(c->root, key));
}

bool config_numbers(const config *c, const char *key, double *to, int n)
{
    json_t *list = value_of(c->root, key);
    if (!list || json_is_null(list))
        return false;
    if (!json_is_array(list) || json_array_size(list) != (size_t)n)
        die("%s of %s is not a list of %d numbers", key, c->from, n);
    for (int i = 0; i < n; i++) {
        json_t *v = json_array_get(list, (size_t)i);
        if (!json_is_number(v))
            die("%s of %s is not a list of %d numbers", key, c->from, n);
        to[i] = json_number_value(v);
    }
    return true;
}

void config_agree(const config *c, const char *key, int64_t have)
{
    double said = config_number(c, key, (double)have);
    if (said != (double)have)
        die("%s says %s %.10g, but the weights have %lld", c->from, key, said, (long long)have);
}

char *config_json(const config *c)
{
    return c->root ? json_dumps(c->root, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
}

void config_close(config *c)
{
    json_decref(c->root);
    free(c->from);
    free(c);
}
