/*
** formula.c: tensors whose values follow from their names, so that large random models need not be
** kept: fixtures/nets/make.py has the same formula.
**
**     formula < LIST > document       a line a tensor: KEY NAME F32|U8 SCALE OFFSET SHAPE, as 64,3,3
**
** Value i is OFFSET + SCALE u, u = mix(fnv1a(KEY) + i) 2^-31 - 1 cut to 24 bits, in [-1, 1), as F32,
** or as U8 cut down to a level in 0..255. mix is a hash of 32 bits (Wellons' lowbias32).
*/
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/stream.h"

enum { MOST = 512 };

typedef struct {
    char key[128], name[128];
    double scale, offset;
    tensor t;
} line;

static line all[MOST];
static int n;

static uint32_t key_of(const char *s)
{
    uint32_t h = 2166136261u;
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 16777619u;
    return h;
}

static double uniform(uint32_t x)
{
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return (double)((x ^ x >> 16) >> 8) * 0x1p-23 - 1;
}

static void fill(const line *l)
{
    uint32_t key = key_of(l->key);
    for (int64_t i = 0; i < tensor_count(l->t); i++) {
        double v = l->offset + l->scale * uniform(key + (uint32_t)i);
        if (l->t.type == F32)
            ((float *)l->t.data)[i] = (float)v;
        else
            ((uint8_t *)l->t.data)[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : floor(v));
    }
}

static void read_line(line *l, char *text)
{
    char type[16], shape[128];
    int64_t dim[TENSOR_MAX_RANK];
    int rank = 0;
    if (sscanf(text, "%127s %127s %15s %lf %lf %127s", l->key, l->name, type, &l->scale, &l->offset,
               shape) != 6)
        die("line %d is not KEY NAME TYPE SCALE OFFSET SHAPE", n + 1);
    for (char *at = strtok(shape, ","); at && rank < TENSOR_MAX_RANK; at = strtok(NULL, ","))
        dim[rank++] = atoll(at);
    l->t = tensor_make(NULL, strcmp(type, "U8") == 0 ? U8 : F32, rank, dim);
    l->t.data = new_bytes(tensor_bytes(l->t));
}

int main(int argc, char **argv)
{
    (void)argc;
    program_name_set(argv[0]);
    char text[1024];
    document d = {0};
    writer out;
    while (n < MOST && fgets(text, sizeof text, stdin)) {
        read_line(all + n, text);
        fill(all + n);
        document_add(&d, all[n].name, all[n].t);
        n++;
    }
    writer_open(&out, stdout, "standard output");
    writer_header(&out, &d);
    for (int pass = 0; pass < 2; pass++) /* wide types first, as the header has them */
        for (int i = 0; i < n; i++)
            if ((all[i].t.type == F32) == (pass == 0))
                writer_tensor(&out, all[i].t);
    writer_end(&out);
    writer_close(&out);
    for (int i = 0; i < n; i++)
        free(all[i].t.data);
    document_free(&d);
    return 0;
}
