/*
** report.c: one line for all layers of a kind ("blocks.*.ffn.0.weight"), one for all together.
*/
#include "report.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/die.h"

typedef struct {
    char *kind, *worst; /* worst: the weight with the greatest error */
    int tensors;
    size_t before, after;
    rounding r;
} line;

static line *lines;
static int count;

/* A component that is a number, and not the last before the parameter's name, becomes a star:
 * blocks.17.ffn.0.weight and blocks.18.ffn.0.weight are one kind. */
static char *kind_of(const char *name)
{
    char *kind = new_bytes(strlen(name) + 1), *to = kind;
    while (*name) {
        size_t n = strcspn(name, "."), digits = strspn(name, "0123456789");
        const char *next = strchr(name + n, '.');
        bool inner = next && strchr(next + 1, '.');
        if (n && digits == n && inner)
            *to++ = '*';
        else {
            memcpy(to, name, n);
            to += n;
        }
        name += n;
        if (*name == '.')
            *to++ = *name++;
    }
    return kind;
}

static void add_to(line *l, const char *worst, int tensors, size_t before, size_t after, rounding r)
{
    if (!l->worst || r.greatest > l->r.greatest) {
        free(l->worst);
        l->worst = new_format("%s", worst);
    }
    l->tensors += tensors;
    l->before += before;
    l->after += after;
    l->r = rounding_sum(l->r, r);
}

void report_add(const char *name, size_t before, size_t after, rounding r)
{
    char *kind = kind_of(name);
    int i = 0;
    while (i < count && strcmp(lines[i].kind, kind) != 0)
        i++;
    if (i == count) {
        lines = realloc(lines, (size_t)++count * sizeof *lines);
        if (!lines)
            die("out of memory");
        lines[i] = (line){.kind = kind};
    } else {
        free(kind);
    }
    add_to(&lines[i], name, 1, before, after, r);
}

static void print_line(int width, const line *l)
{
    note("%-*s %8d %13zu %13zu %10.3g %10.3g %9.2g", width, l->kind, l->tensors, l->before,
         l->after, l->r.greatest, rounding_mean(l->r), rounding_relative(l->r));
}

void report_print(int other_tensors, size_t other_bytes)
{
    line all = {.kind = "all"};
    int width = (int)strlen("quantized");
    for (int i = 0; i < count; i++) {
        line *l = &lines[i];
        int n = (int)strlen(l->kind);
        width = n > width ? n : width;
        add_to(&all, l->worst, l->tensors, l->before, l->after, l->r);
    }
    note("%-*s %8s %13s %13s %10s %10s %9s", width, "quantized", "tensors", "bytes before", "after",
         "most error", "mean error", "relative");
    for (int i = 0; i < count; i++)
        print_line(width, &lines[i]);
    print_line(width, &all);
    note("the greatest error is in %s", all.worst);
    note("%d other tensors, %zu bytes, are as they were", other_tensors, other_bytes);
    free(all.worst);
}
