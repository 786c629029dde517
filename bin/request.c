/*
** request.c: sizes, seeds and a document's tensors, from their texts to checked numbers.
**
** A document that brings its own noise decides the size; the command line's --size, --frames, --rng
** and --seed then do not matter, and the metadata say what was in effect.
*/
#include "request.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/die.h"
#include "../common/recipe.h"

enum { FPS = 16, GRID = 16, MOST_PIXELS = 1 << 14, MOST_FRAMES = 10000 };

static const char *const stdin_name = "standard input";
static const char *const context_names[GUIDANCE_PASSES] = {"context", "context_null"};

void request_size(request *q, const char *size)
{
    int w, h, end = 0;
    if (sscanf(size, "%6dx%6d%n", &w, &h, &end) != 2 || size[end])
        usage_error("--size is WIDTHxHEIGHT, not '%s'", size);
    if (w < 1 || h < 1 || w % GRID != 0 || h % GRID != 0)
        die("--size %s is not a multiple of %d both ways", size, GRID);
    if (w > MOST_PIXELS || h > MOST_PIXELS)
        die("--size %s is over %d", size, MOST_PIXELS);
    q->width = w;
    q->height = h;
}

void request_frames(request *q, int64_t frames, bool strict)
{
    if (frames < 1 || frames > MOST_FRAMES)
        die("--frames is from 1 to %d, not %lld", MOST_FRAMES, (long long)frames);
    if (strict && (frames - 1) % FRAMES != 0)
        die("--frames %lld is not of the form 4n+1", (long long)frames);
    q->frames = (frames - 1) / FRAMES * FRAMES + 1;
    if (q->frames != frames)
        note("--frames %lld gives %lld frames, as the reference does", (long long)frames,
             (long long)q->frames);
}

void request_seeds(request *q, const char *list)
{
    for (const char *s = list;; s++) {
        char *end;
        errno = 0;
        uint64_t seed = strtoull(s, &end, 10);
        if (end == s || *s < '0' || *s > '9' || errno || seed > INT64_MAX || (*end && *end != ','))
            usage_error("--seed takes whole numbers from 0, separated by commas, not '%s'", list);
        q->seed = realloc(q->seed, sizeof *q->seed * (size_t)(q->seeds + 1));
        if (!q->seed)
            die("out of memory");
        q->seed[q->seeds++] = seed;
        s = end;
        if (!*s)
            return;
    }
}

request request_of(const request *q, const document *d)
{
    static uint64_t document_seed;
    request its = *q;
    if (document_find(d, "noise") && q->seeds > 1 && !solver_draws(q->solver))
        die("%s brings its noise: that is one result, not one for each of %d seeds", stdin_name,
            q->seeds);
    if (q->seeds > 0)
        return its;
    const char *text = metadata_get(d, "seed");
    char *end = NULL;
    errno = 0;
    document_seed = text ? strtoull(text, &end, 10) : 0;
    if (text && (*text < '0' || *text > '9' || *end || errno || document_seed > INT64_MAX))
        die("the seed of %s is '%s', not a whole number", stdin_name, text);
    its.seed = &document_seed;
    its.seeds = 1;
    return its;
}

int request_passes(const request *q) { return q->guidance == 1 ? 1 : GUIDANCE_PASSES; }

static void check_finite(const char *name, tensor t)
{
    const float *x = t.data;
    int64_t n = tensor_count(t), bad = 0;
    for (int64_t i = 0; i < n; i++)
        bad += !isfinite(x[i]);
    if (bad)
        die("%s of %s has %lld values that are not finite", name, stdin_name, (long long)bad);
}

tensor document_latents(const document *d, const char *name)
{
    tensor t =
        document_tensor(d, name, stdin_name, F32, 4, (int64_t[]){LATENT_CHANNELS, -1, -1, -1});
    if (tensor_count(t) == 0 || t.dim[2] % 2 || t.dim[3] % 2)
        die("%s of %s is %s: height and width must be even, and nothing zero", name, stdin_name,
            tensor_text(t));
    check_finite(name, t);
    return t;
}

tensor document_context(const document *d, const char *name, int64_t width)
{
    tensor t = document_tensor(d, name, stdin_name, F32, 2, (int64_t[]){-1, width});
    check_finite(name, t);
    return t;
}

tensor request_context(const document *d, int pass, const dit *m)
{
    tensor t = document_context(d, context_names[pass], m->text_dim);
    if (t.dim[0] > m->text_len)
        die("%s of %s has %lld tokens, but the model takes %lld", context_names[pass], stdin_name,
            (long long)t.dim[0], (long long)m->text_len);
    return t;
}

tensor request_shape(const request *q, const document *d)
{
    tensor t = q->latents;
    if (document_find(d, "noise")) {
        t = document_latents(d, "noise");
        if (q->latents.rank && !same_shape(q->latents, t))
            die("latents and noise of %s are of two sizes", stdin_name);
    }
    t.data = NULL;
    if (t.rank)
        return t;
    return tensor_of(NULL, F32, LATENT_CHANNELS, (q->frames - 1) / FRAMES + 1, q->height / PIXELS,
                     q->width / PIXELS);
}

float *request_noise(const request *q, const document *d, tensor shape, uint64_t seed)
{
    float *noise = new_bytes(tensor_bytes(shape));
    if (document_find(d, "noise"))
        memcpy(noise, document_find(d, "noise")->t.data, tensor_bytes(shape));
    else
        noise_draw(noise, tensor_count(shape), seed, q->noise);
    if (q->perturbed)
        noise_perturb(noise, tensor_count(shape), q->perturb);
    return noise;
}

/* The digest of context and context_null, by which two results are seen to be of the same text.
 * NULL if the document has none (-s 0). Static memory. */
static const char *context_digest(const document *in)
{
    static digest d;
    digester *g = digester_new();
    bool any = false;
    for (int i = 0; i < GUIDANCE_PASSES; i++) {
        const entry *e = document_find(in, context_names[i]);
        if (!e || !e->t.data)
            continue;
        any = true;
        digester_add(g, context_names[i], strlen(context_names[i]) + 1);
        digester_add(g, e->t.data, tensor_bytes(e->t));
    }
    d = digester_end(g);
    return any ? d.hex : NULL;
}

json_t *request_stamp(const request *q, const document *in, document *out, tensor shape,
                      uint64_t seed, json_t *stamp)
{
    char number[32];
    metadata_copy(out, in);
    snprintf(number, sizeof number, "%d", FPS);
    if (!metadata_get(out, "fps"))
        metadata_set(out, "fps", number);

    bool brought = document_find(in, "noise") || (q->rng && strcmp(q->rng, STORED_NOISE) == 0);
    if (brought)
        json_object_set_new(stamp, "rng", json_string(STORED_NOISE));
    if (!brought || solver_draws(q->solver)) {
        snprintf(number, sizeof number, "%llu", (unsigned long long)seed);
        metadata_set(out, "seed", number);
        json_object_set_new(stamp, "seed", json_integer((json_int_t)seed));
        json_object_set_new(stamp, brought ? "step_rng" : "rng", json_string(noise_text(q->noise)));
        if (noise_card(q->noise))
            json_object_set_new(stamp, "rng_card", json_string(noise_card(q->noise)));
    }
    if (context_digest(in))
        json_object_set_new(stamp, "context", json_string(context_digest(in)));
    json_object_set_new(stamp, "size",
                        json_sprintf("%lldx%lld", (long long)(shape.dim[3] * PIXELS),
                                     (long long)(shape.dim[2] * PIXELS)));
    json_object_set_new(stamp, "frames", json_integer((shape.dim[1] - 1) * FRAMES + 1));
    recipe_input(stamp, in);
    return stamp;
}
