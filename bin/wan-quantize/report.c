/*
** report.c: what wan-quantize says of its errors: a line for each rule, below it a line for each
** kind of its layers ("blocks.*.ffn.0.weight"), and a last line for all layers.
*/
#include "report.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/die.h"

typedef struct {
    const char *rule;
    char *kind, *worst; /* kind NULL: all of the rule; worst: the weight with the greatest error */
    int tensors;
    change c;
} line;

static line *lines;
static int count, other_tensors;
static size_t other_bytes;

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

static void add_to(line *l, const char *worst, int tensors, change c)
{
    if (!l->worst || c.r.greatest > l->c.r.greatest) {
        free(l->worst);
        l->worst = new_format("%s", worst);
    }
    l->tensors += tensors;
    l->c.weights += c.weights;
    l->c.before += c.before;
    l->c.after += c.after;
    l->c.codes += c.codes;
    l->c.r = rounding_sum(l->c.r, c.r);
}

/* kind is freed with the line. */
static line *line_of(const char *rule, char *kind)
{
    for (int i = 0; i < count; i++)
        if (strcmp(lines[i].rule, rule) == 0 &&
            (kind ? lines[i].kind && strcmp(lines[i].kind, kind) == 0 : !lines[i].kind)) {
            free(kind);
            return &lines[i];
        }
    lines = realloc(lines, (size_t)++count * sizeof *lines);
    if (!lines)
        die("out of memory");
    lines[count - 1] = (line){.rule = rule, .kind = kind};
    return &lines[count - 1];
}

void report_add(const char *rule, const char *name, change c)
{
    add_to(line_of(rule, NULL), name, 1, c);
    add_to(line_of(rule, kind_of(name)), name, 1, c);
}

void report_same(size_t bytes)
{
    other_tensors++;
    other_bytes += bytes;
}

static line sum_of_all(void)
{
    line all = {.rule = "all"};
    for (int i = 0; i < count; i++)
        if (!lines[i].kind)
            add_to(&all, lines[i].worst, lines[i].tensors, lines[i].c);
    return all;
}

change report_all(void)
{
    line all = sum_of_all();
    free(all.worst);
    return all.c;
}

static void print_line(int width, const line *l)
{
    const change *c = &l->c;
    char *name = new_format("%s%s", l->kind ? "  " : "", l->kind ? l->kind : l->rule);
    note("%-*s %7d %11lld %6.3f %12zu %12zu %10.3g %10.3g %9.2g", width, name, l->tensors,
         (long long)c->weights, c->weights ? 8 * (double)c->codes / (double)c->weights : 0,
         c->before, c->after, c->r.greatest, rounding_mean(c->r), rounding_relative(c->r));
    free(name);
}

void report_print(void)
{
    line all = sum_of_all();
    int width = (int)strlen("quantized");
    for (int i = 0; i < count; i++) {
        int n = (int)(lines[i].kind ? strlen(lines[i].kind) + 2 : strlen(lines[i].rule));
        width = n > width ? n : width;
    }
    note("%-*s %7s %11s %6s %12s %12s %10s %10s %9s", width, "quantized", "tensors", "weights",
         "bits", "bytes before", "after", "most error", "mean error", "relative");
    for (int i = 0; i < count; i++) {
        if (!lines[i].kind)
            print_line(width, &lines[i]);
        for (int k = 0; k < count && !lines[i].kind; k++)
            if (lines[k].kind && strcmp(lines[k].rule, lines[i].rule) == 0)
                print_line(width, &lines[k]);
    }
    print_line(width, &all);
    note("the greatest error is in %s", all.worst);
    note("%d other tensors, %zu bytes, are as they were", other_tensors, other_bytes);
    free(all.worst);
}
