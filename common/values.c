/*
** values.c: any element type to F64, and summaries in one pass.
**
** The 8-bit floats are decoded here and nowhere else: no model uses them, but checkpoints have them
** and tensor-info should say what is in those.
*/
#include "values.h"

#include <math.h>

enum { BLOCK = 4096 };

/* Sign, `bits` of mantissa, and the rest exponent with this bias. E4M3 (OCP "FN") has no infinity
 * and one NaN; E5M2 is the upper half of an F16. */
static double f8_e4m3(uint8_t v)
{
    int exponent = v >> 3 & 15, mantissa = v & 7;
    double m = exponent ? ldexp(8 + mantissa, exponent - 10) : ldexp(mantissa, -9);
    if ((v & 0x7f) == 0x7f)
        return NAN;
    return v & 0x80 ? -m : m;
}

static double f8_e5m2(uint8_t v) { return (double)f32_of_f16((uint16_t)(v << 8)); }

void values(double *to, tensor t, int64_t first, int64_t n)
{
    const void *from = (const char *)t.data + (size_t)first * type_size(t.type);
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
    case F8_E4M3: LOOP(uint8_t, f8_e4m3(v));
    case F8_E5M2: LOOP(uint8_t, f8_e5m2(v));
    case I8: LOOP(int8_t, v);
    case U8: LOOP(uint8_t, v);
    case BOOL: LOOP(uint8_t, v != 0);
    case TENSOR_TYPES: break;
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
        double sum = 0, own = 0;
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
            own += (block[i] - mean) * (block[i] - mean);
        seen += finite;
        s.mean += step * (double)finite / (double)seen;
        squares += own + step * step * (double)finite * (double)(seen - finite) / (double)seen;
    }
    if (!seen)
        s.min = s.max = 0;
    s.deviation = seen ? sqrt(squares / (double)seen) : 0;
    return s;
}
