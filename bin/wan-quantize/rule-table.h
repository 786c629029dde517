/*
** rule-table.h: a line of the table of rules, and the functions it is made of.
*/
#ifndef RULE_TABLE_H
#define RULE_TABLE_H

#include <math.h>

#include "rule.h"

/* What has a scale of its own. */
typedef enum { RANGE_TENSOR, RANGE_ROW, RANGE_SQUARE, RANGE_GROUP, RANGE_NONE } range_kind;

enum { SQUARE = 128 }; /* rows and columns */

struct rule {
    const char *name;
    tensor_type type; /* of the codes */
    range_kind range;
    int64_t group;    /* elements of RANGE_GROUP */
    tensor_type step; /* of a group's scale; F32 of squares; TENSOR_TYPES: scales are of rows */
    bool zero;        /* groups have zero points */
    bool scale_2;     /* and the tensor a scale over its groups' */
    int most;         /* int8-127's 127: codes are -most..most; 0: all that the type has */
    const char *(*fit)(const rule *, stored *, const float *w, const float *clip);
    float (*round)(const rule *, const stored *, int64_t row, int64_t k, float x);
    const char *(*code)(const rule *, stored *, const float *w_row, int64_t row);
};

const char *fit_int8(const rule *r, stored *s, const float *w, const float *clip);
const char *fit_int8_127(const rule *r, stored *s, const float *w, const float *clip);
float round_int8(const rule *r, const stored *s, int64_t row, int64_t k, float x);
const char *code_int8(const rule *r, stored *s, const float *w_row, int64_t row);

const char *fit_int4(const rule *r, stored *s, const float *w, const float *clip);
float round_int4(const rule *r, const stored *s, int64_t row, int64_t k, float x);
const char *code_int4(const rule *r, stored *s, const float *w_row, int64_t row);

const char *fit_fp8(const rule *r, stored *s, const float *w, const float *clip);
const char *fit_mx(const rule *r, stored *s, const float *w, const float *clip);
const char *fit_nvfp4(const rule *r, stored *s, const float *w, const float *clip);
float round_float(const rule *r, const stored *s, int64_t row, int64_t k, float x);
const char *code_float(const rule *r, stored *s, const float *w_row, int64_t row);

const char *fit_ggml(const rule *r, stored *s, const float *w, const float *clip);
const char *code_ggml(const rule *r, stored *s, const float *w_row, int64_t row);

/* Elements of a row of zero points: rows begin with a byte. */
static inline int64_t even(int64_t n) { return n + n % 2; }

/* The greatest magnitude of n values. */
static inline float greatest(const float *x, int64_t n)
{
    float most = 0;
#pragma omp simd reduction(max : most)
    for (int64_t i = 0; i < n; i++) {
        float m = fabsf(x[i]); /* of -0 too */
        most = m > most ? m : most;
    }
    return most;
}

/* To the nearest integer, ties to even, of |x| < 2^22. */
static inline float nearest(float x) { return (x + 0x1.8p23f) - 0x1.8p23f; }

static inline float between(float x, float least, float most)
{
    return x < least ? least : x > most ? most : x;
}

/* Nibbles: the even element is the low one. */
static inline int nibble(const uint8_t *p, int64_t i) { return p[i / 2] >> 4 * (i & 1) & 15; }

static inline void nibble_set(uint8_t *p, int64_t i, int v)
{
    int shift = 4 * (int)(i & 1);
    p[i / 2] = (uint8_t)((p[i / 2] & ~(15 << shift)) | v << shift);
}

#endif
