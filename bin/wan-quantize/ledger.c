/*
** ledger.c: --ledger FILE: a row for every tensor of the output, whose bytes add up to its data.
**
** Tab-separated, a line of names first. What is not said of a tensor (bits of scales, errors of
** what is as it was) is an empty field.
*/
#include "ledger.h"

#include <stdio.h>

#include "../../common/die.h"
#include "../../common/openfile.h"

static FILE *file;
static const char *name;

void ledger_open(const char *path)
{
    if (!path)
        return;
    name = path;
    file = output_file(path);
    if (!file)
        die_errno("cannot create %s", path);
    fputs("name\trule\ttype\tshape\telements\tbits\tbytes\tbytes_before\tgreatest_error\t"
          "mean_error\trelative_error\n",
          file);
}

void ledger_add(const entry *e, const char *rule, int64_t elements, double bits, size_t before,
                const rounding *error)
{
    if (!file)
        return;
    fprintf(file, "%s\t%s\t%s\t%s\t%lld\t", e->name, rule, type_name(e->t.type),
            shape_text(e->t.rank, e->t.dim), (long long)elements);
    if (bits > 0)
        fprintf(file, "%.6g", bits);
    fprintf(file, "\t%zu\t%zu\t", tensor_bytes(e->t), before);
    if (error)
        fprintf(file, "%.6g\t%.6g\t%.6g\n", error->greatest, rounding_mean(*error),
                rounding_relative(*error));
    else
        fputs("\t\t\n", file);
}

void ledger_close(void)
{
    if (file && ((ferror(file) ? 1 : 0) | fclose(file)))
        die_errno("cannot write %s", name);
    file = NULL;
}
