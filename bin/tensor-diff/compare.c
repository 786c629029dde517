/*
** compare.c: greatest difference, relative L2, cosine, share of identical elements, PSNR.
**
** Sums are F64 over exact differences of F64 values, so that an error of 1e-7 of 10^8 elements is
** still seen. Equal infinities differ by 0; a NaN never compares well, not even with itself.
*/
#include "compare.h"

#include <assert.h>
#include <math.h>

#include "../../common/values.h"

enum { BLOCK = 2048 };

static bool same_bits(tensor a, tensor b, int64_t i)
{
    size_t n = type_size(a.type);
    return memcmp((const char *)a.data + (size_t)i * n, (const char *)b.data + (size_t)i * n, n) ==
           0;
}

comparison compare(tensor a, tensor b)
{
    comparison c = {.count = tensor_count(a)};
    double x[BLOCK], y[BLOCK], differences = 0, squares = 0, others = 0, products = 0;
    bool bits = a.type == b.type && type_block(a.type) == 1;
    assert(tensor_count(b) == c.count);
    for (int64_t first = 0; first < c.count; first += BLOCK) {
        int64_t n = c.count - first < BLOCK ? c.count - first : BLOCK;
        values(x, a, first, n);
        values(y, b, first, n);
        for (int64_t i = 0; i < n; i++) {
            c.same += bits ? same_bits(a, b, first + i) : x[i] == y[i];
            if (isnan(x[i]) || isnan(y[i])) {
                c.nans++;
                continue;
            }
            double d = x[i] == y[i] ? 0 : fabs(x[i] - y[i]);
            c.greatest = d > c.greatest ? d : c.greatest;
            differences += d * d;
            squares += y[i] * y[i];
            others += x[i] * x[i];
            products += x[i] * y[i];
        }
    }
    if (differences > 0) /* both infinite: the ratio is, too */
        c.relative = isinf(differences) ? INFINITY : sqrt(differences / squares);
    c.cosine = squares == 0 && others == 0 ? 1 : products / sqrt(squares) / sqrt(others);
    if (a.type == U8 && b.type == U8)
        c.psnr = 10 * log10(255.0 * 255.0 / (differences / (double)c.count));
    return c;
}
