/*
** sampling.c: a document that a sampling may go on from, as it comes from somebody: the JSON of the
** metadata `sampling`, its seed, and its tensors, lines of NAME DIM DIM .., in F32. Zero bytes
** divide the three. Without tensors it is what --recipe reads, a header alone.
*/
#include <stdlib.h>
#include <string.h>

#include "../../bin/wan-denoise/state.h"
#include "../../common/die.h"
#include "fuzz.h"

enum { MOST_ELEMENTS = 4096, TEXT_WIDTH = 8 };

/* A line's tensor, if there is room for it. */
static void add_tensor(document *d, char *line)
{
    static float values[MOST_ELEMENTS];
    char *dims = line + strcspn(line, " ");
    int64_t dim[TENSOR_MAX_RANK], count = 1;
    int rank = 0;
    if (*dims)
        *dims++ = 0;
    for (char *end; *dims; dims = end) {
        long n = strtol(dims, &end, 10);
        if (end == dims || n < 0 || n > MOST_ELEMENTS || rank == TENSOR_MAX_RANK)
            return;
        dim[rank++] = n;
        count *= n ? n : 1;
        if (count > MOST_ELEMENTS)
            return;
    }
    tensor t = tensor_make(NULL, F32, rank, dim);
    if (*line && !document_find(d, line) && strcmp(line, "__metadata__") != 0)
        document_add(d, line, t);
    if (document_find(d, line))
        d->entry[d->entries - 1].t.data = values;
}

static void check_state(const request *its)
{
    if (its->begin < its->first || its->begin > its->plan.steps || its->until != its->plan.steps)
        fuzz_broken("what is done lies within what is to be done");
    for (int i = 0; i < its->plan.steps; i++)
        if (!(its->plan.sigma[i] >= its->plan.sigma[i + 1]))
            fuzz_broken("levels do not rise");
}

void fuzz_target(const uint8_t *bytes, size_t n)
{
    static int memory;
    size_t json, seed, rest;
    document d = {0};
    request q = {.guidance = 5, .frames = 5, .height = 32, .width = 32};
    char *text = new_format("%s", fuzz_part(&bytes, &n, &json));
    if (json)
        metadata_set(&d, STATE_KEY, text);
    free(text);
    text = new_format("%s", fuzz_part(&bytes, &n, &seed));
    if (seed)
        metadata_set(&d, "seed", text);
    free(text);
    text = new_format("%s", fuzz_part(&bytes, &n, &rest));
    for (char *at = text, *line; (line = strsep(&at, "\n"));)
        add_tensor(&d, line);
    free(text);
    d.memory = d.entries ? (void *)&memory : NULL;

    request its = state_of(&q, &d);
    if (its.goes_on)
        check_state(&its);
    its = request_of(&its, &d);
    if (tensor_count(request_shape(&its, &d)) <= 0)
        fuzz_broken("it has a shape");
    for (int pass = 0; d.entries && pass < request_passes(&its); pass++)
        request_context(&d, pass, &(dit){.text_dim = TEXT_WIDTH, .text_len = 16});
    schedule_free(&its.plan);
    d.memory = NULL;
    document_free(&d);
}
