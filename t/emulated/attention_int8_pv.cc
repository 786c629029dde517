/*
** attention_int8_pv.cc: kernels/cuda/attention_int8_pv.cu lane by lane (cuda.h), for one head.
*/
#include "cuda.h"

#include "../../kernels/cuda/attention_int8_pv.cu"

#include "attention_int8_pv.h"

namespace
{
alignas(1024) uint4 shared[(256 << 10) / sizeof(uint4)];
}

void emulated_attention_int8_pv(uint16_t *y, int Lq, int Lk, const int8_codes *q,
                                const int8_codes *k, const int8_codes *v, const float *v_mean,
                                size_t shared_bytes, bool late)
{
    static const int order[16] = {0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15};
    int tiles = (int)ceil_div(Lk, PV_KEYS);
    uint8_t *kv = (uint8_t *)calloc((size_t)tiles, PV_TILE);
    for (int i = 0; i < tiles * 32; i++) /* those of keys that do not exist */
        ((float *)(kv + (size_t)(i / 32) * PV_TILE + 2 * PV_HALF))[i % 32] = LEAST;
    for (int i = 0; i < Lk; i++) {
        uint8_t *tile = kv + (size_t)(i / PV_KEYS) * PV_TILE, *values = tile + PV_HALF;
        int key = i % PV_KEYS;
        for (int c = 0; c < D; c++) {
            tile[key * D + (c / 16 ^ key % 8) * 16 + c % 16] = (uint8_t)k->code[i * D + c];
            int place = 0;
            while (order[place] != key % 16)
                place++;
            values[c * PV_KEYS + (key / 16 ^ c / 2 % 4) * 16 + place] = (uint8_t)v->code[i * D + c];
        }
        for (int copy = 0; copy < 8; copy++)
            ((float *)(tile + 2 * PV_HALF))[copy * 4 + key / 2 % 4] = k->scale[i];
    }
    attention_args a = {};
    a.y = y;
    a.y_stride = D;
    a.lq = Lq, a.lk = Lk, a.d = D, a.batch = a.heads = 1;
    a.scale_log2e = (float)(1.4426950408889634 / sqrt(D));
    lanes::shared_bytes = shared_bytes;
    lanes::late = late;
    attention_int8_pv<half_t>(a, {q->code, q->scale, kv, v->scale, v_mean, tiles});
    free(kv);
}
