/*
** account.c: format, bits and bytes of a transformer's weights, from headers alone.
**
** The linears in blocks.* are what is quantized, and nearly all there is: format and bits are
** theirs. A fake is floats that are worth what codes are: its bits are those that its quantizer
** counted, its bytes those that it takes.
*/
#include "account.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/checkpoint/stored.h"
#include "../common/die.h"
#include "../common/program.h"

enum { MOST_FORMATS = 64 }; /* more than there are, with all groups */

typedef struct {
    char format[MOST_FORMATS][32]; /* in the order of the file */
    int formats;
    bool codes;
    double weights, bytes; /* of linears in blocks */
    double all;            /* bytes */
} account;

static const char *name_of(tensor_type dtype)
{
    return dtype == F32 ? "fp32" : dtype == F16 ? "fp16" : "bf16";
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n > k && strcmp(s + n - k, end) == 0;
}

/* blocks.I....weight [out, in]: its layer's name in new memory, else NULL. */
static char *layer_of(const char *name, tensor t)
{
    static const char end[] = ".weight";
    if (t.rank != 2 || strncmp(name, "blocks.", 7) != 0 || !ends_with(name, end))
        return NULL;
    return new_format("%.*s", (int)(strlen(name) - strlen(end)), name);
}

static void add_format(account *a, const char *rule, tensor_type type, tensor_type dtype)
{
    char name[32];
    if (rule && strcmp(rule, "int8") != 0)
        snprintf(name, sizeof name, "%s", rule);
    else if (rule || type == I8)
        snprintf(name, sizeof name, "%s", dtype == F32 ? "w8a32" : "w8a16");
    else
        snprintf(name, sizeof name, "%s", stored_as_codes(type) ? type_name(type) : name_of(dtype));
    for (char *c = name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    for (int i = 0; i < a->formats; i++)
        if (strcmp(a->format[i], name) == 0)
            return;
    if (a->formats < MOST_FORMATS)
        memcpy(a->format[a->formats++], name, sizeof name);
}

/* What a tensor is to the device: one of the model's, scales and zeros of codes, half of a branch,
 * or a word about codes, which is read and not kept. */
typedef enum { PARAMETER, SCALES, BRANCH, WORD } part_kind;

static part_kind kind_of(const weights *w, const char *name)
{
    static const struct {
        const char *end;
        part_kind kind;
    } ends[] = {
        {".weight_scale", SCALES},    {".weight_scale_2", SCALES},
        {".weight_zero", SCALES},     {".weight_low_rank_up", BRANCH},
        {".weight_hadamard", WORD},   {".weight_low_rank_down", BRANCH},
        {".weight_zero_point", WORD}, {".comfy_quant", WORD},
        {".input_scale", WORD},       {".scale_input", WORD},
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends_with(name, ends[i].end))
            return ends[i].kind == BRANCH || ends[i].kind == WORD || stored_owner(w, name)
                       ? ends[i].kind
                       : PARAMETER;
    return PARAMETER;
}

/* As the device holds it: vectors are F32. */
static double held(tensor t, part_kind kind, tensor_type dtype)
{
    if (kind == WORD)
        return 0;
    if (kind == SCALES || stored_as_codes(t.type))
        return (double)tensor_bytes(t);
    return (double)tensor_count(t) * (double)(t.rank < 2 ? 4 : type_size(dtype));
}

static void add_tensor(account *a, const weights *w, int i, tensor_type dtype)
{
    const char *name = weights_name(w, i);
    tensor t = weights_shape(w, i);
    part_kind kind = kind_of(w, name);
    double bytes = held(t, kind, dtype);
    char *layer = layer_of(name, t);
    a->all += bytes;
    if (layer) {
        add_format(a, weights_rule(w, layer), t.type, dtype);
        a->codes |= stored_as_codes(t.type);
        a->weights += (double)tensor_count(t);
    }
    if (layer || (kind != PARAMETER && strncmp(name, "blocks.", 7) == 0))
        a->bytes += bytes;
    free(layer);
}

void account_stamp(json_t *stamp, const weights *w, tensor_type dtype)
{
    account a = {.formats = 0};
    char format[MOST_FORMATS * 33] = "";
    for (int i = 0; i < weights_count(w); i++)
        add_tensor(&a, w, i, dtype);
    for (int i = 0; i < a.formats; i++)
        snprintf(format + strlen(format), sizeof format - strlen(format), "%s%s", i ? "+" : "",
                 a.format[i]);
    const char *how = json_string_value(weights_quantization(w, "stored"));
    const json_t *bits = weights_quantization(w, "bits");
    bool fake = how && strcmp(how, "fake") == 0;
    double each = fake && json_is_number(bits) ? json_number_value(bits)
                  : a.weights > 0              ? 8 * a.bytes / a.weights
                                               : 0;
    json_object_set_new(stamp, "format", json_string(a.formats ? format : name_of(dtype)));
    json_object_set_new(stamp, "bits", json_real(each));
    json_object_set_new(stamp, "weight_bytes", json_integer((json_int_t)a.all));
    json_object_set_new(stamp, "stored", json_string(fake ? "fake" : a.codes ? "codes" : "floats"));
}
