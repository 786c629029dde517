/*
** perceptual.c: LPIPS (Zhang, Isola, Efros, Shechtman, Wang 2018, "The Unreasonable Effectiveness
** of Deep Features as a Perceptual Metric"), version 0.1, as the authors' package computes it.
**
** A picture goes through the convolutions of AlexNet or VGG16, trained on ImageNet; at five levels
** l the features f of Y x X pixels are looked at:
**
**    d = sum over l of  mean over pixels of  sum over channels c of  w_lc (u_lc(a) - u_lc(b))^2
**    u = f / |f|, |f| over the channels of a pixel
**
** w are the heads, fitted to what people said. The package adds 1e-10 to |f|; here 1e-20 is added
** to |f|^2, which is the same wherever |f| is not below 1e-6, and 0 where all features are.
**
** Both pictures are one batch of two, and layers go from one place to another and back: the largest
** takes 2 Y X 64 values, twice. It refuses SqueezeNet, and the mean without heads.
*/
#include "perceptual.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/checkpoint/layout.h"
#include "../../common/checkpoint/stored.h"
#include "../../common/die.h"
#include "../../common/program.h"

/* ---- the networks ---- */

/* A convolution, relu behind it. pool: before it the features are made smaller, greatest of
 * squares. */
typedef struct {
    int index; /* features.INDEX */
    int channels, side, step, pad;
    bool level; /* looked at */
    bool pool;
} layer;

struct lpips_plan {
    const char *net, *what;
    int pool_side, pool_step, layers;
    int64_t least; /* pixels a side */
    layer layer[LPIPS_MOST_LAYERS];
    const char *network[6], *heads[4]; /* where they lie in a directory */
};

static const lpips_plan plans[] = {
    {"alex",
     "AlexNet",
     3,
     2,
     5,
     31,
     {{0, 64, 11, 4, 2, true, false},
      {3, 192, 5, 1, 2, true, true},
      {6, 384, 3, 1, 1, true, true},
      {8, 256, 3, 1, 1, true, false},
      {10, 256, 3, 1, 1, true, false}},
     {"lpips_alex*.safetensors", "lpips_alex*.pth", "alexnet*.safetensors", "alexnet*.pth"},
     {"alex.safetensors", "alex.pth"}},
    {"vgg",
     "VGG16",
     2,
     2,
     13,
     16,
     {{0, 64, 3, 1, 1, false, false},
      {2, 64, 3, 1, 1, true, false},
      {5, 128, 3, 1, 1, false, true},
      {7, 128, 3, 1, 1, true, false},
      {10, 256, 3, 1, 1, false, true},
      {12, 256, 3, 1, 1, false, false},
      {14, 256, 3, 1, 1, true, false},
      {17, 512, 3, 1, 1, false, true},
      {19, 512, 3, 1, 1, false, false},
      {21, 512, 3, 1, 1, true, false},
      {24, 512, 3, 1, 1, false, true},
      {26, 512, 3, 1, 1, false, false},
      {28, 512, 3, 1, 1, true, false}},
     {"lpips_vgg*.safetensors", "lpips_vgg*.pth", "vgg16*.safetensors", "vgg16*.pth"},
     {"vgg.safetensors", "vgg.pth"}},
};

static const lpips_plan *plan_of(const char *net)
{
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++)
        if (strcmp(plans[i].net, net) == 0)
            return plans + i;
    return NULL;
}

bool lpips_known(const char *net) { return plan_of(net) != NULL; }
int64_t lpips_least(const lpips *m) { return m->plan->least; }

/* ---- the forward pass ---- */

/* sum over c of w_c times the mean over pixels of (u_c(a) - u_c(b))^2; f A [2, Y, X, C] */
static double level_distance(const lpips *m, int level, tensor f)
{
    enum { PIXELS = 1 << 16 };
    size_t mark = scratch_mark();
    int64_t n = f.dim[1] * f.dim[2], C = f.dim[3];
    tensor a = slice(f, 0, 1), b = slice(f, 1, 1);
    tensor most = scratch(F32, 1, C), sums = scratch(F64, 2, C);
    zero(most);
    zero(sums);
    for (int64_t i = 0, k; i < n; i += k) {
        size_t strip = scratch_mark();
        k = n - i < PIXELS ? n - i : PIXELS;
        tensor u = scratch(F32, k, C), v = scratch(F32, k, C);
        rms_norm(u, rows(a, i, k), m->unit[level], 1e-20f / (float)C);
        rms_norm(v, rows(b, i, k), m->unit[level], 1e-20f / (float)C);
        linear_combination(u, 2, (tensor[]){u, v}, (double[]){1, -1});
        add_moments(most, rows(sums, 0, 1), rows(sums, 1, 1), u, 1);
        scratch_reset(strip);
    }
    double *squares = new_bytes((size_t)C * sizeof *squares), d = 0;
    download(tensor_of(squares, F64, 1, C), rows(sums, 1, 1));
    for (int64_t c = 0; c < C; c++)
        d += (double)m->head[level][c] * squares[c];
    free(squares);
    scratch_reset(mark);
    return d / (double)n;
}

/* [2, Y, X, C] of this layer, before its pooling; returns the elements it takes. */
typedef struct {
    int64_t Y, X, C;
} size;

static size pooled(const lpips_plan *p, size s)
{
    return (size){(s.Y - p->pool_side) / p->pool_step + 1, (s.X - p->pool_side) / p->pool_step + 1,
                  s.C};
}

static size after(const layer *l, size s)
{
    return (size){(s.Y + 2 * l->pad - l->side) / l->step + 1,
                  (s.X + 2 * l->pad - l->side) / l->step + 1, l->channels};
}

static tensor placed(const lpips *m, tensor room, size s)
{
    return tensor_of(room.data, m->A, 2, s.Y, s.X, s.C);
}

/* y = relu(W x + b) of pixels, whose channels are three */
static void first_layer(const lpips *m, tensor y, tensor pixels)
{
    size_t mark = scratch_mark();
    const layer *l = m->plan->layer;
    tensor on_device = upload(pixels, F32);
    tensor patches = scratch(m->A, tensor_rows(y), tensor_width(m->first.w));
    unfold(patches, on_device, l->side, l->step, l->pad);
    linear(y, patches, &m->first);
    scratch_reset(mark);
}

double lpips_distance(const lpips *m, tensor pixels)
{
    size_t mark = scratch_mark();
    const lpips_plan *p = m->plan;
    size s = after(p->layer, (size){pixels.dim[2], pixels.dim[3], 3});
    tensor here = scratch(m->A, 2, s.Y, s.X, s.C), there = scratch(m->A, 2, s.Y, s.X, s.C);
    double d = 0;
    for (int i = 0, level = 0; i < p->layers; i++) {
        const layer *l = p->layer + i;
        if (l->pool) {
            tensor x = placed(m, here, s), y = placed(m, there, s = pooled(p, s));
            max_pool(y, x, p->pool_side, p->pool_step);
            tensor swap = here;
            here = there;
            there = swap;
        }
        if (i == 0) {
            first_layer(m, placed(m, here, s), pixels);
        } else {
            tensor x = placed(m, here, s), y = placed(m, there, s = after(l, s));
            conv3d(y, x, 0, NULL, &m->conv[i], false);
            tensor swap = here;
            here = there;
            there = swap;
        }
        tensor f = placed(m, here, s);
        add_relu(f, f, (tensor){0});
        if (l->level)
            d += level_distance(m, level++, f);
    }
    scratch_reset(mark);
    if (!isfinite(d))
        die("the distance of two frames is not finite; --dtype fp32 or bf16 may hold the features");
    return d;
}

/* ---- loading ---- */

/* The first of the patterns that a file of DIR fits; path itself where it is a file. */
static weights *open_part(const char *path, const char *const patterns[], const char *what,
                          model_part part)
{
    return model_of(weights_find(path, patterns, what), part);
}

/* The directory that a file lies in; to be freed. */
static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? new_format("%.*s", (int)(slash - path + 1), path) : new_format(".");
}

void lpips_open(lpips *m, const char *net, const char *path, const char *heads)
{
    const lpips_plan *p = plan_of(net);
    *m = (lpips){.plan = p};
    m->network = open_part(path, p->network, p->what, PART_FEATURES);
    const char *file = weights_file(m->network);
    tensor w = weights_tensor(m->network, "features.0.weight", -1, 3, -1, -1);
    if (w.dim[2] != p->layer[0].side || w.dim[3] != p->layer[0].side)
        die("%s is not %s: its first kernels are %lld x %lld", file, p->what, (long long)w.dim[2],
            (long long)w.dim[3]);
    bool whole = weights_has(m->network, "lin0.model.1.weight");
    char *beside = directory_of(file);
    m->heads = open_part(heads   ? heads
                         : whole ? file
                                 : beside,
                         p->heads, "LPIPS's heads", PART_HEADS);
    free(beside);
}

/* features.0.weight [C, 3, k, k] as a matrix, with columns of zeros up to a multiple of 8. */
static linear_weight load_first(lpips *m, tensor_type type)
{
    const layer *l = m->plan->layer;
    int64_t C = l->channels, K = 3 * l->side * l->side, wide = load_channels(K);
    weights_tensor(m->network, "features.0.weight", C, 3, l->side, l->side);
    stored kept = weights_stored(m->network, "features.0");
    m->padded = new_bytes((size_t)(C * wide) * 4);
    memset(m->padded, 0, (size_t)(C * wide) * 4);
    tensor matrix = tensor_of(m->padded, F32, C, wide);
    for (int64_t i = 0; i < C; i++)
        stored_values(rows(matrix, i, 1).data, &kept, i * K, K);
    linear_weight w = linear_upload(1, &(stored){.w = matrix}, NULL, type);
    if (count_nonfinite(w.w))
        die("features.0.weight in %s has values that are not finite", weights_path(m->network));
    w.b = load_vector(m->network, "features.0.bias", C);
    return w;
}

/* Whose weights are few: they stay on the host. */
static void load_head(lpips *m, int level, int64_t C)
{
    char name[32], full[40];
    snprintf(name, sizeof name, "lin%d", level);
    snprintf(full, sizeof full, "%s.weight", name);
    weights_tensor(m->heads, full, 1, C, 1, 1);
    stored kept = weights_stored(m->heads, name);
    float *w = m->head[level] = new_bytes((size_t)C * sizeof *w);
    stored_values(w, &kept, 0, C);
    for (int64_t c = 0; c < C; c++)
        if (!isfinite(w[c]))
            die("%s in %s has values that are not finite", full, weights_path(m->heads));
    tensor unit = tensor_of(new_bytes((size_t)C * sizeof *w), F32, C);
    for (int64_t c = 0; c < C; c++)
        ((float *)unit.data)[c] = 1 / sqrtf((float)C);
    m->unit[level] = scratch(F32, C);
    upload_into(m->unit[level], unit);
    free(unit.data);
}

void lpips_load(lpips *m, tensor_type type)
{
    const lpips_plan *p = m->plan;
    char name[32];
    m->A = operand_type(type);
    load_begin(m->network);
    m->first = load_first(m, type);
    for (int i = 1; i < p->layers; i++) {
        const layer *l = p->layer + i;
        snprintf(name, sizeof name, "features.%d", l->index);
        m->conv[i] = load_conv(m->network, name, l->channels, p->layer[i - 1].channels, type);
        if (m->conv[i].kt != 1 || m->conv[i].ky != l->side || m->conv[i].kx != l->side)
            die("%s.weight in %s is not of %s: its kernels are not %d x %d", name,
                weights_path(m->network), p->what, l->side, l->side);
    }
    load_end();
    for (int i = 0, level = 0; i < p->layers; i++)
        if (p->layer[i].level)
            load_head(m, level++, p->layer[i].channels);
    weights_report_unused(m->heads);
    stats_add("weight_loads", 1);
}

void lpips_close(lpips *m)
{
    for (int i = 0; i < LPIPS_LEVELS; i++)
        free(m->head[i]);
    free(m->padded);
    weights_close(m->network);
    weights_close(m->heads);
}
