/*
** output-error.c: how far a linear's outputs are off for weights that are not exact, over all inputs
** that statistics were made of.
**
**     output-error STATISTICS REFERENCE MODEL
**
** STATISTICS is of wan-denoise --stat PATTERN:gram, the others are documents of F32 weights. A line
** for each linear that has X^T X: its name and |X (W' - W)^T|^2, which is the trace of D G D^T with
** D = W' - W and G = X^T X.
*/
#include <stdio.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/stream.h"

static document first_of(const char *path)
{
    reader in;
    FILE *file = fopen(path, "rb");
    if (!file)
        die("cannot read %s", path);
    reader_open(&in, file, path);
    if (!reader_next(&in))
        die("%s is empty", path);
    reader_load(&in);
    return in.d;
}

static double squared_error(const float *w, const float *v, const double *gram, int64_t out,
                            int64_t in)
{
    double sum = 0;
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < in; i++) {
            double some = 0, d = (double)v[o * in + i] - (double)w[o * in + i];
            for (int64_t k = 0; k < in; k++)
                some += gram[i * in + k] * ((double)v[o * in + k] - (double)w[o * in + k]);
            sum += d * some;
        }
    return sum;
}

int main(int argc, char **argv)
{
    program_name_set(argv[0]);
    if (argc != 4)
        die("usage: output-error STATISTICS REFERENCE MODEL");
    document statistics = first_of(argv[1]), reference = first_of(argv[2]);
    document model = first_of(argv[3]);
    for (int n = 0; n < statistics.entries; n++) {
        const entry *e = &statistics.entry[n];
        char name[160], *end;
        snprintf(name, sizeof name, "%s", e->name);
        end = strstr(name, ".gram");
        if (!end)
            continue;
        snprintf(end, sizeof name - (size_t)(end - name), ".weight");
        int64_t in = e->t.dim[0], dim[] = {-1, in};
        tensor w = document_tensor(&reference, name, argv[2], F32, 2, dim);
        dim[0] = w.dim[0];
        tensor v = document_tensor(&model, name, argv[3], F32, 2, dim);
        printf("%s\t%g\n", name, squared_error(w.data, v.data, e->t.data, w.dim[0], in));
    }
    return fflush(stdout) ? 1 : 0;
}
