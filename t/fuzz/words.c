/*
** words.c: what stands behind options. The first byte says which: levels (t, s), a rule of skipping (k), random
** numbers (r), a file of ratios (m), steps with guidance and blocks
** that are left out (g), a size and seeds (z), patterns and a name that they may fit (p).
*/
#include <stdlib.h>
#include <string.h>

#include "../../bin/noise.h"
#include "../../bin/patterns.h"
#include "../../bin/schedule.h"
#include "../../bin/wan-denoise/describe.h"
#include "../../bin/wan-denoise/guide.h"
#include "../../bin/wan-denoise/ratios.h"
#include "../../bin/wan-denoise/skip-rule.h"
#include "../../common/die.h"
#include "fuzz.h"

/* No model runs here. */
json_t *model_stamp(const run *r)
{
    (void)r;
    return NULL;
}

static void read_levels(const char *timesteps, const char *sigmas)
{
    schedule s = schedule_given(SCHEDULE_OFFICIAL, SOLVER_EULER, 5, timesteps, sigmas);
    for (int i = 0; i < s.steps; i++)
        if (!(s.sigma[i] > s.sigma[i + 1]))
            fuzz_broken("levels that are taken descend");
    schedule_free(&s);
}

static void read_patterns(const char *text)
{
    name_list list = {0};
    const char *name = strchr(text, '\n');
    patterns_add(&list, text);
    int at = patterns_fit(&list, 0, name ? name + 1 : "");
    if (at >= list.n)
        fuzz_broken("a pattern that fits is one of the list");
    names_free(&list);
}

static void read_random(const char *text)
{
    noise_kind kind;
    if (noise_parse(&kind, text) && !noise_text(kind))
        fuzz_broken("random numbers that are taken have a name");
}

/* Both are lines. */
static void read_guidance(const char *lines)
{
    char *text = new_format("%s", lines), *end = text + strcspn(text, "\n");
    request q = {.guidance = 5, .plan.steps = 50};
    char *omitted = *end ? end + 1 : NULL;
    *end = 0;
    guide_open(*text ? text : NULL, omitted, (int64_t)strlen(text) - 1);
    guide_check(&q, &(dit){.layers = 30});
    guide_fit(&q);
    for (int step = 0; step < 50; step++)
        if (guide_passes(&q, step) > GUIDANCE_PASSES)
            fuzz_broken("a step has at most two passes");
    free(text);
}

static void read_size(const char *lines)
{
    char *text = new_format("%s", lines), *end = text + strcspn(text, "\n");
    request q = {0};
    char *seeds = *end ? end + 1 : end;
    *end = 0;
    request_size(&q, text);
    if (q.width < 1 || q.height < 1)
        fuzz_broken("a size is one");
    request_seeds(&q, seeds);
    free(q.seed);
    free(text);
}

static void read_ratios(const uint8_t *bytes, size_t n)
{
    fuzz_file("ratios", bytes, n);
    ratio_table t = ratios_read("ratios");
    for (int step = 0; step < 50; step++)
        if (!(ratios_at(&t, step, 50, step % 2) > 0))
            fuzz_broken("a ratio is above 0");
    free(t.ratio);
}

void fuzz_target(const uint8_t *bytes, size_t n)
{
    const char *text = (const char *)bytes + 1;
    if (n == 0)
        return;
    switch (bytes[0]) {
    case 't': read_levels(text, NULL); break;
    case 's': read_levels(NULL, text); break;
    case 'k': free(skip_rule_read(text).text); break;
    case 'r': read_random(text); break;
    case 'g': read_guidance(text); break;
    case 'z': read_size(text); break;
    case 'm': read_ratios(bytes + 1, n - 1); break;
    default: read_patterns(text);
    }
}
