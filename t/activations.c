/*
** activations.c: inputs of products as few bits hold them, and their statistics.
**
** Rounded rows are compared value for value: whole numbers with the nearest by F64's remainder, e4m3
** with the nearest of a table of all its numbers. Statistics are compared with F64 loops.
*/
#include "compare.h"
#include "suite.h"

static const tensor_type FLOATS[] = {F32, F16, BF16};
static const row_codes CODES[] = {ROWS_INT8, ROWS_INT4, ROWS_FP8};
static const float MOST[] = {127, 7, 448};

/* ---- rounding ---- */

/* All numbers of e4m3fn that are not negative; index: the code, whose last bit says if it is even. */
static const double *e4m3(void)
{
    static double value[127];
    for (int code = 0; code < 127; code++) {
        int exponent = code / 8, fraction = code % 8;
        value[code] = exponent ? ldexp(1 + fraction / 8.0, exponent - 7) : ldexp(fraction, -9);
    }
    return value;
}

static double nearest_e4m3(double v)
{
    const double *value = e4m3();
    double size = fabs(v);
    int best = 0;
    for (int code = 1; code < 127; code++) {
        double far = fabs(value[code] - size), near = fabs(value[best] - size);
        if (far < near || (far == near && code % 2 == 0))
            best = code;
    }
    return copysign(value[best], v);
}

static double nearest_whole(double v, double most)
{
    double low = floor(v), part = v - low; /* exact */
    double q = part > 0.5 || (part == 0.5 && fmod(low, 2) != 0) ? low + 1 : low;
    return q > most ? most : q < -most ? -most : q;
}

/* What x becomes where the row's greatest magnitude is `largest`. */
static float reference(float x, float largest, int codes)
{
    volatile float s = largest / MOST[codes], v = x / s;
    if (s == 0)
        return 0;
    float q = (float)(CODES[codes] == ROWS_FP8 ? nearest_e4m3((double)v)
                                               : nearest_whole((double)v, (double)MOST[codes]));
    return q * s;
}

static float as_type(float v, tensor_type type)
{
    return type == F16 ? f32_of_f16(f16_of_f32(v)) : type == BF16 ? f32_of_bf16(bf16_of_f32(v)) : v;
}

static void compare_rounded(tensor x, tensor_type type, int codes)
{
    size_t mark = scratch_mark();
    int64_t N = tensor_rows(x), n = tensor_width(x);
    tensor device = placed(x, type, 8), y = placed(new_host(F32, N, n), type, 16);
    round_rows(y, device, CODES[codes]);
    margins_untouched(y, 16, "round_rows");
    tensor got = fetched(y), same = fetched(device);
    round_rows(device, device, CODES[codes]);
    tensor in_place = fetched(device);
    for (int64_t i = 0; i < N; i++) {
        float largest = 0;
        for (int64_t j = 0; j < n; j++)
            largest = fmaxf(largest, fabsf(at(x, i, j)));
        for (int64_t j = 0; j < n; j++) {
            float want = as_type(reference(at(x, i, j), largest, codes), type);
            if (at(same, i, j) != at(x, i, j))
                ck_abort_msg("x was changed");
            if (at(got, i, j) != want || at(in_place, i, j) != want)
                ck_abort_msg("codes %d, %s: %.9g of a row of %.9g becomes %.9g instead of %.9g",
                             codes, type_name(type), (double)at(x, i, j), (double)largest,
                             (double)at(got, i, j), (double)want);
        }
    }
    scratch_reset(mark);
}

/* Rows of several kinds: ordinary; an outlier; zeros; as small as F32 is; ties. */
static tensor hard_rows(int64_t n, tensor_type type, int codes)
{
    tensor x = random_host(6, n, 3, type);
    float *v = x.data;
    v[n + n / 2] = -1000;
    for (int64_t j = 0; j < n; j++) {
        v[2 * n + j] = 0;
        v[3 * n + j] *= type == F32 ? 0x1p-147f : 0x1p-14f;
        /* s is 1: halves are ties, and so is what lies between two of e4m3 */
        v[4 * n + j] = j == 0 ? MOST[codes] : (float)(j % 29 - 14) * 0.5f;
        v[5 * n + j] = j == 0 ? MOST[codes] : (float)((int)j % 63 - 31) * 0x1p-10f;
    }
    tensor small = new_host(type, 6, n);
    host_convert(small, x);
    host_convert(x, small);
    return x;
}

START_TEST(rows_are_rounded)
{
    static const int64_t widths[] = {8, 13, 64, 1536, 8960};
    for (int type = 0; type < 3; type++)
        for (int w = 0; w < 5; w++)
            for (int codes = 0; codes < 3; codes++)
                if (takes(widths[w]) && operand_type(FLOATS[type]) == FLOATS[type])
                    compare_rounded(hard_rows(widths[w], FLOATS[type], codes), FLOATS[type], codes);
}
END_TEST

START_TEST(nan_is_not_hidden)
{
    for (int codes = 0; codes < 3; codes++) {
        tensor x = random_host(3, 64, 1, F32);
        for (int j = 0; j < 64; j++)
            ((float *)x.data)[64 + j] = 0;
        ((float *)x.data)[5] = NAN;
        ((float *)x.data)[64 + 9] = -NAN;
        ((float *)x.data)[128 + 63] = INFINITY;
        tensor y = placed(x, F32, 0);
        round_rows(y, y, CODES[codes]);
        tensor got = fetched(y);
        ck_assert(isnan(at(got, 0, 5)) && isnan(at(got, 1, 9)) && !isfinite(at(got, 2, 63)));
    }
}
END_TEST

/* ---- statistics ---- */

/* Adds the rows of x, each so many times; size: sums of magnitudes. */
typedef struct {
    double *most, *sum, *size, *squares;
} wanted_moments;

static void add_wanted(const wanted_moments *w, tensor x, int copies)
{
    for (int64_t i = 0; i < tensor_rows(x); i++)
        for (int64_t j = 0; j < tensor_width(x); j++) {
            double v = (double)at(x, i, j);
            w->most[j] = fmax(w->most[j], fabs(v));
            w->sum[j] += copies * v;
            w->size[j] += copies * fabs(v);
            w->squares[j] += copies * v * v;
        }
}

static double *doubles(int64_t n)
{
    double *p = remembered(new_bytes((size_t)n * sizeof *p));
    memset(p, 0, (size_t)n * sizeof *p);
    return p;
}

static tensor cleared(tensor_type type, int64_t n, int64_t width)
{
    tensor t = scratch(type, n, width);
    zero(t);
    return t;
}

static double *downloaded(tensor x)
{
    double *p = doubles(tensor_count(x));
    tensor host = x;
    host.data = p;
    download(host, x);
    return p;
}

static void compare_moments(tensor_type type, int64_t N, int64_t n)
{
    size_t mark = scratch_mark();
    tensor most = cleared(F32, 1, n), sum = cleared(F64, 1, n), squares = cleared(F64, 1, n);
    wanted_moments w = {doubles(n), doubles(n), doubles(n), doubles(n)};
    for (int copies = 1; copies < 3; copies++) { /* twice, and columns of another size */
        tensor x = random_host(N, n, 2, type);
        for (int64_t i = 0; i < N * n; i++)
            ((float *)x.data)[i] *= i % n % 7 == 3 ? 256 : 1;
        add_moments(most, sum, squares, placed(x, type, 8), copies);
        add_wanted(&w, x, copies);
    }
    tensor got = fetched(most);
    double *s = downloaded(sum), *q = downloaded(squares);
    for (int64_t j = 0; j < n; j++) {
        ck_assert_double_eq((double)at(got, 0, j), w.most[j]);
        if (!(fabs(s[j] - w.sum[j]) <= 3e-7 * w.size[j]) ||
            !(fabs(q[j] - w.squares[j]) <= 3e-7 * w.squares[j]))
            ck_abort_msg("%s [%d, %d], column %d: sum %.15g for %.15g, squares %.15g for %.15g",
                         type_name(type), (int)N, (int)n, (int)j, s[j], w.sum[j], q[j],
                         w.squares[j]);
    }
    scratch_reset(mark);
}

START_TEST(moments_are_added)
{
    static const int64_t rows_of[] = {1, 7, 37, 1000}, widths[] = {8, 13, 264, 1536};
    for (int type = 0; type < 3; type++)
        for (int i = 0; i < 4; i++)
            for (int k = 0; k < 4; k++)
                if (takes(widths[k]) && operand_type(FLOATS[type]) == FLOATS[type])
                    compare_moments(FLOATS[type], rows_of[i], widths[k]);
}
END_TEST

static void compare_gram(tensor_type type, int64_t N, int64_t n)
{
    size_t mark = scratch_mark();
    tensor gram = cleared(F64, n, n), x = random_host(N, n, 2, type);
    tensor device = placed(x, type, 8);
    double *want = doubles(n * n), allowed = on_cpu() ? 1e-12 : 1e-6, worst = 0;
    add_gram(gram, device, 1);
    add_gram(gram, device, 2);
    for (int64_t r = 0; r < N; r++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t k = 0; k < n; k++)
                want[i * n + k] += 3 * (double)at(x, r, i) * (double)at(x, r, k);
    double *got = downloaded(gram);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < n; k++) {
            double size = sqrt(want[i * n + i] * want[k * n + k]);
            double error = fabs(got[i * n + k] - want[i * n + k]) / size;
            worst = error > worst ? error : worst;
        }
    printf("# gram, %s [%d, %d]: %.2g of the diagonals' root, %.0g allowed\n", type_name(type),
           (int)N, (int)n, worst, allowed);
    ck_assert(worst <= allowed);
    scratch_reset(mark);
}

START_TEST(products_of_channels_are_added)
{
    for (int type = 0; type < 3; type++)
        if (operand_type(FLOATS[type]) == FLOATS[type]) {
            compare_gram(FLOATS[type], 1, 8);
            compare_gram(FLOATS[type], 301, 264);
            compare_gram(FLOATS[type], 4133, 64);
        }
    if (takes(13))
        compare_gram(F32, 37, 13);
}
END_TEST

TESTS(device_open, 120, rows_are_rounded, nan_is_not_hidden, moments_are_added,
      products_of_channels_are_added)
