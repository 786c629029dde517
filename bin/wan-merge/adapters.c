/*
** adapters.c: the keys of LoRA files.
**
** A key is a module's name, a role, and what the trainer puts behind: peft and diffusers have
** MODULE.lora_A[.default].weight and lora_B, kohya lora_unet_MODULE.lora_down.weight, lora_up and
** alpha, with underscores for full stops; ComfyUI lora_A or lora_down of official names, and diff,
** diff_b and diff_m, which are differences of weights, biases and modulations. A module may have
** its official or its diffusers name.
**
** A LoRA's weight is its strength times alpha / r; where the file has no alpha it is 1, unless
** peft's configuration says otherwise: adapter_config.json beside, or lora_adapter_metadata within.
** Refused by name: DoRA, LoKr, LoHa, and keys that are none of these.
*/
#include "adapters.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../common/checkpoint/layout.h"
#include "../../common/checkpoint/stored.h"
#include "../../common/die.h"
#include "../../common/nameindex.h"
#include "../../common/openfile.h"
#include "../../common/text.h"

/* ---- roles ---- */

typedef enum { DOWN, UP, ALPHA, DIFF, DIFF_BIAS, DIFF_MODULATION, UP_BIAS, STRANGE } role;

static const struct {
    const char *text;
    role role;
} roles[] = {
    {".lora_A", DOWN},   {".lora_B", UP},          {".lora_down", DOWN},
    {".lora_up", UP},    {".lora.down", DOWN},     {".lora.up", UP},
    {".alpha", ALPHA},   {".diff_b", DIFF_BIAS},   {".diff_m", DIFF_MODULATION},
    {".diff", DIFF},     {".dora_scale", STRANGE}, {".lora_magnitude_vector", STRANGE},
    {".lokr_", STRANGE}, {".hada_", STRANGE},      {".lora_mid", STRANGE},
};

/* The place of the role in a key; NULL if it has none. */
static const char *find_role(const char *key, role *found)
{
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        const char *at = strstr(key, roles[i].text);
        size_t n = strlen(roles[i].text);
        bool whole = at && (at[n] == 0 || at[n] == '.' || roles[i].text[n - 1] == '_');
        if (whole) {
            *found = roles[i].role;
            return at;
        }
    }
    return NULL;
}

/* The official name of MODULE + end; NULL if the layouts know none. */
static char *official(const char *module, size_t n, const char *end)
{
    static const char *const flat[] = {"lora_unet_", "lora_transformer_", "lycoris_"};
    char *name = new_format("%.*s%s", (int)n, module, end), *found = NULL;
    for (int i = 0; i < 3 && !found; i++) {
        size_t k = strlen(flat[i]);
        if (strncmp(name, flat[i], k) == 0)
            found = official_name(name + k, PART_TRANSFORMER, true);
    }
    if (!found)
        found = official_name(name, PART_TRANSFORMER, false);
    free(name);
    return found;
}

/* The tensor that a key is about. */
static char *target_of(const char *key, const char *at, role r)
{
    size_t n = (size_t)(at - key);
    if (r == DIFF_BIAS || r == UP_BIAS)
        return official(key, n, ".bias");
    if (r == DIFF_MODULATION)
        return official(key, n, ".modulation");
    char *weight = official(key, n, ".weight");
    return weight || r != DIFF ? weight : official(key, n, "");
}

/* ---- a file ---- */

static adapter *adapter_for(adapters *a, int from_here, char *target, const char *key, weights *w,
                            bool difference)
{
    struct json_t **index = &a->at[difference];
    int known = index_find(*index, target);
    if (known >= from_here) {
        free(target);
        return a->all + known;
    }
    index_note(index, target, a->n);
    if ((a->n & (a->n - 1)) == 0) {
        a->all = realloc(a->all, (size_t)(a->n ? 2 * a->n : 1) * sizeof *a->all);
        if (!a->all)
            die("out of memory");
    }
    a->all[a->n] = (adapter){.target = target, .key = key, .from = w, .alpha = NAN};
    return a->all + a->n++;
}

static double single(weights *w, const char *key, tensor t)
{
    float v;
    if (tensor_count(t) != 1 || !type_has_values(t.type))
        die("%s is %s in %s, but one number is needed", key, tensor_text(t), weights_path(w));
    host_convert(tensor_of(&v, F32, 1), reshape(t, 1));
    if (!isfinite(v))
        die("%s in %s is %g", key, weights_path(w), (double)v);
    return (double)v;
}

static void read_key(adapters *a, int from_here, weights *w, int i)
{
    const char *key = weights_name(w, i);
    role r;
    const char *at = find_role(key, &r);
    if (!at)
        die("%s in %s is no key of a LoRA that is known here", key, weights_path(w));
    if (r == STRANGE)
        die("%s in %s: of this kind of adapter (%s) nothing is known here", key, weights_path(w),
            at + 1);
    if (r == UP && ends_with(key, ".bias"))
        r = UP_BIAS;
    else if ((r == DOWN || r == UP) && ends_with(key, ".bias"))
        die("%s in %s: a bias of lora_A has no meaning here", key, weights_path(w));
    char *target = target_of(key, at, r);
    if (!target)
        die("%s in %s fits no tensor of Wan's transformer", key, weights_path(w));
    bool difference = r == DIFF || r == DIFF_BIAS || r == DIFF_MODULATION || r == UP_BIAS;
    tensor t = weights_any(w, key);
    adapter *to = adapter_for(a, from_here, target, key, w, difference);
    tensor *place = r == DOWN ? &to->down : r == UP ? &to->up : &to->diff;
    if (r == ALPHA ? !isnan(to->alpha) : place->data != NULL)
        die("%s in %s is there twice", key, weights_path(w));
    if (r == ALPHA)
        to->alpha = single(w, key, t);
    else
        *place = t;
}

/* ---- alpha and r of peft's configurations ---- */

/* The value of `key`, or of "transformer.key". */
static json_t *said(json_t *o, const char *key)
{
    char full[96];
    snprintf(full, sizeof full, "transformer.%s", key);
    json_t *v = json_object_get(o, full);
    return v ? v : json_object_get(o, key);
}

/* NULL if there is none. */
static json_t *peft_config(const weights *w)
{
    const char *text = weights_metadata(w, "lora_adapter_metadata");
    const char *path = weights_file(w), *slash = strrchr(path, '/');
    char *beside = new_format("%.*sadapter_config.json", slash ? (int)(slash + 1 - path) : 0, path);
    json_error_t error;
    json_t *o = NULL;
    if (text || access(beside, F_OK) == 0) {
        o = text ? json_loads(text, 0, &error) : input_json(beside, 0, &error);
        if (!json_is_object(o))
            die("%s, which says what %s is multiplied by, is no JSON object",
                text ? "the metadata's lora_adapter_metadata" : beside, path);
    }
    free(beside);
    return o;
}

/* A pattern is a module's name, or its end; peft takes regular expressions, too. */
static double by_pattern(const adapter *t, json_t *patterns, double otherwise)
{
    const char *pattern, *key = t->key;
    json_t *v;
    json_object_foreach(patterns, pattern, v)
    {
        size_t n = strlen(pattern);
        if (strpbrk(pattern, "\\^$*+?()[]{}|"))
            die("alpha_pattern of %s has '%.60s': of regular expressions nothing is known here; "
                "name the modules",
                weights_path(t->from), pattern);
        for (const char *at = key; n && (at = strstr(at, pattern)); at++)
            if ((at == key || at[-1] == '.') && (at[n] == '.' || !at[n]) && json_is_number(v))
                return json_number_value(v);
    }
    return otherwise;
}

/* alpha / r, as peft computes it; 1 where nobody says anything. */
static double peft_scale(json_t *o, const adapter *t, double rank)
{
    json_t *alpha = said(o, "lora_alpha");
    if (!isnan(t->alpha))
        return t->alpha / rank;
    if (!json_is_number(alpha))
        return 1;
    double a = by_pattern(t, said(o, "alpha_pattern"), json_number_value(alpha));
    return json_is_true(said(o, "use_rslora")) ? a / sqrt(rank) : a / rank;
}

static void finish_file(adapters *a, int from_here, weights *w, double strength)
{
    json_t *o = peft_config(w);
    for (int i = from_here; i < a->n; i++) {
        adapter *t = a->all + i;
        if (t->diff.data) {
            t->scale = (float)strength;
            continue;
        }
        if (!t->down.data || !t->up.data)
            die("%s in %s has no partner: both lora_A and lora_B (down and up) are needed", t->key,
                weights_path(w));
        double rank = t->down.rank ? (double)t->down.dim[0] : 0;
        t->scale = (float)(strength * (rank > 0 ? peft_scale(o, t, rank) : 1));
    }
    json_decref(o);
}

/* ---- LORA[:STRENGTH] ---- */

/* The strength, and where the file's name ends. */
static double strength_of(const char *operand, size_t *n)
{
    const char *colon = strrchr(operand, ':');
    char *end;
    *n = strlen(operand);
    if (!colon || colon == operand || !colon[1])
        return 1;
    double v = strtod(colon + 1, &end);
    if (*end || isspace((unsigned char)colon[1]))
        return 1; /* a part of the name */
    if (!isfinite(v))
        die("%s: a strength must be a number", operand);
    *n = (size_t)(colon - operand);
    return v;
}

void adapters_read(adapters *a, const char *operand)
{
    size_t n;
    double strength = strength_of(operand, &n);
    char *path = new_format("%.*s", (int)n, operand);
    weights *w = weights_open(path);
    int from_here = a->n;
    a->file = realloc(a->file, (size_t)(a->files + 1) * sizeof *a->file);
    if (!a->file)
        die("out of memory");
    a->file[a->files].w = w;
    a->file[a->files++].strength = strength;
    for (int i = 0; i < weights_count(w); i++)
        read_key(a, from_here, w, i);
    if (a->n == from_here)
        die("%s has no tensors", path);
    finish_file(a, from_here, w, strength);
    free(path);
}

/* ---- against the model ---- */

static const adapter *sorting;
static int by_target(const void *a, const void *b)
{
    const adapter *x = a, *y = b;
    int order = strcmp(x->target, y->target);
    return order ? order : (x->key > y->key) - (x->key < y->key);
}

/* [out, rest] of what may have more dimensions. */
static int64_t rest_of(tensor t) { return t.rank && t.dim[0] ? tensor_count(t) / t.dim[0] : 0; }

/* Floats, or what stands for them without scales beside. */
static void check_type(const adapter *t, tensor x)
{
    bool is_float = x.type == F64 || x.type == F32 || x.type == F16 || x.type == BF16;
    if (x.data && !is_float && (!stored_as_codes(x.type) || x.type == I8))
        die("%s in %s has %s: a LoRA's are floats", t->key, weights_path(t->from), tensor_text(x));
}

static void check(const adapter *t, weights *model)
{
    check_type(t, t->down);
    check_type(t, t->up);
    check_type(t, t->diff);
    if (!weights_has(model, t->target))
        die("%s in %s is for %s, which %s does not have", t->key, weights_path(t->from), t->target,
            weights_path(model));
    tensor base = weights_any(model, t->target);
    if (t->diff.data) {
        if (tensor_count(t->diff) != tensor_count(base))
            die("%s is %s in %s, but %s is %s", t->key, tensor_text(t->diff), weights_path(t->from),
                t->target, tensor_text(base));
        return;
    }
    int64_t r = t->down.rank ? t->down.dim[0] : 0, out = t->up.rank ? t->up.dim[0] : 0;
    if (t->down.rank < 2 || t->up.rank < 2 || r < 1 || rest_of(t->up) != r || base.rank < 2 ||
        out != base.dim[0] || rest_of(t->down) != rest_of(base))
        die("%s in %s is %s, and up is %s: they do not fit %s, %s", t->key, weights_path(t->from),
            tensor_text(t->down), tensor_text(t->up), t->target, tensor_text(base));
}

void adapters_check(adapters *a, weights *model)
{
    for (int i = 0; i < a->n; i++)
        check(a->all + i, model);
    sorting = a->all;
    qsort(a->all, (size_t)a->n, sizeof *a->all, by_target);
}

const adapter *adapters_of(const adapters *a, const char *target, int *n)
{
    int first = 0;
    while (first < a->n && strcmp(a->all[first].target, target) != 0)
        first++;
    *n = 0;
    while (first + *n < a->n && strcmp(a->all[first + *n].target, target) == 0)
        ++*n;
    return a->all + first;
}

void adapters_free(adapters *a)
{
    for (int i = 0; i < a->n; i++)
        free(a->all[i].target);
    for (int i = 0; i < a->files; i++)
        weights_close(a->file[i].w);
    free(a->all);
    free(a->file);
    index_free(&a->at[0]);
    index_free(&a->at[1]);
}
