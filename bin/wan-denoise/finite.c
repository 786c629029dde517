/*
** finite.c: counts of NaN and infinities, a step behind.
*/
#include "finite.h"

#include "../../common/die.h"
#include "../../common/program.h"

finite_check finite_open(int steps, bool f16)
{
    return (finite_check){
        .steps = steps, .f16 = f16, .step = -1, .count = scratch(I64, GUIDANCE_PASSES + 1)};
}

void finite_begin(finite_check *c, int step, int passes, const tensor v[], tensor x)
{
    for (int i = 0; i <= passes; i++)
        nonfinite_count(slice(c->count, i, 1), i < passes ? v[i] : x);
    download_start(tensor_of(c->bad, I64, passes + 1), slice(c->count, 0, passes + 1));
    c->step = step;
    c->passes = passes;
}

void finite_end(finite_check *c)
{
    static const char *const names[] = {"the velocity", "the velocity without the prompt"};
    if (c->step < 0)
        return;
    download_finish();
    for (int i = 0; i <= c->passes; i++)
        if (c->bad[i])
            die("step %d of %d: %lld values of %s are not finite%s", c->step + 1, c->steps,
                (long long)c->bad[i], i < c->passes ? names[i] : "latents",
                c->f16 ? ": try --dtype bf16" : "");
    stats_add("steps", 1);
    progress("step", c->step + 1, c->steps);
    c->step = -1;
}
