/*
** hadamard.c: the rotation by the regular Hadamard matrix of 256, against the matrix itself.
*/
#include "compare.h"
#include "suite.h"

enum { N = 5, IN = 768, WIDTH = 256 };

/* H[i][j] = product over the four base-4 digits of R[digit of i][digit of j], R = J/2 - P */
static double matrix(int i, int j)
{
    double h = 1;
    for (int digit = 0; digit < 4; digit++, i /= 4, j /= 4)
        h *= i % 4 + j % 4 == 3 ? -0.5 : 0.5;
    return h;
}

START_TEST(is_the_matrix)
{
    static const tensor_type types[] = {F32, F16, BF16};
    for (int t = 0; t < 3; t++) {
        tensor_type A = operand_type(types[t]);
        size_t mark = scratch_mark();
        tally seen = {.name = type_name(A)};
        tensor host = random_host(N, IN, 1, A), y = placed(new_host(F32, N, IN), A, 8);
        hadamard(y, placed(host, A, 16));
        margins_untouched(y, 8, "hadamard");
        tensor got = fetched(y);
        for (int64_t row = 0; row < N; row++)
            for (int k = 0; k < IN; k++) {
                double sum = 0, size = 0;
                for (int j = 0; j < WIDTH; j++) {
                    double x = (double)at(host, row, k / WIDTH * WIDTH + j);
                    sum += matrix(j, k % WIDTH) * x;
                    size += fabs(x) / 16;
                }
                compare(&seen, at(got, row, k), sum, size, WIDTH, A);
            }
        report(&seen);
        scratch_reset(mark);
    }
}
END_TEST

START_TEST(twice_is_nothing)
{
    tensor_type A = operand_type(F32);
    tensor host = random_host(N, IN, 1, A), x = placed(host, A, 0);
    hadamard(x, x);
    hadamard(x, x);
    tensor got = fetched(x);
    for (int64_t i = 0; i < N * IN; i++)
        ck_assert(fabsf(((float *)got.data)[i] - ((float *)host.data)[i]) < 1e-6f);
}
END_TEST

TESTS(device_open, 60, is_the_matrix, twice_is_nothing)
