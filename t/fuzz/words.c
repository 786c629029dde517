/*
** words.c: what stands behind options. The first byte says which: levels (t, s), a rule of skipping (k), random
** numbers (r), a file of ratios (m), patterns and a name that they may fit (p).
*/
#include <stdlib.h>
#include <string.h>

#include "../../bin/noise.h"
#include "../../bin/patterns.h"
#include "../../bin/schedule.h"
#include "../../bin/wan-denoise/describe.h"
#include "../../bin/wan-denoise/ratios.h"
#include "../../bin/wan-denoise/skip-rule.h"
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
    case 'm': read_ratios(bytes + 1, n - 1); break;
    default: read_patterns(text);
    }
}
