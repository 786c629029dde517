/*
** vectors.c: how alike two vectors of pictures or texts are.
*/
#include "vectors.h"

#include <math.h>

#include "../common/die.h"

static double dot(const float *a, const float *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

double vectors_cosine(tensor a, tensor b, int document)
{
    int64_t n = tensor_width(a);
    double squares = dot(a.data, a.data, n) * dot(b.data, b.data, n);
    if (!(squares > 0))
        die("a vector of document %d is zero: it has no direction", document);
    return dot(a.data, b.data, n) / sqrt(squares);
}
