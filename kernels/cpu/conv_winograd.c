/*
** conv_winograd.c: convolutions with 3 x 3 kernels in 16 products where there were 36.
**
** Of 2 x 2 outputs, with the 4 x 4 inputs d that they see, and a kernel g:
**
**     y = A^T [ (G g G^T) . (B^T d B) ] A        . element by element
**
** (Winograd's F(2x2, 3x3): Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks",
** arXiv:1509.09308). Each of the 16 elements is a product of matrices over channels, [tiles, C_in]
** [C_in, C_out]; those of the kernel's frames are added before A makes outputs of them. A and B
** have entries of 0 and 1 and -1, G of 1/2 too: errors stay those of F32 sums. (Of 4 x 4 outputs at
** a time it would be 36 for 144, with entries up to 8 and errors ten times as great.)
**
** What is not finite spreads over the tile: to a pixel and a half more than it should.
*/
#include <omp.h>

#include "conv.h"

enum { POINTS = 16, MOST_TILES = 112, MOST_CHANNELS = 384 };

/* Of fewer inputs products are too short for the transforms, of small pictures for the kernel's. */
bool conv_winograd_pays(const convolution *c)
{
    return c->ky == 3 && c->kx == 3 && c->step == 1 && c->C_in >= 32 && c->Y * c->X >= 64;
}

/* u[16] = G g G^T, g[9], of 16 channels. */
#define KERNEL_ROWS(t, g0, g1, g2)                                                                 \
    lanes t##0 = (g0), t##3 = (g2), t##s = ((g0) + (g2)) * 0.5f, t##h = (g1)*0.5f;                 \
    lanes t##1 = t##s + t##h, t##2 = t##s - t##h

VECTORISED static void transform_kernel(float *u, int64_t step, const float *g, int64_t C)
{
    for (int64_t c = 0; c < C; c += LANE_COUNT) {
        lanes in[9], row[4][3];
        int64_t n = C - c < LANE_COUNT ? C - c : LANE_COUNT;
        for (int i = 0; i < 9; i++) {
            in[i] = (lanes){0};
            memcpy(&in[i], g + i * C + c, (size_t)n * sizeof *g);
        }
        for (int i = 0; i < 3; i++) {
            KERNEL_ROWS(t, in[i], in[3 + i], in[6 + i]);
            row[0][i] = t0, row[1][i] = t1, row[2][i] = t2, row[3][i] = t3;
        }
        for (int i = 0; i < 4; i++) {
            KERNEL_ROWS(t, row[i][0], row[i][1], row[i][2]);
            lanes out[4] = {t0, t1, t2, t3};
            for (int k = 0; k < 4; k++)
                memcpy(u + (4 * i + k) * step + c, &out[k], (size_t)n * sizeof *u);
        }
    }
}

/* v[16] = B^T d B of all channels of a tile; d: its 16 pixels. */
VECTORISED static void transform_input(float *v, int64_t step, const float *const d[POINTS],
                                       int64_t C)
{
    for (int64_t c = 0; c < C; c += LANE_COUNT) {
        lanes t[4][4];
        int64_t n = C - c < LANE_COUNT ? C - c : LANE_COUNT;
        for (int k = 0; k < 4; k++) {
            lanes in[4] = {{0}};
            for (int i = 0; i < 4; i++)
                if (n == LANE_COUNT)
                    in[i] = *(const lanes *)(d[4 * i + k] + c);
                else
                    memcpy(&in[i], d[4 * i + k] + c, (size_t)n * sizeof *v);
            t[0][k] = in[0] - in[2];
            t[1][k] = in[1] + in[2];
            t[2][k] = in[2] - in[1];
            t[3][k] = in[1] - in[3];
        }
        for (int i = 0; i < 4; i++) {
            lanes out[4] = {t[i][0] - t[i][2], t[i][1] + t[i][2], t[i][2] - t[i][1],
                            t[i][1] - t[i][3]};
            for (int k = 0; k < 4; k++)
                if (n == LANE_COUNT)
                    *(lanes *)(v + (4 * i + k) * step + c) = out[k];
                else
                    memcpy(v + (4 * i + k) * step + c, &out[k], (size_t)n * sizeof *v);
        }
    }
}

/* y[2 x 2] = A^T m A + b, or y + that, of n channels; y: four pixels. */
VECTORISED static void transform_output(float *const y[4], const float *m, int64_t step,
                                        const float *b, bool add, int64_t C)
{
    for (int64_t c = 0; c < C; c += LANE_COUNT) {
        lanes t[2][4], bias = {0};
        int64_t n = C - c < LANE_COUNT ? C - c : LANE_COUNT;
        if (b)
            memcpy(&bias, b + c, (size_t)n * sizeof *b);
        for (int k = 0; k < 4; k++) {
            lanes in[4]; /* rows of m are whole lanes long */
            for (int i = 0; i < 4; i++)
                in[i] = *(const lanes *)(m + (4 * i + k) * step + c);
            t[0][k] = in[0] + in[1] + in[2];
            t[1][k] = in[1] - in[2] - in[3];
        }
        for (int i = 0; i < 2; i++) {
            lanes out[2] = {t[i][0] + t[i][1] + t[i][2] + bias, t[i][1] - t[i][2] - t[i][3] + bias};
            for (int k = 0; k < 2; k++) {
                float *to = y[2 * i + k];
                lanes was = {0};
                if (to && add)
                    memcpy(&was, to + c, (size_t)n * sizeof *to);
                out[k] += was;
                if (to)
                    memcpy(to + c, &out[k], (size_t)n * sizeof *to);
            }
        }
    }
}

/* Transformed and packed: for each kt and point [C_in, C_out] in blocks of c->depth. */
static const float *pack_kernels(const convolution *c, tensor w)
{
    int64_t C = c->C_in, panels = pieces(c->C_out, PRODUCT_WIDE), step = PRODUCT_WIDE * C;
    int64_t floats = POINTS * step + 9 * C;
    stored s = {.w = reshape(w, c->C_out, c->kt * 9 * C)};
    float *packed = scratch(F32, c->kt * POINTS * C, c->across).data;
    float *buffers = thread_buffers(floats);
#pragma omp parallel for if (tensor_count(w) >= PARALLEL_FROM)
    for (int64_t i = 0; i < c->kt * panels; i++) {
        int64_t o = i % panels * PRODUCT_WIDE, t = i / panels;
        int64_t n = min_i64(PRODUCT_WIDE, c->C_out - o);
        float *u = buffers + omp_get_thread_num() * thread_stride(floats), *g = u + POINTS * step;
        for (int64_t r = 0; r < n; r++) {
            widen_row(g, &s, o + r, t * 9 * C, 9 * C);
            transform_kernel(u + r * C, step, g, C);
        }
        for (int64_t x = 0; x < POINTS; x++)
            for (int64_t k = 0; k < C; k += c->depth) {
                int64_t depth = min_i64(c->depth, C - k);
                pack_rows(packed + ((t * POINTS + x) * C + k) * c->across + o * depth,
                          u + x * step + k, C, n, depth);
            }
    }
    return packed;
}

/* What a thread works in. */
typedef struct {
    float *gathered;
    float *v;           /* [16, tiles, C_in] */
    float *m;           /* [16, tiles, wide] */
    const float *zeros; /* [C_in]: a pixel outside the picture */
} workspace;

/* v of tiles [p, p + m) of a frame. */
static void transform_inputs(const workspace *w, const convolution *c, const float *in, int64_t p,
                             int64_t m, int64_t step)
{
    int64_t across = pieces(c->X, 2);
    int shift = c->upsample ? 1 : 0;
    for (int64_t i = 0; i < m; i++) {
        int64_t y0 = (p + i) / across * 2 - 1, x0 = (p + i) % across * 2 - 1;
        const float *d[POINTS];
        for (int k = 0; k < POINTS; k++) {
            int64_t y = y0 + k / 4, x = x0 + k % 4;
            bool inside = y >= 0 && y < c->Y && x >= 0 && x < c->X;
            d[k] =
                inside ? in + ((y >> shift) * (c->X >> shift) + (x >> shift)) * c->C_in : w->zeros;
        }
        transform_input(w->v + i * c->C_in, step, d, c->C_in);
    }
}

static void transform_outputs(const workspace *w, const convolution *c, int64_t t, int64_t p,
                              int64_t m, int64_t o, int64_t n, int64_t wide, int64_t step)
{
    int64_t across = pieces(c->X, 2);
    float *frame = (float *)c->y.data + t * c->Y * c->X * c->C_out + o;
    for (int64_t i = 0; i < m; i++) {
        int64_t y0 = (p + i) / across * 2, x0 = (p + i) % across * 2;
        float *y[4];
        for (int k = 0; k < 4; k++) {
            int64_t line = y0 + k / 2, x = x0 + k % 2;
            y[k] = line < c->Y && x < c->X ? frame + (line * c->X + x) * c->C_out : NULL;
        }
        transform_output(y, w->m + i * wide, step, c->b ? c->b + o : NULL, c->add, n);
    }
}

/* Tiles [p, p + m) of frame t, channels [o, o + n). tiles, wide: what the workspace is for. */
static void strip(const workspace *w, const convolution *c, int64_t t, int64_t p, int64_t m,
                  int64_t o, int64_t n, int64_t tiles, int64_t wide)
{
    bool add = false;
    for (int i = 0; i < c->kt; i++) {
        const float *in = conv_frame(c, t - (c->kt - 1) + i);
        if (!in)
            continue;
        transform_inputs(w, c, in, p, m, tiles * c->C_in);
        for (int64_t x = 0; x < POINTS; x++)
            for (int64_t k = 0; k < c->C_in; k += c->depth) {
                int64_t depth = min_i64(c->depth, c->C_in - k);
                matrix_f32 v = {w->v + x * tiles * c->C_in, c->C_in};
                product_block(w->m + x * tiles * wide, wide, m, n, k, depth, 1.0f, add || k,
                              gather_matrix, &v, 0,
                              c->packed + ((i * POINTS + x) * c->C_in + k) * c->across + o * depth,
                              w->gathered);
            }
        add = true;
    }
    transform_outputs(w, c, t, p, m, o, n, wide, tiles * wide);
}

void conv_winograd(convolution *c, tensor w)
{
    int64_t count = pieces(c->Y, 2) * pieces(c->X, 2);
    int64_t tiles = MOST_TILES, wide = MOST_CHANNELS;
    c->depth = pieces(pieces(c->C_in, pieces(c->C_in, PRODUCT_DEPTH)), 8) * 8;
    c->across = pieces(c->C_out, PRODUCT_WIDE) * PRODUCT_WIDE;
    c->packed = pack_kernels(c, w);
    product_tiles(&tiles, &wide, count, c->C_out, c->T);
    int64_t strips = pieces(count, tiles), parts = pieces(c->C_out, wide);
    int64_t floats = GATHER_FLOATS + POINTS * tiles * (c->C_in + wide);
    float *buffers = thread_buffers(floats);
    tensor zeros = scratch(F32, 1, c->C_in);
    zero(zeros);
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < c->T * strips * parts; i++) {
        int64_t o = i % parts * wide, p = i / parts % strips * tiles, t = i / parts / strips;
        float *mine = buffers + omp_get_thread_num() * thread_stride(floats);
        workspace own = {.gathered = mine, .v = mine + GATHER_FLOATS, .zeros = zeros.data};
        own.m = own.v + POINTS * tiles * c->C_in;
        strip(&own, c, t, p, min_i64(tiles, count - p), o, min_i64(wide, c->C_out - o), tiles,
              wide);
    }
}
