/*
** adapters.c: a LoRA's file, as whoever trained it wrote it: its names, its pairs, its factors. What is
** taken of it comes in pairs that fit each other, sorted by what they change.
*/
#include <string.h>

#include "../../bin/wan-merge/adapters.h"
#include "fuzz.h"

void fuzz_target(const uint8_t *bytes, size_t n)
{
    adapters a = {0};
    adapters_read(&a, fuzz_path(bytes, n));
    for (int i = 0; i < a.n; i++) {
        const adapter *one = a.all + i;
        if (!one->target || (!one->down.data && !one->up.data && !one->diff.data))
            fuzz_broken("what is read changes something");
    }
    adapters_free(&a);
}
