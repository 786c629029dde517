/*
** nets.c: the operations that networks of pictures need beside convolutions: patches that overlap,
** the greatest of squares, exact gelu; against plain F64 loops (compare.h says how).
*/
#include "compare.h"
#include "suite.h"

static const tensor_type FLOATS[] = {F32, F16, BF16};

/* C, T, Y, X of the pictures; patches; columns of zeros behind a row. */
static const struct {
    int64_t C, T, Y, X, extra;
    int side, step, pad;
} unfoldings[] = {
    {3, 2, 37, 45, 5, 11, 4, 2}, {3, 1, 31, 31, 5, 11, 4, 2}, {3, 2, 9, 14, 5, 3, 1, 1},
    {8, 1, 8, 8, 0, 3, 2, 0},    {1, 1, 2, 3, 7, 5, 1, 2},    {2, 3, 1, 1, 6, 1, 3, 0},
};

static void unfold_case(int i, tensor_type A)
{
    size_t mark = scratch_mark();
    int64_t C = unfoldings[i].C, T = unfoldings[i].T, Y = unfoldings[i].Y, X = unfoldings[i].X;
    int side = unfoldings[i].side, step = unfoldings[i].step, pad = unfoldings[i].pad;
    int64_t V = (Y + 2 * pad - side) / step + 1, U = (X + 2 * pad - side) / step + 1;
    int64_t width = C * side * side + unfoldings[i].extra;
    tensor host = random_host(C * T * Y, X, 3, A),
           y = placed(new_host(F32, T * V * U, width), A, 8);
    unfold(y, reshape(upload(host, F32), C, T, Y, X), side, step, pad);
    margins_untouched(y, 8, "unfold");
    tensor got = fetched(y);
    for (int64_t n = 0; n < T * V * U; n++)
        for (int64_t k = 0; k < width; k++) {
            int64_t c = k / side / side, t = n / U / V;
            int64_t row = n / U % V * step - pad + k / side % side;
            int64_t column = n % U * step - pad + k % side;
            bool there = c < C && row >= 0 && row < Y && column >= 0 && column < X;
            float want = there ? at(host, (c * T + t) * Y + row, column) : 0;
            if (at(got, n, k) != want)
                ck_abort_msg("case %d, row %d, column %d: %g instead of %g", i, (int)n, (int)k,
                             (double)at(got, n, k), (double)want);
        }
    scratch_reset(mark);
}

START_TEST(patches_that_overlap)
{
    for (int type = 0; type < 3; type++)
        for (size_t i = 0; i < sizeof unfoldings / sizeof *unfoldings; i++)
            unfold_case((int)i, operand_type(FLOATS[type]));
}
END_TEST

/* The greatest of x's squares, with a NaN where there is one. */
static void pool_case(int64_t T, int64_t Y, int64_t X, int64_t C, int side, int step, tensor_type A)
{
    size_t mark = scratch_mark();
    int64_t V = (Y - side) / step + 1, U = (X - side) / step + 1;
    tensor host = random_host(T * Y * X, C, 3, A), y = scratch(A, T, V, U, C);
    ((float *)host.data)[C / 2] = NAN;
    max_pool(y, reshape(placed(host, A, 0), T, Y, X, C), side, step);
    tensor got = fetched(y);
    for (int64_t n = 0; n < T * V * U; n++)
        for (int64_t c = 0; c < C; c++) {
            float want = -INFINITY;
            for (int k = 0; k < side * side; k++) {
                int64_t row = n / U % V * step + k / side, column = n % U * step + k % side;
                float v = at(host, (n / U / V * Y + row) * X + column, c);
                want = v > want || v != v ? v : want;
            }
            float have = at(got, n, c);
            if (have != want && !(have != have && want != want))
                ck_abort_msg("pixel %d, channel %d: %g instead of %g", (int)n, (int)c, (double)have,
                             (double)want);
        }
    scratch_reset(mark);
}

START_TEST(greatest_of_squares)
{
    for (int type = 0; type < 3; type++) {
        tensor_type A = operand_type(FLOATS[type]);
        pool_case(2, 9, 14, 64, 3, 2, A);
        pool_case(1, 4, 3, 8, 3, 2, A);
        pool_case(3, 7, 6, 24, 2, 2, A);
        pool_case(1, 2, 2, 16, 2, 2, A);
    }
}
END_TEST

START_TEST(gelu_by_the_error_function)
{
    for (int type = 0; type < 3; type++) {
        tensor_type A = operand_type(FLOATS[type]);
        size_t mark = scratch_mark();
        tally seen = {.name = type_name(A)};
        tensor host = random_host(70, 264, 9, A), y = placed(new_host(F32, 70, 264), A, 8);
        float edges[] = {0, -0.0f, 60, -60, 0x1p-20f, -0x1p-20f, 13.25f, -13.25f};
        memcpy(host.data, edges, sizeof edges);
        exact_gelu(y, placed(host, A, 16));
        margins_untouched(y, 8, "exact_gelu");
        tensor got = fetched(y);
        for (int64_t i = 0; i < 70 * 264; i++) {
            double v = (double)at(host, 0, i), want = v * erfc(-v / sqrt(2)) / 2;
            compare(&seen, at(got, 0, i), want, fabs(v), 1, A);
        }
        report(&seen);
        scratch_reset(mark);
    }
}
END_TEST

TESTS(device_open, 60, patches_that_overlap, greatest_of_squares, gelu_by_the_error_function)
