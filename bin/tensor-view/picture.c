/*
** picture.c: any tensor as tiles, reduced or enlarged to fit, in colours.
**
** What is reduced is averaged over blocks, so that a large matrix shows its structure and not every
** seventeenth row; but a block with a NaN in it is shown as NaN: nothing hides one.
*/
#include "picture.h"

#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "../../common/values.h"

enum { GAP = 2, MOST_ENLARGED = 16 };

static const uint8_t NAN_COLOUR[3] = {255, 0, 255}, GAP_COLOUR[3] = {40, 40, 40};

/* ---- shape ---- */

static bool is_float(tensor_type type)
{
    return type == F64 || type == F32 || type == F16 || type == BF16;
}

layout picture_layout(tensor t)
{
    int r = t.rank;
    const int64_t *d = t.dim;
    if (tensor_count(t) == 0)
        die("there is nothing to see in %s", tensor_text(t));
    if (t.type == U8 && r >= 3 && d[r - 1] == 3) {
        int64_t h = d[r - 3], w = d[r - 2];
        return (layout){tensor_count(t) / (h * w * 3), h, w, 3, h * w * 3, w * 3, 3, 1, 0};
    }
    if (is_float(t.type) && r == 4 && d[0] == 3)
        return (layout){d[1], d[2], d[3], 3, d[2] * d[3], d[3], 1, d[1] * d[2] * d[3], 0};
    if (r < 2) { /* folded to a square, but only if it comes out even */
        int64_t n = tensor_count(t), h = (int64_t)sqrt((double)n);
        while (n % h)
            h--;
        return (layout){1, h, n / h, 1, n, n / h, 1, 0, 0};
    }
    int64_t h = d[r - 2], w = d[r - 1];
    return (layout){tensor_count(t) / (h * w), h, w, 1, h * w, w, 1, 0, r >= 4 ? d[r - 3] : 0};
}

value_range picture_range(tensor t, const layout *l)
{
    if (l->channels == 3)
        return t.type == U8 ? (value_range){0, 255} : (value_range){-1, 1};
    value_summary s = summarize(t);
    double most = fmax(-s.min, s.max);
    return s.min < 0 && s.max > 0 ? (value_range){-most, most} : (value_range){s.min, s.max};
}

/* ---- colour ---- */

/* Anchors of equal distance, linear between them. Both maps can be told apart by the colour-blind
 * and grow (or grow outwards) in contrast: blue white red, and dark violet to yellow. */
static const double diverging[5][3] = {
    {5, 48, 97}, {67, 147, 195}, {247, 247, 247}, {214, 96, 77}, {103, 0, 31}};
static const double rising[5][3] = {
    {68, 1, 84}, {59, 82, 139}, {33, 145, 140}, {94, 201, 98}, {253, 231, 37}};

static void colour(uint8_t rgb[3], double v, value_range range)
{
    const double(*map)[3] = range.low < 0 && range.high > 0 ? diverging : rising;
    double at = range.high > range.low ? (v - range.low) / (range.high - range.low) : 0.5;
    at = at < 0 ? 0 : at > 1 ? 1 : at;
    int i = at < 1 ? (int)(at * 4) : 3;
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)lround(map[i][c] + (at * 4 - i) * (map[i + 1][c] - map[i][c]));
}

static uint8_t level(double v, value_range range)
{
    double at = (v - range.low) / (range.high - range.low) * 255;
    return at <= 0 ? 0 : at >= 255 ? 255 : (uint8_t)lround(at);
}

/* ---- tiles ---- */

/* One row of a tile, [width, channels]. */
static void read_row(double *row, tensor t, const layout *l, int64_t tile, int64_t y, double *room)
{
    int64_t first = tile * l->tile_step + y * l->y_step;
    if (l->channels == 1 || l->c_step == 1) {
        values(row, t, first, l->width * l->channels);
        return;
    }
    for (int64_t c = 0; c < l->channels; c++) {
        values(room, t, first + c * l->c_step, l->width);
        for (int64_t x = 0; x < l->width; x++)
            row[x * l->channels + c] = room[x];
    }
}

/* A tile as `cells` [height / ky, width / kx, channels]: means of blocks of ky x kx. */
static void read_tile(double *cells, tensor t, const layout *l, int64_t tile, int64_t ky,
                      int64_t kx)
{
    int64_t n = l->channels, w = (l->width + kx - 1) / kx;
    double *row = new_bytes((unsigned long)(2 * l->width * n) * sizeof *row);
    for (int64_t y0 = 0; y0 < l->height; y0 += ky) {
        int64_t rows = l->height - y0 < ky ? l->height - y0 : ky;
        double *out = cells + y0 / ky * w * n;
        memset(out, 0, (size_t)(w * n) * sizeof *out);
        for (int64_t y = y0; y < y0 + rows; y++) {
            read_row(row, t, l, tile, y, row + l->width * n);
            for (int64_t x = 0; x < l->width; x++)
                for (int64_t c = 0; c < n; c++)
                    out[x / kx * n + c] += row[x * n + c];
        }
        for (int64_t x = 0; x < w; x++) {
            int64_t across = l->width - x * kx < kx ? l->width - x * kx : kx;
            for (int64_t c = 0; c < n; c++)
                out[x * n + c] /= (double)(rows * across);
        }
    }
    free(row);
}

static void paint_cell(uint8_t rgb[3], const double *v, int64_t channels, value_range range)
{
    bool bad = isnan(v[0]) || (channels == 3 && (isnan(v[1]) || isnan(v[2])));
    if (bad)
        memcpy(rgb, NAN_COLOUR, 3);
    else if (channels == 1)
        colour(rgb, v[0], range);
    else
        for (int c = 0; c < 3; c++)
            rgb[c] = level(v[c], range);
}

/* Cells [h, w, channels] into p at (top, left), each as zoom x zoom pixels. */
static void paint_tile(picture *p, int64_t top, int64_t left, const double *cells, int64_t h,
                       int64_t w, int64_t channels, int64_t zoom, value_range range)
{
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++) {
            uint8_t rgb[3];
            paint_cell(rgb, cells + (y * w + x) * channels, channels, range);
            for (int64_t j = 0; j < zoom; j++)
                for (int64_t i = 0; i < zoom; i++)
                    memcpy(p->rgb + ((top + y * zoom + j) * p->width + left + x * zoom + i) * 3,
                           rgb, 3);
        }
}

/* ---- the sheet ---- */

static int64_t ceiling(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* The columns with which n tiles make a sheet of about 16 : 10. */
static int64_t choose_columns(const layout *l, int64_t n)
{
    if (l->columns && l->tiles == n)
        return l->columns;
    double c = sqrt((double)n * 1.6 * (double)l->height / (double)l->width);
    int64_t columns = (int64_t)ceil(c);
    return columns < 1 ? 1 : columns > n ? n : columns;
}

static int64_t sheet_side(int64_t tile, int64_t n) { return n * tile + (n - 1) * GAP; }

/* The block that must become one pixel so that n tiles of this size fit. */
static int64_t reduction(int64_t size, int64_t n, int64_t pixels)
{
    int64_t k = 1;
    while (k < size && sheet_side(ceiling(size, k), n) > pixels)
        k++;
    return k;
}

picture picture_make(tensor t, const layout *l, value_range range, selection which, int64_t columns,
                     int64_t pixels)
{
    int64_t n = which.n, zoom = 1;
    int64_t across = columns ? columns : choose_columns(l, n);
    across = across > n ? n : across;
    int64_t down = ceiling(n, across);
    int64_t kx = reduction(l->width, across, pixels), ky = reduction(l->height, down, pixels);
    if (l->channels == 3)
        kx = ky = kx > ky ? kx : ky; /* a picture keeps its proportions */
    int64_t w = ceiling(l->width, kx), h = ceiling(l->height, ky);
    if (kx == 1 && ky == 1)
        while (zoom < MOST_ENLARGED && sheet_side(w * (zoom + 1), across) <= pixels &&
               sheet_side(h * (zoom + 1), down) <= pixels)
            zoom++;

    picture p = {sheet_side(w * zoom, across), sheet_side(h * zoom, down), NULL};
    p.rgb = new_bytes((unsigned long)(p.width * p.height * 3));
    for (int64_t i = 0; i < p.width * p.height; i++)
        memcpy(p.rgb + 3 * i, GAP_COLOUR, 3);
    double *cells = new_bytes((unsigned long)(w * h * l->channels) * sizeof *cells);
    for (int64_t i = 0; i < n; i++) {
        int64_t tile = which.first + (n > 1 ? i * (which.last - which.first) / (n - 1) : 0);
        read_tile(cells, t, l, tile, ky, kx);
        paint_tile(&p, i / across * (h * zoom + GAP), i % across * (w * zoom + GAP), cells, h, w,
                   l->channels, zoom, range);
    }
    free(cells);
    return p;
}
