/*
** weights.c: a checkpoint's file, whatever it is: safetensors, an index of shards, a .pth. Every
** tensor is touched.
*/
#include "../../common/checkpoint/weights.h"
#include "../../common/values.h"
#include "fuzz.h"

void fuzz_target(const uint8_t *bytes, size_t n)
{
    weights *w = weights_open(fuzz_path(bytes, n));
    for (int i = 0; i < weights_count(w); i++) {
        tensor t = weights_any(w, weights_name(w, i));
        summarize(t);
        weights_done(t);
    }
    weights_digest(w);
    weights_close(w);
}
