/*
** groups.c: rows of a table by their variants, and their values by metric.
*/
#include "groups.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/nameindex.h"

measure measure_of(const csv *t, const char *metric)
{
    measure m = {.name = metric, .own = csv_find(t, metric), .a = -1, .b = -1};
    if (m.own < 0) {
        char *a = new_format("%s_a", metric), *b = new_format("%s_b", metric);
        m.a = csv_column(t, a);
        m.b = csv_column(t, b);
        free(a);
        free(b);
    }
    return m;
}

grouping groups_of(const csv *t)
{
    int b = csv_find(t, "variant_b"), a = csv_column(t, b < 0 ? "variant" : "variant_a");
    grouping g = {.of = new_bytes((size_t)t->rows * sizeof *g.of + 1), .pairs = b >= 0};
    int *in = new_bytes((size_t)t->rows * sizeof *in + 1);
    struct json_t *index = NULL;
    for (int row = 0; row < t->rows; row++) {
        const char *first = csv_text(t, row, a), *second = csv_text(t, row, b);
        char *key = new_format("%zu:%s%s", strlen(first), first, second);
        in[row] = index_find(index, key);
        if (in[row] < 0) {
            g.of[g.n] = (group){first, second, 0, NULL};
            index_note(&index, key, in[row] = g.n++);
        }
        g.of[in[row]].rows++;
        free(key);
    }
    for (int i = 0; i < g.n; i++) {
        g.of[i].row = new_bytes((size_t)g.of[i].rows * sizeof(int));
        g.of[i].rows = 0;
    }
    for (int row = 0; row < t->rows; row++) {
        group *mine = &g.of[in[row]];
        mine->row[mine->rows++] = row;
    }
    index_free(&index);
    free(in);
    return g;
}

void groups_free(grouping *g)
{
    for (int i = 0; i < g->n; i++)
        free(g->of[i].row);
    free(g->of);
}

static int cluster_of(values *v, struct json_t **index, const char *cell)
{
    int number = *cell ? index_find(*index, cell) : -1;
    if (number < 0) {
        number = v->clusters++;
        if (*cell)
            index_note(index, cell, number);
    }
    return number;
}

/* How much worse b is than a; of two that are as far as can be, not at all. */
static double farther(const measure *m, double a, double b)
{
    return a == b ? 0 : m->better > 0 ? a - b : b - a;
}

values values_of(const csv *t, const measure *m, const group *g, int clusters)
{
    size_t bytes = (size_t)g->rows * sizeof(double) + 1;
    values v = {.a = new_bytes(bytes),
                .b = new_bytes(bytes),
                .difference = new_bytes(bytes),
                .cluster = new_bytes(bytes)};
    struct json_t *index = NULL;
    for (int i = 0; i < g->rows; i++) {
        int row = g->row[i];
        double a = m->twin ? m->twin[row] : csv_number(t, row, m->own < 0 ? m->a : m->own);
        double b = m->twin || m->own < 0 ? csv_number(t, row, m->twin ? m->own : m->b) : 0;
        if (isnan(a) || isnan(b))
            continue;
        bool infinite = isinf(a) || isinf(b) || isinf(b - a);
        v.infinite += infinite;
        if (infinite && !m->twin)
            continue;
        v.a[v.n] = a;
        v.b[v.n] = b;
        v.difference[v.n] = m->twin ? farther(m, a, b) : m->own < 0 ? b - a : a;
        v.cluster[v.n++] = cluster_of(&v, &index, csv_text(t, row, clusters));
    }
    if (index)
        index_free(&index);
    return v;
}

void values_free(values *v)
{
    free(v->a);
    free(v->b);
    free(v->difference);
    free(v->cluster);
}

sample sample_of(const values *v) { return (sample){v->n, v->difference, v->cluster, v->clusters}; }

bool is_verdict(const values *v)
{
    for (int i = 0; i < v->n; i++)
        if ((v->a[i] != 0 && v->a[i] != 1) || (v->b[i] != 0 && v->b[i] != 1))
            return false;
    return true;
}
