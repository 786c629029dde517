/*
** values.c: any element type to F64, and summaries in one pass.
*/
#include "values.h"

#include <math.h>

enum { BLOCK = 4096 };

/* Of types exact in F32. Elements before and behind what is asked for may share a block. */
static void widened(double *to, tensor t, int64_t first, int64_t n)
{
    enum { MOST = 512 };
    float room[MOST];
    int64_t block = type_block(t.type), skip = first % block;
    const char *from = (const char *)t.data + (size_t)(first / block) * type_size(t.type);
    for (int64_t done = 0; done < n; from += MOST / block * (int64_t)type_size(t.type), skip = 0) {
        int64_t whole = (skip + n - done + block - 1) / block * block;
        whole = whole < MOST ? whole : MOST;
        host_widen(room, from, t.type, whole);
        for (int64_t i = skip; i < whole && done < n; i++)
            to[done++] = (double)room[i];
    }
}

void values(double *to, tensor t, int64_t first, int64_t n)
{
    const void *from = (const char *)t.data + (size_t)first * type_size(t.type); /* if no blocks */
#define LOOP(ctype, expression)                                                                    \
    for (int64_t i = 0; i < n; i++) {                                                              \
        ctype v = ((const ctype *)from)[i];                                                        \
        to[i] = (double)(expression);                                                              \
    }                                                                                              \
    return
    switch (t.type) {
    case F64: LOOP(double, v);
    case I64: LOOP(int64_t, v);
    case U64: LOOP(uint64_t, v);
    case F32: LOOP(float, v);
    case I32: LOOP(int32_t, v);
    case U32: LOOP(uint32_t, v);
    case F16: LOOP(uint16_t, f32_of_f16(v));
    case BF16: LOOP(uint16_t, f32_of_bf16(v));
    case I16: LOOP(int16_t, v);
    case U16: LOOP(uint16_t, v);
    case I8: LOOP(int8_t, v);
    case U8: LOOP(uint8_t, v);
    case BOOL: LOOP(uint8_t, v != 0);
    default: widened(to, t, first, n);
    }
#undef LOOP
}

/* Mean and sum of squared deviations of a block are joined to those of all before it (Chan, Golub
 * and LeVeque 1983): exact enough for 10^9 elements far from zero, in one pass. */
value_summary summarize(tensor t)
{
    value_summary s = {.count = tensor_count(t), .min = INFINITY, .max = -INFINITY};
    double block[BLOCK], squares = 0;
    int64_t seen = 0;
    for (int64_t first = 0; first < s.count; first += BLOCK) {
        int64_t n = s.count - first < BLOCK ? s.count - first : BLOCK, finite = 0;
        double sum = 0, deviations = 0;
        values(block, t, first, n);
        for (int64_t i = 0; i < n; i++) {
            double v = block[i];
            if (!isfinite(v)) {
                *(isnan(v) ? &s.nans : &s.infinities) += 1;
                continue;
            }
            s.min = v < s.min ? v : s.min;
            s.max = v > s.max ? v : s.max;
            sum += v;
            block[finite++] = v;
        }
        if (!finite)
            continue;
        double mean = sum / (double)finite, step = mean - s.mean;
        for (int64_t i = 0; i < finite; i++)
            deviations += (block[i] - mean) * (block[i] - mean);
        seen += finite;
        s.mean += step * (double)finite / (double)seen;
        squares +=
            deviations + step * step * (double)finite * (double)(seen - finite) / (double)seen;
    }
    if (!seen)
        s.min = s.max = 0;
    s.deviation = seen ? sqrt(squares / (double)seen) : 0;
    return s;
}
