/*
** dino.c: DINO (Caron et al. 2021, "Emerging Properties in Self-Supervised Vision Transformers")
** and DINOv2 (Oquab et al. 2023) without registers: vision transformers whose class token, after
** the last norm, is the picture's vector.
**
** The hard idea: a picture need not be the square that the model was trained with. Its positions
** are then those of the training, stretched by bicubic interpolation, as the authors' code does it:
** 0.1 is added to the number of patches before it becomes the scale, which moves positions by up to
** 0.1 of a patch. Hugging Face's classes do not add it, so their vectors differ by that where a
** picture is no 224 x 224.
**
** Refused, by name: register tokens, heads that are not 64 wide, another activation than gelu.
*/
#include "dino.h"

#include <math.h>
#include <stdlib.h>

#include "../../common/checkpoint/config.h"
#include "../../common/checkpoint/stored.h"
#include "../../common/die.h"
#include "../../common/program.h"

static const vit_names names = {
    .norm1 = "norm1",
    .q = "attn.q",
    .k = "attn.k",
    .v = "attn.v",
    .out = "attn.proj",
    .norm2 = "norm2",
    .fc1 = "mlp.fc1",
    .fc2 = "mlp.fc2",
    .gate1 = "ls1.gamma",
    .gate2 = "ls2.gamma",
};

/* ---- positions ---- */

/* Cubic weights of the four neighbours of a point that lies t, 0 to 1, behind the second of them
 * (Keys 1981, a = -3/4). */
static void cubic(double w[4], double t)
{
    const double a = -0.75;
    for (int i = 0; i < 4; i++) {
        double x = fabs(t - (i - 1));
        w[i] = x < 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : ((x - 5) * x + 8) * x * a - 4 * a;
    }
}

/* The four trained positions around the i-th of n: the first of them, and their weights. */
static int64_t four_of(double w[4], int64_t i, int64_t n, int64_t trained)
{
    double scale = (double)trained / ((double)n + 0.1), at = scale * ((double)i + 0.5) - 0.5;
    cubic(w, at - floor(at));
    return (int64_t)floor(at) - 1;
}

static int64_t within(int64_t i, int64_t n) { return i < 0 ? 0 : i >= n ? n - 1 : i; }

/* to [rows, columns, D] = positions [n, n, D], interpolated; outside, the nearest edge counts. */
static void stretch(float *to, int64_t rows, int64_t columns, const float *positions, int64_t n,
                    int64_t D)
{
    for (int64_t y = 0; y < rows; y++)
        for (int64_t x = 0; x < columns; x++) {
            double down[4], across[4];
            int64_t top = four_of(down, y, rows, n), left = four_of(across, x, columns, n);
            float *out = to + (y * columns + x) * D;
            for (int64_t c = 0; c < D; c++) {
                double sum = 0;
                for (int i = 0; i < 16; i++)
                    sum +=
                        down[i / 4] * across[i % 4] *
                        (double)
                            positions[(within(top + i / 4, n) * n + within(left + i % 4, n)) * D +
                                      c];
                out[c] = (float)sum;
            }
        }
}

void dino_size(dino *m, int64_t rows, int64_t columns)
{
    int64_t D = m->body.width, n = m->trained, L = 1 + rows * columns;
    if (m->start.data && rows == m->rows && columns == m->columns)
        return;
    tensor host = tensor_of(new_bytes((size_t)(L * D) * 4), F32, L, D);
    float *start = host.data;
    for (int64_t c = 0; c < D; c++)
        start[c] = m->class[c] + m->positions[c];
    if (rows == n && columns == n)
        memcpy(start + D, m->positions + D, (size_t)(n * n * D) * sizeof *start);
    else
        stretch(start + D, rows, columns, m->positions + D, n, D);
    m->start = scratch(F32, L, D);
    m->rows = rows;
    m->columns = columns;
    upload_into(m->start, host);
    free(host.data);
}

/* ---- the forward pass ---- */

void dino_pictures(const dino *m, tensor y, tensor pixels)
{
    size_t mark = scratch_mark();
    int64_t n = pixels.dim[1], L = tensor_rows(m->start), D = m->body.width;
    tensor x = scratch(F32, n * L, D), a = scratch(F32, n, D);
    vit_embed(&m->body, &m->patches, x, m->start, pixels);
    vit_transform(&m->body, x, (int)n);
    layer_norm(a, columns(reshape(x, n, L * D), 0, D), m->body.last.gamma, m->body.last.beta,
               m->body.epsilon);
    int64_t bad = count_nonfinite(a);
    if (bad)
        die("the pictures' vectors have %lld values that are not finite; --dtype fp32 or bf16 may "
            "hold them",
            (long long)bad);
    download(y, a);
    scratch_reset(mark);
}

/* ---- loading ---- */

void dino_open(dino *m, const char *path)
{
    weights *w = model_find(path, PART_DINO);
    config *c = config_open(w, PART_DINO, false);
    *m = (dino){.w = w};
    if (weights_has(w, "register_tokens"))
        die("%s has register tokens, which are not computed here", weights_path(w));
    tensor kernel = weights_tensor(w, "patch_embed.proj.weight", -1, 3, -1, -1);
    const char *act = config_text(c, "hidden_act");
    if (act && strcmp(act, "gelu") != 0)
        die("%s: hidden_act is '%s': only gelu is known", config_from(c), act);
    vit_activation(&m->body, "gelu");
    m->body.epsilon = (float)config_number(c, "layer_norm_eps", 1e-6);
    vit_sizes(&m->body, w, "blocks", &names,
              config_whole(c, "num_attention_heads", 0, 0, INT32_MAX), config_from(c));
    m->patches.side = kernel.dim[2];
    tensor positions = weights_tensor(w, "pos_embed", 1, -1, m->body.width);
    m->trained = (int64_t)lround(sqrt((double)(positions.dim[1] - 1)));
    if (kernel.dim[3] != kernel.dim[2] || kernel.dim[2] < 1 || m->trained < 1 ||
        m->trained * m->trained != positions.dim[1] - 1)
        die("patches %s and positions %s of %s are not of square pictures", tensor_text(kernel),
            tensor_text(positions), weights_path(w));
    config_close(c);
}

/* NAME's values on the host, F32. */
static float *host_values(weights *w, const char *name, int64_t n)
{
    tensor t = weights_any(w, name);
    if (tensor_count(t) != n || (t.type != F32 && t.type != F16 && t.type != BF16))
        die("%s is %s in %s, but %lld floats are needed", name, tensor_text(t), weights_path(w),
            (long long)n);
    float *values = new_bytes((size_t)n * sizeof *values);
    host_convert(tensor_of(values, F32, n), reshape(t, n));
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            die("%s in %s has values that are not finite", name, weights_path(w));
    return values;
}

void dino_load(dino *m, tensor_type type)
{
    int64_t D = m->body.width;
    load_begin(m->w);
    m->class = host_values(m->w, "cls_token", D);
    m->positions = host_values(m->w, "pos_embed", (1 + m->trained * m->trained) * D);
    vit_load_patches(&m->patches, m->w, "patch_embed.proj", D, type);
    vit_load(&m->body, m->w, "blocks", &names, "norm", type);
    load_end();
    stats_add("weight_loads", 1);
}

void dino_close(dino *m)
{
    vit_free(&m->body);
    free(m->patches.padded);
    free(m->positions);
    free(m->class);
    weights_close(m->w);
}
