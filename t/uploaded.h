/*
** uploaded.h: weights with one scale a row, or none, for tests and benches of the products.
*/
#ifndef UPLOADED_H
#define UPLOADED_H

#include "../kernels/kernels.h"

/* linear_upload() of n weights w[i] with scale[i] and b[i], NULL: none. */
static inline linear_weight uploaded(int n, const tensor w[], const tensor scale[],
                                     const tensor b[], tensor_type type)
{
    enum { MOST = 8 };
    stored s[MOST] = {{.w = w[0]}};
    for (int i = 0; i < n; i++)
        s[i] = (stored){.w = w[i], .scale = scale ? scale[i] : (tensor){0}};
    return linear_upload(n, s, b, type);
}

#endif
