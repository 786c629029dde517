/*
** check.h: how an op refuses operands that do not fit: it names itself and both tensors.
**
**     linear: x is F32 [3, 4], but w is F16 [8, 5]
**
** A mismatch is the fault of a checkpoint or a stream often enough that it is die(), not assert.
*/
#ifndef CHECK_H
#define CHECK_H

#include "../common/die.h"
#include "../common/tensor.h"

/* a and b by the names that the op's prototype gives them. */
#define check_pair(ok, op, a, b)                                                                   \
    do {                                                                                           \
        if (!(ok))                                                                                 \
            die("%s: %s is %s, but %s is %s", op, #a, tensor_text(a), #b, tensor_text(b));         \
    } while (0)

/* One tensor against what the op wants of it. */
#define check_one(ok, op, a, wanted)                                                               \
    do {                                                                                           \
        if (!(ok))                                                                                 \
            die("%s: %s is %s, but must be %s", op, #a, tensor_text(a), wanted);                   \
    } while (0)

/* The same as matrices: rows and width. [T, Y, X, C] agrees with [T*Y*X, C]. */
static inline bool same_matrix(tensor a, tensor b)
{
    return tensor_rows(a) == tensor_rows(b) && tensor_width(a) == tensor_width(b);
}

#endif
