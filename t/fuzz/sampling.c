/*
** sampling.c: the metadata of a sampling that stopped: JSON of somebody's, and going on from it.
*/
#include <stdlib.h>
#include <string.h>

#include "../../bin/wan-denoise/state.h"
#include "fuzz.h"

void fuzz_begin(void) {}

void fuzz_target(const uint8_t *bytes, size_t n)
{
    static char text[1 << 16];
    metadata key = {"sampling", text};
    document d = {.keys = 1, .key = &key};
    request q = {.guidance = 5};
    if (n >= sizeof text)
        return;
    memcpy(text, bytes, n);
    text[n] = 0;
    request its = state_of(&q, &d);
    if (!its.goes_on)
        return;
    if (its.begin < its.first || its.begin > its.plan.steps || its.until != its.plan.steps)
        fuzz_broken("what is done lies within what is to be done");
    for (int i = 0; i < its.plan.steps; i++)
        if (!(its.plan.sigma[i] >= its.plan.sigma[i + 1]))
            fuzz_broken("levels do not rise");
    if (tensor_count(request_shape(&its, &d)) <= 0)
        fuzz_broken("it has a shape");
    schedule_free(&its.plan);
}
