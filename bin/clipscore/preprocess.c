/*
** preprocess.c: frames as CLIP wants them, as openai/CLIP makes them with PIL.
**
** PIL's bicubic resize is antialiased: where a picture shrinks, the cubic (a = -1/2; Keys 1981) is
** as much wider. It runs over the columns, then over the rows, and both times in integers: weights
** in 22 bits after the point, sums rounded to 8-bit levels. So the levels are the same, not only
** close. Crop offsets are rounded half to even, as torchvision's CenterCrop.
**
** Columns always come first; PIL from 13 on sometimes turns that round where the height shrinks
** more, which moves noise by a few levels.
**
** It refuses a picture whose resized long side is beyond 2^24.
*/
#include "preprocess.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/vectorised.h"

enum { BITS = 22 }; /* after the point: 8 bits of level and 2 of sign and overshoot are left */

const pixel_scale clip_scale = {{0.48145466, 0.4578275, 0.40821073},
                                {0.26862954, 0.26130258, 0.27577711}};

/* ---- weights along one side ---- */

/* Places [first, first + n) of the result; each is the sum of count[i] levels from begin[i] on. */
typedef struct {
    int64_t n, most;
    int64_t *begin, *count;
    int32_t *weight; /* [n, most] */
} filter;

static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/* Of `in` levels resized to `out`, the places from `first` on. */
static filter filter_open(int64_t in, int64_t out, int64_t first, int64_t n)
{
    double scale = (double)in / (double)out, stretch = scale > 1 ? scale : 1, reach = 2 * stretch;
    filter f = {.n = n, .most = (int64_t)ceil(reach) * 2 + 1};
    f.begin = new_bytes((size_t)n * sizeof *f.begin);
    f.count = new_bytes((size_t)n * sizeof *f.count);
    f.weight = new_bytes((size_t)(n * f.most) * sizeof *f.weight);
    double *w = new_bytes((size_t)f.most * sizeof *w);
    for (int64_t i = 0; i < n; i++) {
        double centre = ((double)(first + i) + 0.5) * scale, sum = 0;
        int64_t begin = (int64_t)(centre - reach + 0.5), end = (int64_t)(centre + reach + 0.5);
        begin = begin < 0 ? 0 : begin;
        end = end > in ? in : end;
        for (int64_t k = begin; k < end; k++)
            sum += w[k - begin] = cubic(((double)k - centre + 0.5) * (1 / stretch));
        for (int64_t k = 0; k < end - begin; k++)
            f.weight[i * f.most + k] = (int32_t)lround(w[k] / sum * (1 << BITS));
        f.begin[i] = begin;
        f.count[i] = end - begin;
    }
    free(w);
    return f;
}

static void filter_close(filter *f)
{
    free(f->begin);
    free(f->count);
    free(f->weight);
}

static unsigned char level(int32_t sum)
{
    int32_t v = sum >> BITS;
    return (unsigned char)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* ---- a frame ---- */

struct resizer {
    int64_t W, side;
    int64_t left, top;     /* where the filled part begins */
    int64_t first, height; /* the rows of the frame that are looked at */
    filter across, down;
};

static int64_t half_to_even(int64_t n) { return n / 2 + (n % 2 && n / 2 % 2); }

resizer *resizer_open(int64_t H, int64_t W, int64_t side, fit how)
{
    int64_t small = H < W ? H : W, large = H < W ? W : H;
    int64_t reference = how == FIT_PAD ? large : small;
    int64_t h = how == FIT_SQUASH ? side : H == reference ? side : side * H / reference;
    int64_t w = how == FIT_SQUASH ? side : W == reference ? side : side * W / reference;
    h = h < 1 ? 1 : h;
    w = w < 1 ? 1 : w;
    if (h > 1 << 24 || w > 1 << 24)
        die("frames of %lldx%lld are too long to be made %lld high or wide", (long long)W,
            (long long)H, (long long)side);
    resizer *r = new_bytes(sizeof *r);
    *r = (resizer){.W = W, .side = side};
    if (how == FIT_PAD) {
        r->left = half_to_even(side - w);
        r->top = half_to_even(side - h);
    }
    int64_t across = w < side ? w : side, down = h < side ? h : side;
    r->across = filter_open(W, w, half_to_even(w - across), across);
    r->down = filter_open(H, h, half_to_even(h - down), down);
    r->first = r->down.begin[0];
    r->height = r->down.begin[down - 1] + r->down.count[down - 1] - r->first;
    return r;
}

/* One row of the frame through the filter over columns. */
static void resize_row(const filter *f, unsigned char *to, const unsigned char *from)
{
    for (int64_t x = 0; x < f->n; x++) {
        int32_t sum[3] = {1 << (BITS - 1), 1 << (BITS - 1), 1 << (BITS - 1)};
        const int32_t *weight = f->weight + x * f->most;
        const unsigned char *in = from + 3 * f->begin[x];
        for (int64_t k = 0; k < f->count[x]; k++)
            for (int c = 0; c < 3; c++)
                sum[c] += weight[k] * in[3 * k + c];
        for (int c = 0; c < 3; c++)
            *to++ = level(sum[c]);
    }
}

VECTORISED static void add_weighted(int32_t *restrict sum, const unsigned char *from,
                                    int32_t weight, int64_t n)
{
    for (int64_t x = 0; x < n; x++)
        sum[x] += weight * from[x];
}

/* Place y of the filter over rows [height, across.n, 3]; sum is scratch of [across.n, 3]. */
static void resize_rows(const resizer *r, unsigned char *to, const unsigned char *rows, int64_t y,
                        int32_t *sum)
{
    const filter *f = &r->down;
    int64_t bytes = 3 * r->across.n;
    for (int64_t x = 0; x < bytes; x++)
        sum[x] = 1 << (BITS - 1);
    for (int64_t k = 0; k < f->count[y]; k++)
        add_weighted(sum, rows + (f->begin[y] - r->first + k) * bytes, f->weight[y * f->most + k],
                     bytes);
    for (int64_t x = 0; x < bytes; x++)
        to[x] = level(sum[x]);
}

void resize(const resizer *r, unsigned char *picture, const unsigned char *frame)
{
    unsigned char *rows = new_bytes((size_t)(3 * r->height * r->across.n));
    int32_t *sum = new_bytes((size_t)(3 * r->across.n) * sizeof *sum);
    for (int64_t i = 0; i < 3 * r->side * r->side; i++)
        picture[i] = (unsigned char)lround(255 * clip_scale.mean[i % 3]);
    for (int64_t y = 0; y < r->height; y++)
        resize_row(&r->across, rows + 3 * r->across.n * y, frame + 3 * r->W * (r->first + y));
    for (int64_t y = 0; y < r->down.n; y++)
        resize_rows(r, picture + 3 * ((r->top + y) * r->side + r->left), rows, y, sum);
    free(sum);
    free(rows);
}

void resizer_close(resizer *r)
{
    if (!r)
        return;
    filter_close(&r->across);
    filter_close(&r->down);
    free(r);
}
