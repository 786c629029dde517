/*
** preview.c: the estimate of the data at a step, written as a document.
**
** With flow matching x = (1 - sigma) data + sigma noise, v = noise - data, so data = x - sigma v:
** what solvers that predict the data keep (solver.c), computed apart from theirs, so that it is
** there for all of them and touches none. Each solver's last step, to sigma 0, ends at it.
*/
#include "preview.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/die.h"
#include "../../common/openfile.h"
#include "describe.h"
#include "skip.h"

static struct {
    writer out; /* out.file NULL: there are no previews */
    int every, until;
    tensor data; /* F32, on the device */
} now;

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && !S_ISCHR(a->st_mode);
}

void preview_check(const char *file, const char *model)
{
    static const char *const standard[] = {"standard input", "standard output"};
    struct stat its, other;
    if (strcmp(file, "-") == 0)
        usage_error("--preview - would be standard output, which has the latents");
    if (stat(file, &its))
        return;
    for (int i = 0; i < 2; i++)
        if (fstat(i, &other) == 0 && same_file(&its, &other))
            die("--preview %s is %s", file, standard[i]);
    if (stat(model, &other) == 0 && same_file(&its, &other))
        die("--preview %s is the model", file);
}

void preview_open(const char *file, int every)
{
    int fd = output_open(file);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    if (!f)
        die_errno("--preview: cannot write '%s'", file);
    now.every = every;
    writer_open(&now.out, f, file);
    writer_spare(&now.out);
}

static bool wanted(void) { return now.out.file && !now.out.lost; }

static bool due(int step) { return wanted() && (step % now.every == 0 || step == now.until); }

void preview_begin(const request *q, tensor shape)
{
    now.until = q->until;
    if (wanted())
        now.data = scratch_tensor(F32, shape.rank, shape.dim);
}

void preview_estimate(const solver *s, int n, const tensor v[], const double c[])
{
    double sigma = s->sigma[s->step + s->second], weight[1 + SOLVER_VELOCITIES] = {1};
    tensor terms[1 + SOLVER_VELOCITIES] = {s->x};
    if (!due(s->step + 1))
        return;
    for (int i = 0; i < n; i++) {
        terms[i + 1] = v[i];
        weight[i + 1] = -sigma * c[i];
    }
    linear_combination(now.data, n + 1, terms, weight);
}

void preview_write(const run *r, const request *q, const document *in, uint64_t seed, int step)
{
    if (!due(step))
        return;
    document d = {0};
    tensor host = now.data;
    host.data = new_bytes(tensor_bytes(host));
    download(host, now.data);
    describe_estimate(r, &d, q, in, host, seed, step, skip_taken());
    document_add(&d, "latents", host);
    writer_header(&now.out, &d);
    writer_tensor(&now.out, host);
    writer_end(&now.out);
    stats_add("previews", now.out.lost ? 0 : 1);
    document_free(&d);
    free(host.data);
}

void preview_close(void)
{
    if (now.out.file)
        writer_close(&now.out);
}
