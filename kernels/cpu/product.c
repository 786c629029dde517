/*
** product.c: products of F32 matrices at the rate of the processor, in three sets of instructions.
**
** The blocking is Goto and van de Geijn's ("Anatomy of High-Performance Matrix Multiplication", ACM
** TOMS 34, 2008): b is packed in panels of 16 columns, which stay in the second level of the
** cache, a few rows of a lie in the first, and their products with one or two panels in registers.
** Rows are not interleaved: they lie a fixed distance apart, so that gathering is a plain copy, and
** one pointer reaches them all.
*/
#include "product.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void rows_by_packed(float *c, int64_t ldc, int64_t m, int64_t n, int64_t depth, float alpha,
                            bool add, const float *a, const float *packed);

typedef struct {
    const char *name;
    int64_t rows; /* at a time */
    rows_by_packed *multiply;
    bool fused;
} instructions;

#ifdef __x86_64__
#include <immintrin.h>

#define V __m512
#define LANES 16
#define ROWS 14
#define PANELS 2
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE(p, x) _mm512_storeu_ps(p, x)
#define SPREAD(f) _mm512_set1_ps(f)
#define MUL(a, b) _mm512_mul_ps(a, b)
#define ADD(a, b) _mm512_add_ps(a, b)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define NAME(x) x##_avx512
#define TARGET __attribute__((target("avx512f")))
#include "product_tile.h"

#define V __m256
#define LANES 8
#define ROWS 6
#define PANELS 1
#define LOAD(p) _mm256_loadu_ps(p)
#define STORE(p, x) _mm256_storeu_ps(p, x)
#define SPREAD(f) _mm256_set1_ps(f)
#define MUL(a, b) _mm256_mul_ps(a, b)
#define ADD(a, b) _mm256_add_ps(a, b)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define NAME(x) x##_avx2
#define TARGET __attribute__((target("avx2,fma")))
#include "product_tile.h"
#endif

typedef float four __attribute__((vector_size(16)));
typedef float four_anywhere __attribute__((vector_size(16), aligned(4), may_alias));
#ifdef __aarch64__
#include <arm_neon.h>
#define FMA(a, b, c) ((four)vfmaq_f32((float32x4_t)(c), (float32x4_t)(a), (float32x4_t)(b)))
#define ROWS 6
#else
#define FMA(a, b, c) ((c) + (a) * (b))
#define ROWS 2
#endif
#define V four
#define LANES 4
#define PANELS 1
#define LOAD(p) (*(const four_anywhere *)(p))
#define STORE(p, x) (*(four_anywhere *)(p) = (x))
#define SPREAD(f) ((four){(f), (f), (f), (f)})
#define MUL(a, b) ((a) * (b))
#define ADD(a, b) ((a) + (b))
#define NAME(x) x##_plain
#define TARGET
#include "product_tile.h"

/* The best first. */
static const instructions SETS[] = {
#ifdef __x86_64__
    {"avx512", 14, rows_avx512, true},
    {"avx2", 6, rows_avx2, true},
    {"sse2", 2, rows_plain, false},
#elif defined __aarch64__
    {"neon", 6, rows_plain, true},
#else
    {"plain", 2, rows_plain, false},
#endif
};
enum { SET_COUNT = sizeof SETS / sizeof *SETS };

static bool processor_has(const char *name)
{
#ifdef __x86_64__
    __builtin_cpu_init();
    if (strcmp(name, "avx512") == 0)
        return __builtin_cpu_supports("avx512f");
    if (strcmp(name, "avx2") == 0)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    (void)name;
    return true;
}

/* What the processor has; WAN_INSTRUCTIONS names a lesser set. */
static const instructions *choose(void)
{
    const char *wanted = getenv("WAN_INSTRUCTIONS");
    for (int i = 0; i < SET_COUNT; i++)
        if (processor_has(SETS[i].name) && (!wanted || strcmp(wanted, SETS[i].name) == 0))
            return &SETS[i];
    char all[64] = "";
    for (int i = 0; i < SET_COUNT; i++)
        if (processor_has(SETS[i].name))
            snprintf(all + strlen(all), sizeof all - strlen(all), " %s", SETS[i].name);
    die("WAN_INSTRUCTIONS=%s is none of this processor's:%s", wanted, all);
}

static const instructions *set(void)
{
    static const instructions *chosen; /* by any thread the same */
    const instructions *s = __atomic_load_n(&chosen, __ATOMIC_RELAXED);
    if (!s)
        __atomic_store_n(&chosen, s = choose(), __ATOMIC_RELAXED);
    return s;
}

const char *product_instructions(void) { return set()->name; }
bool product_fused(void) { return set()->fused; }

/* ---- packing ---- */

/* y[k, 16] = x[16, k]: columns of a panel side by side. */
#ifdef __x86_64__
__attribute__((target("avx2"))) static void turn_8(float *y, const float *x, int64_t stride)
{
    __m256 r[8], t[8];
    UNROLL
    for (int i = 0; i < 8; i++)
        r[i] = _mm256_loadu_ps(x + i * stride);
    UNROLL
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    UNROLL
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    UNROLL
    for (int i = 0; i < 4; i++) {
        _mm256_storeu_ps(y + i * PRODUCT_WIDE, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
        _mm256_storeu_ps(y + (i + 4) * PRODUCT_WIDE, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
    }
}
#endif

static void turn(float *y, const float *x, int64_t stride, int64_t depth)
{
    int64_t k = 0;
#ifdef __x86_64__
    if (set()->fused)
        for (; k + 8 <= depth; k += 8) {
            turn_8(y + k * PRODUCT_WIDE, x + k, stride);
            turn_8(y + k * PRODUCT_WIDE + 8, x + 8 * stride + k, stride);
        }
#endif
    for (; k < depth; k++)
        for (int64_t i = 0; i < PRODUCT_WIDE; i++)
            y[k * PRODUCT_WIDE + i] = x[i * stride + k];
}

/* Fewer than 16 columns: the others are zeros. */
static void turn_some(float *y, const float *x, int64_t stride, int64_t n, int64_t depth)
{
    for (int64_t k = 0; k < depth; k++)
        for (int64_t i = 0; i < PRODUCT_WIDE; i++)
            y[k * PRODUCT_WIDE + i] = i < n ? x[i * stride + k] : 0.0f;
}

void pack_rows(float *packed, const float *rows, int64_t stride, int64_t n, int64_t depth)
{
    for (int64_t o = 0; o < n; o += PRODUCT_WIDE, packed += PRODUCT_WIDE * depth)
        if (n - o >= PRODUCT_WIDE)
            turn(packed, rows + o * stride, stride, depth);
        else
            turn_some(packed, rows + o * stride, stride, n - o, depth);
}

void pack_stored(float *packed, const stored *s, int64_t row, int64_t n, int64_t k, int64_t depth)
{
    if (s->w.type == F32) {
        pack_rows(packed, f32_row(s->w, row) + k, s->w.stride, n, depth);
        return;
    }
    float wide[PRODUCT_WIDE * GATHER_STRIDE];
    for (int64_t o = 0; o < n; o += PRODUCT_WIDE, packed += PRODUCT_WIDE * depth) {
        int64_t count = min_i64(PRODUCT_WIDE, n - o);
        for (int64_t i = 0; i < count; i++)
            widen_row(wide + i * GATHER_STRIDE, s, row + o + i, k, depth);
        pack_rows(packed, wide, GATHER_STRIDE, count, depth);
    }
}

void pack_matrix(float *packed, const float *b, int64_t stride, int64_t n, int64_t depth)
{
    for (int64_t o = 0; o < n; o += PRODUCT_WIDE) {
        int64_t count = min_i64(PRODUCT_WIDE, n - o);
        for (int64_t k = 0; k < depth; k++, packed += PRODUCT_WIDE) {
            if (count == PRODUCT_WIDE) {
                memcpy(packed, b + k * stride + o, PRODUCT_WIDE * sizeof *packed);
                continue;
            }
            memset(packed, 0, PRODUCT_WIDE * sizeof *packed);
            memcpy(packed, b + k * stride + o, (size_t)count * sizeof *packed);
        }
    }
}

/* ---- products ---- */

void gather_matrix(float *to, const void *a, int64_t row, int64_t n, int64_t k, int64_t depth)
{
    const matrix_f32 *m = a;
    for (int64_t i = 0; i < n; i++)
        memcpy(to + i * GATHER_STRIDE, m->data + (row + i) * m->stride + k,
               (size_t)depth * sizeof *to);
}

int64_t product_rows(void) { return set()->rows; }

void product_gathered(float *c, int64_t ldc, int64_t m, int64_t n, int64_t depth, float alpha,
                      bool add, const float *gathered, const float *packed)
{
    set()->multiply(c, ldc, m, n, depth, alpha, add, gathered, packed);
}

void product_block(float *c, int64_t ldc, int64_t m, int64_t n, int64_t k, int64_t depth,
                   float alpha, bool add, gather_rows *gather, const void *a, int64_t row,
                   const float *packed, float *gathered)
{
    const instructions *s = set();
    int64_t count = pieces(m, s->rows), pairs = pieces(m, 2);
    for (int64_t i = 0, at = 0; i < count; i++) {
        int64_t end = min_i64(m, pieces((i + 1) * pairs, count) * 2), few = end - at;
        gather(gathered, a, row + at, few, k, depth);
        s->multiply(c + at * ldc, ldc, few, n, depth, alpha, add, gathered, packed);
        at = end;
    }
}

/* Rows or columns of a tile when n are cut into `count`, in whole steps. */
static int64_t side(int64_t n, int64_t step, int64_t count)
{
    return pieces(pieces(n, step), count) * step;
}

/* The time of a tile is that of its products, and of packing its columns and gathering its rows,
 * which take as long as so many rows and columns more. All threads have as many tiles as the one
 * that has most; tiles of other ops or of `times` such products fill up. */
void product_tiles(int64_t *high, int64_t *wide, int64_t m, int64_t n, int64_t times)
{
    enum { PACKING = 16, GATHERING = 4 };
    int64_t threads = omp_get_max_threads(), step = set()->rows, columns = 2 * PRODUCT_WIDE;
    int64_t down = pieces(m, *high), across = pieces(n, *wide), least = INT64_MAX;
    if (m == 0 || n == 0)
        return;
    for (int64_t i = down; i <= min_i64(down + 2 * threads, pieces(m, step)); i++)
        for (int64_t k = across; k <= min_i64(across + 2 * threads, pieces(n, columns)); k++) {
            int64_t h = side(m, step, i), w = side(n, columns, k);
            int64_t count = times * pieces(m, h) * pieces(n, w);
            int64_t cost = pieces(count, threads) * (h * w + PACKING * w + GATHERING * h);
            if (cost < least) {
                least = cost;
                *high = h;
                *wide = w;
            }
        }
}
