/*
** vectors.h: how alike two vectors of pictures or texts are.
*/
#ifndef VECTORS_H
#define VECTORS_H

#include "../common/tensor.h"

/* The cosine between host vectors F32 [1, P], in F64; dies if one of them is zero, naming the
 * document. */
double vectors_cosine(tensor a, tensor b, int document);

#endif
