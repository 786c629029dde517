/*
** ratios.c: reads MagCache's ratios from a file, and measures them for --stat residual.
**
** Source: Ma et al. 2025 (MagCache). If a sampling has another number of steps than the file, the
** ratio of the nearest step is taken, as in its code. Norms are computed on the host in F64, which
** is slow, but ratios are measured only once for a model.
*/
#include "ratios.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/digest.h"
#include "../../common/openfile.h"
#include "../../common/recipe.h"
#include "../load.h"
#include "describe.h"

static const char NAME[] = "residual.ratio";

/* ---- reading ---- */

ratio_table ratios_read(const char *path)
{
    static digest d;
    reader r;
    FILE *file = input_file(path);
    if (!file)
        die("cannot open %s: %m", path);
    reader_open(&r, file, path);
    if (!reader_next(&r))
        die("%s has no document", path);
    reader_load(&r);
    tensor t = document_tensor(&r.d, NAME, path, F32, 2, (int64_t[]){-1, -1});
    ratio_table table = {.steps = (int)t.dim[0], .passes = (int)t.dim[1]};
    if (table.steps < 1 || table.passes < 1 || table.passes > GUIDANCE_PASSES)
        die("%s of %s is %s, not [steps, passes]", NAME, path, tensor_text(t));
    table.ratio = new_bytes(tensor_bytes(t));
    memcpy(table.ratio, t.data, tensor_bytes(t));
    for (int64_t i = 0; i < tensor_count(t); i++)
        if (!(table.ratio[i] > 0 && isfinite(table.ratio[i])))
            die("%s of %s has values that are no ratios", NAME, path);
    digester *g = digester_new();
    digester_add(g, table.ratio, tensor_bytes(t));
    d = digester_end(g);
    table.digest = d.hex;
    document_free(&r.d);
    fclose(file);
    return table;
}

double ratios_at(const ratio_table *t, int step, int steps, int pass)
{
    double scale = steps > 1 ? (double)(t->steps - 1) / (steps - 1) : 0;
    int i = steps > 1 ? (int)rint(step * scale) : t->steps - 1;
    return (double)t->ratio[i * t->passes + (pass < t->passes ? pass : t->passes - 1)];
}

/* ---- measuring ---- */

static struct {
    int steps, passes, results;
    double *sum;    /* [steps, passes] */
    float *now;     /* [rows, D] */
    double *before; /* [rows]: norms at the step before */
    json_t *seeds;
    digester *inputs;
} all;

void ratios_open(int steps, int passes)
{
    all.steps = steps;
    all.passes = passes;
    all.sum = new_bytes(sizeof *all.sum * (size_t)(steps * passes));
    memset(all.sum, 0, sizeof *all.sum * (size_t)(steps * passes));
    all.seeds = json_array();
    all.inputs = digester_new();
}

bool ratios_wanted(void) { return all.sum; }

void ratios_see(int step, tensor residual)
{
    int64_t n = tensor_rows(residual), D = tensor_width(residual), L = n / all.passes;
    if (step == 0) {
        all.now = new_bytes(tensor_bytes(residual));
        all.before = new_bytes(sizeof *all.before * (size_t)n);
    }
    tensor host = residual;
    host.data = all.now;
    download(host, residual);
    for (int p = 0; p < all.passes; p++) {
        double mean = 0;
        for (int64_t i = p * L; i < (p + 1) * L; i++) {
            double square = 0;
            for (int64_t j = 0; j < D; j++)
                square += (double)all.now[i * D + j] * all.now[i * D + j];
            double norm = sqrt(square);
            mean += step ? norm / all.before[i] : 1;
            all.before[i] = norm;
        }
        all.sum[step * all.passes + p] += mean / (double)L;
    }
    if (step == all.steps - 1) {
        free(all.now);
        free(all.before);
        all.results++;
    }
}

void ratios_source(const document *in, uint64_t seed)
{
    json_t *its = json_object();
    recipe_input(its, in);
    const char *input = json_string_value(json_object_get(its, "input"));
    char *line = new_format("%s %llu\n", input ? input : "", (unsigned long long)seed);
    digester_add(all.inputs, line, strlen(line));
    json_array_append_new(all.seeds, json_integer((json_int_t)seed));
    free(line);
    json_decref(its);
}

void ratios_write(const run *r, writer *out, const request *q)
{
    document d = {0};
    json_t *stamp = model_stamp(r);
    json_t *about =
        json_pack("{s:i, s:i, s:i, s:O, s:s}", "version", 1, "steps", all.steps, "results",
                  all.results, "seeds", all.seeds, "weights", weights_digest(r->checkpoint));
    schedule_put(&q->plan, about);
    char *text = json_dumps(about, JSON_COMPACT | JSON_REAL_PRECISION(9));
    metadata_set(&d, "stat", text);
    free(text);
    json_decref(about);
    json_object_set_new(stamp, "stat", json_string(r->stat));
    json_object_set_new(stamp, "input", json_sprintf("documents:%s", digester_end(all.inputs).hex));
    provenance_add(&d, r->options, r->numerics, stamp);

    int64_t n = all.steps * all.passes;
    float *ratio = new_bytes(sizeof *ratio * (size_t)n);
    for (int64_t i = 0; i < n; i++)
        ratio[i] = (float)(all.sum[i] / all.results);
    tensor t = tensor_of(ratio, F32, all.steps, all.passes);
    document_add(&d, NAME, t);
    writer_header(out, &d);
    writer_tensor(out, t);
    writer_end(out);
    stats_add("documents", 1);
    document_free(&d);
    free(ratio);
}
