/*
** product_tile.h: the products of a few rows by a few packed columns, all sums in registers.
** Included by product.c once for each set of instructions, which says what a vector is:
**
**     V, LANES         a vector of F32, and how many it has
**     ROWS, PANELS     rows and packed panels at a time: ROWS * PANELS * 16 / LANES sums,
**                      a row of b and one value of a must fit in the registers
**     LOAD, STORE, SPREAD(f), MUL, ADD, FMA(a, b, c)
**     NAME(x), TARGET  what functions are called, and are compiled for
*/

/* Of `rows` rows (known to the compiler) the first `m` are stored. */
TARGET INLINE void NAME(micro)(const int rows, const int panels, float *c, int64_t ldc, int64_t m,
                               int64_t depth, float alpha, bool add, const float *a, const float *b)
{
    enum { EACH = PRODUCT_WIDE / LANES, MOST = PANELS * EACH };
    V sum[ROWS][MOST], w[MOST];
    const int wide = panels * EACH;
    UNROLL
    for (int r = 0; r < rows; r++) {
        UNROLL
        for (int v = 0; v < wide; v++)
            sum[r][v] = SPREAD(0.0f);
    }
    const float *b1 = b + depth * PRODUCT_WIDE;
    for (int64_t k = 0; k < depth; k++) {
        UNROLL
        for (int v = 0; v < wide; v++)
            w[v] = LOAD((v < EACH ? b : b1) + k * PRODUCT_WIDE + v % EACH * LANES);
        UNROLL
        for (int r = 0; r < rows; r++) {
            V x = SPREAD(a[r * GATHER_STRIDE + k]);
            UNROLL
            for (int v = 0; v < wide; v++)
                sum[r][v] = FMA(x, w[v], sum[r][v]);
        }
    }
    V scale = SPREAD(alpha);
    UNROLL
    for (int r = 0; r < rows; r++) {
        if (r >= m)
            return;
        float *y = c + r * ldc;
        UNROLL
        for (int v = 0; v < wide; v++) {
            V t = MUL(sum[r][v], scale);
            if (add)
                t = ADD(t, LOAD(y + v * LANES));
            STORE(y + v * LANES, t);
        }
    }
}

/* m rows, as many as were gathered, by n columns. */
TARGET static void NAME(rows)(float *c, int64_t ldc, int64_t m, int64_t n, int64_t depth,
                              float alpha, bool add, const float *a, const float *packed)
{
    float spare[ROWS * PANELS * PRODUCT_WIDE];
    for (int64_t o = 0; o < n; o += PANELS * PRODUCT_WIDE) {
        int64_t left = min_i64(n - o, PANELS * PRODUCT_WIDE);
        const float *b = packed + o * depth;
        bool two = PANELS > 1 && left > PRODUCT_WIDE, part = left % PRODUCT_WIDE != 0;
        float *y = part ? spare : c + o;
        int64_t ld = part ? PANELS * PRODUCT_WIDE : ldc;
        bool sum = add && !part;
#define CASE(r)                                                                                    \
    case r:                                                                                        \
        if (two)                                                                                   \
            NAME(micro)(r, PANELS, y, ld, m, depth, alpha, sum, a, b);                             \
        else                                                                                       \
            NAME(micro)(r, 1, y, ld, m, depth, alpha, sum, a, b);                                  \
        break
        switch ((m + 1) / 2 * 2) {
            CASE(2);
#if ROWS >= 4
            CASE(4);
            CASE(6);
#endif
#if ROWS >= 8
            CASE(8);
            CASE(10);
            CASE(12);
            CASE(14);
#endif
        }
#undef CASE
        for (int64_t i = 0; part && i < m; i++)
            for (int64_t j = 0; j < left; j++)
                c[i * ldc + o + j] =
                    add ? spare[i * ld + j] + c[i * ldc + o + j] : spare[i * ld + j];
    }
}

#undef V
#undef LANES
#undef ROWS
#undef PANELS
#undef LOAD
#undef STORE
#undef SPREAD
#undef MUL
#undef ADD
#undef FMA
#undef NAME
#undef TARGET
