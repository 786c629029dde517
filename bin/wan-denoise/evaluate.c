/*
** evaluate.c: --forward: a document with the velocities of given latents at a given timestep.
*/
#include "evaluate.h"

#include <stdio.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "../../common/recipe.h"
#include "../inspect.h"
#include "describe.h"
#include "names.h"

tensor evaluate_latents(const document *d)
{
    if (!document_find(d, "latents") && !document_find(d, "noise"))
        die("standard input has neither latents nor noise");
    return document_latents(d, document_find(d, "latents") ? "latents" : "noise");
}

/* The document of --forward: its header, and what it will hold. */
static void begin(const run *r, writer *out, const document *in, tensor x, double at)
{
    const dit *m = &r->model;
    document d = {0};
    char timestep[32];
    int64_t L = tensor_count(x) / m->patch_embedding.weight.w.dim[1];
    snprintf(timestep, sizeof timestep, "%.9g", at);
    metadata_copy(&d, in);
    metadata_set(&d, "timestep", timestep);
    json_t *stamp = model_stamp(r);
    json_object_set_new(stamp, "forward", timestep_json(at));
    json_object_set_new(stamp, "tap", r->taps ? json_string(r->taps) : json_null());
    recipe_input(stamp, in);
    provenance_add(&d, r->options, r->numerics, stamp);
    names_of_text(m, run_check_text(r, in, GUIDANCE_PASSES), inspect_expect, &d);
    names_of_step(m, L, inspect_expect, &d);
    inspect_always(&d, "cond", x);
    inspect_always(&d, "uncond", x);
    inspect_check();
    inspect_begin(out, &d);
    document_free(&d);
}

/* --forward: one evaluation, both passes, and what the taps see of the first */
void evaluate_document(const run *r, writer *out, const document *in, double at)
{
    const dit *m = &r->model;
    size_t mark = scratch_mark();
    tensor latents = evaluate_latents(in), v[GUIDANCE_PASSES];
    begin(r, out, in, latents, at);
    dit_text text = run_text(r, in, GUIDANCE_PASSES);
    tensor rope = dit_rope(m, latents), x = scratch_tensor(F32, latents.rank, latents.dim);
    for (int p = 0; p < GUIDANCE_PASSES; p++)
        v[p] = scratch_tensor(F32, latents.rank, latents.dim);
    upload_into(x, latents);
    stats_phase("steps");
    dit_forward(m, GUIDANCE_PASSES, v, x, at, &text, rope, NULL);
    for (int p = 0; p < GUIDANCE_PASSES; p++) {
        int64_t bad = count_nonfinite(v[p]);
        if (bad)
            die("--forward %g: %lld values of %s are not finite%s", at, (long long)bad,
                p ? "uncond" : "cond", r->weight_type == F16 ? ": try --dtype bf16" : "");
    }
    for (int p = 0; p < GUIDANCE_PASSES; p++)
        inspect_see(p ? "uncond" : "cond", v[p]);
    inspect_end();
    stats_add("documents", 1);
    free(text.kv);
    scratch_reset(mark);
}
