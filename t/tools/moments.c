/*
** moments.c: the statistics of tapped inputs, by plain loops, as wan-denoise --stat writes them.
**
**     cat TAPPED... | moments FROM TO [gram]      tensors NAME:in of documents with timesteps FROM..TO
**
** What is made of a text has no timestep: it counts wherever it is.
*/
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/stream.h"

enum { MOST = 256 };

static struct {
    char *name;
    int64_t in, count;
    double *sum, *squares, *gram;
    float *absmax;
} all[MOST];
static int n;

static void *zeros(int64_t bytes)
{
    void *p = new_bytes((size_t)bytes);
    memset(p, 0, (size_t)bytes);
    return p;
}

static int find(const char *name, int64_t in)
{
    for (int i = 0; i < n; i++)
        if (strcmp(all[i].name, name) == 0)
            return i;
    if (n == MOST)
        die("more than %d linears", MOST);
    all[n].name = new_format("%s", name);
    all[n].in = in;
    all[n].sum = zeros(in * 8);
    all[n].squares = zeros(in * 8);
    all[n].gram = zeros(in * in * 8);
    all[n].absmax = zeros(in * 4);
    return n++;
}

static void add(const char *name, tensor x, bool gram)
{
    int i = find(name, tensor_width(x));
    int64_t in = all[i].in;
    for (int64_t r = 0; r < tensor_rows(x); r++) {
        const float *v = (const float *)x.data + r * in;
        all[i].count++;
        for (int64_t k = 0; k < in; k++) {
            all[i].sum[k] += (double)v[k];
            all[i].squares[k] += (double)v[k] * (double)v[k];
            all[i].absmax[k] = fmaxf(all[i].absmax[k], fabsf(v[k]));
            for (int64_t j = 0; gram && j < in; j++)
                all[i].gram[k * in + j] += (double)v[k] * (double)v[j];
        }
    }
}

static bool of_text(const char *name)
{
    return strncmp(name, "text_", 5) == 0 || strstr(name, "cross_attn.k") ||
           strstr(name, "cross_attn.v");
}

static void add_document(const document *d, long from, long to, bool gram)
{
    const char *t = metadata_get(d, "timestep");
    bool inside = t && atol(t) >= from && atol(t) <= to;
    for (int i = 0; i < d->entries; i++) {
        char name[128], *end;
        snprintf(name, sizeof name, "%s", d->entry[i].name);
        end = strstr(name, ":in");
        if (!end)
            continue;
        *end = 0;
        if (inside || of_text(name))
            add(name, d->entry[i].t, gram);
    }
}

static void each(document *d, writer *w, int i, const char *what, void *data, tensor_type type,
                 int64_t rows)
{
    char name[160];
    tensor t = rows > 1 ? tensor_of(data, type, rows, all[i].in)
                        : tensor_of(data, type, type == I64 ? 1 : all[i].in);
    snprintf(name, sizeof name, "%s.%s", all[i].name, what);
    if (w)
        writer_tensor(w, t);
    else
        document_add(d, name, t);
}

/* All that d declares, or if w all data. */
static void each_tensor(document *d, writer *w, bool gram)
{
    for (int i = 0; i < n; i++) {
        each(d, w, i, "sum", all[i].sum, F64, 1);
        each(d, w, i, "squares", all[i].squares, F64, 1);
        if (gram)
            each(d, w, i, "gram", all[i].gram, F64, all[i].in);
        each(d, w, i, "count", &all[i].count, I64, 1);
    }
    for (int i = 0; i < n; i++)
        each(d, w, i, "absmax", all[i].absmax, F32, 1);
}

int main(int argc, char **argv)
{
    reader in;
    writer out;
    document d = {0};
    program_name_set(argv[0]);
    if (argc < 3)
        die("usage: moments FROM TO [gram]");
    reader_open(&in, stdin, "standard input");
    while (reader_next(&in)) {
        reader_load(&in);
        add_document(&in.d, atol(argv[1]), atol(argv[2]), argc > 3);
    }
    writer_open(&out, stdout, "standard output");
    each_tensor(&d, NULL, argc > 3);
    writer_header(&out, &d);
    each_tensor(NULL, &out, argc > 3);
    writer_end(&out);
    writer_close(&out);
    document_free(&d);
    return fflush(stdout) ? 1 : 0;
}
