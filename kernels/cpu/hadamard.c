/*
** hadamard.c: rows rotated by the regular Hadamard matrix of 256: symmetric and orthogonal.
**
** H = R x R x R x R (Kronecker), R = J/2 - P, P the antidiagonal of ones: all rows of H have the
** same sum, so that no output takes more of a common offset than another (which Sylvester's matrix
** does, whose first row is all ones). R of four values is half their sum, less the opposite value;
** it is applied at distances 1, 4, 16 and 64. The idea: ConvRot (regular Hadamard rotations).
*/
#include "cpu.h"

enum { WIDTH = 256 };

static void rotate(float v[WIDTH])
{
    for (int step = 1; step < WIDTH; step *= 4)
        for (int i = 0; i < WIDTH; i += i % step == step - 1 ? 3 * step + 1 : 1) {
            float *a = v + i, *b = a + step, *c = b + step, *d = c + step;
            float half = ((*a + *b) + (*c + *d)) * 0.5f, first = *a, second = *b;
            *a = half - *d;
            *b = half - *c;
            *c = half - second;
            *d = half - first;
        }
}

void hadamard(tensor y, tensor x)
{
    int64_t n = tensor_width(x);
    check_pair(y.type == F32 && x.type == F32 && same_matrix(y, x), "hadamard", y, x);
    check_one(n % WIDTH == 0, "hadamard", x, "a multiple of 256 wide");
#pragma omp parallel for if (tensor_count(x) >= PARALLEL_FROM)
    for (int64_t row = 0; row < tensor_rows(x); row++)
        for (int64_t k = 0; k < n; k += WIDTH) {
            float v[WIDTH];
            memcpy(v, f32_row(x, row) + k, sizeof v);
            rotate(v);
            memcpy(f32_row(y, row) + k, v, sizeof v);
        }
}
