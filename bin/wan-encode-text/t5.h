/*
** t5.h: umT5's encoder, token ids to contexts.
*/
#ifndef T5_H
#define T5_H

#include "../load.h"

typedef struct {
    weights *w;
    int layers;
    int64_t vocabulary;
    int64_t width;           /* D */
    int64_t attention_width; /* H d */
    int64_t ffn_width;
    int64_t heads; /* H */
    int64_t buckets;
    tensor_type type; /* of the linears, as they will be used */
} t5;

/* Reads the sizes from the weights; their data are read by t5_encode. */
t5 t5_open(weights *w);

/* The contexts of n sequences: ids holds length[0] ids, then length[1], ...; context: host F32
** [sum of lengths, D]. Every layer's weights are loaded once. */
void t5_encode(const t5 *m, tensor context, const int32_t *ids, int n, const int64_t length[]);

#endif
