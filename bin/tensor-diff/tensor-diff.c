/*
** tensor-diff: how two tensors, or all tensors of two streams, differ; and whether that is within
** bounds. Tests are written with it.
**
** It refuses to compare other shapes (unless told that only the order counts), and no bound lets a
** NaN pass. A tensor or document that one side lacks is a difference; in a table, where every row
** is to have its numbers, it is the end.
*/
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "../../common/frames.h"
#include "../../common/program.h"
#include "../../common/source.h"
#include "compare.h"
#include "tensor-diff.h"

static double bound_rel = -1, bound_abs = -1, bound_same = -1; /* -1: not given */
static bool any_shape, with_metadata, per_document;

static const option options[] = {
    {'r', "rel", OPTION_FLOAT, &bound_rel, 0, INFINITY, false},
    {'a', "abs", OPTION_FLOAT, &bound_abs, 0, INFINITY, false},
    {'s', "same", OPTION_FLOAT, &bound_same, 0, 1, false},
    {0, "reshape", OPTION_FLAG, &any_shape, 0, 0, false},
    {0, "metadata", OPTION_FLAG, &with_metadata, 0, 0, false},
    {0, "per-document", OPTION_FLAG, &per_document, 0, 0, false},
    OPTIONS_END,
};

typedef struct {
    source *s;
    char *file;
    const char *name; /* in `file`: the one tensor asked for; NULL: all */
    bool ended;
} side;

/* Without bounds, only identical tensors pass. */
static bool within(const comparison *c)
{
    if (c->nans)
        return false;
    if (bound_rel < 0 && bound_abs < 0 && bound_same < 0)
        return c->same == c->count;
    return (bound_rel < 0 || c->relative <= bound_rel) &&
           (bound_abs < 0 || c->greatest <= bound_abs) &&
           (bound_same < 0 || (double)c->same >= bound_same * (double)c->count);
}

static bool same_sizes(const entry *x, const entry *y)
{
    return any_shape ? tensor_count(x->t) == tensor_count(y->t) : same_shape(x->t, y->t);
}

static bool diff_tensors(side *a, const entry *x, side *b, const entry *y)
{
    const char *name = shown(x->name);
    if (!same_sizes(x, y)) {
        printf("%s\tdiffers\tshape %s, not %s\n", name, shape_text(x->t.rank, x->t.dim),
               shape_text(y->t.rank, y->t.dim));
        return false;
    }
    comparison c = compare(source_readable(a->s, x), source_readable(b->s, y));
    bool good = within(&c);
    printf("%s\t%s\tabs %.3g\trel %.3g\tsame %.6g", name, good ? "ok" : "differs", c.greatest,
           c.relative, c.count ? (double)c.same / (double)c.count : 1);
    if (x->t.type == U8 && y->t.type == U8 && c.count)
        printf("\tpsnr %.2f", c.psnr);
    if (x->t.type != y->t.type)
        printf("\t%s, not %s", type_name(x->t.type), type_name(y->t.type));
    if (c.nans)
        printf("\tnan %" PRId64, c.nans);
    putchar('\n');
    return good;
}

static const entry *named(const side *s, const char *name)
{
    const entry *e = document_find(source_document(s->s), name);
    if (!e)
        die("%s has no tensor '%s'", source_where(s->s), name);
    return e;
}

/* Lines for what `in` has and the other does not. */
static bool all_in(side *in, side *other)
{
    bool good = true;
    const document *d = source_document(in->s);
    for (int i = 0; i < d->entries; i++)
        if (!document_find(source_document(other->s), d->entry[i].name)) {
            printf("%s\tdiffers\tmissing from %s\n", shown(d->entry[i].name),
                   source_where(other->s));
            good = false;
        }
    return good;
}

static bool diff_metadata(side *a, side *b)
{
    const document *x = source_document(a->s), *y = source_document(b->s);
    bool good = true;
    for (int i = 0; i < x->keys; i++) {
        const char *other = metadata_get(y, x->key[i].key);
        if (other && strcmp(other, x->key[i].value) == 0)
            continue;
        printf("metadata %s\tdiffers\t%s\t%s\n", shown(x->key[i].key), shown(x->key[i].value),
               other ? shown(other) : "(missing)");
        good = false;
    }
    for (int i = 0; i < y->keys; i++)
        if (!metadata_get(x, y->key[i].key)) {
            printf("metadata %s\tdiffers\t(missing)\t%s\n", shown(y->key[i].key),
                   shown(y->key[i].value));
            good = false;
        }
    return good;
}

static bool diff_documents(side *a, side *b)
{
    const char *one = a->name ? a->name : b->name;
    bool good = true;
    if (with_metadata)
        good &= diff_metadata(a, b);
    if (one)
        return good & diff_tensors(a, named(a, one), b, named(b, b->name ? b->name : one));
    const document *d = source_document(a->s);
    for (int i = 0; i < d->entries; i++) {
        const entry *other = document_find(source_document(b->s), d->entry[i].name);
        if (other)
            good &= diff_tensors(a, &d->entry[i], b, other);
    }
    good &= all_in(a, b);
    good &= all_in(b, a);
    return good;
}

/* ---- the table: a row for each document and tensor ---- */

/* The key of the first stream's document, or the second's. */
static const char *either(const side *a, const side *b, const char *key)
{
    const char *value = metadata_get(source_document(a->s), key);
    return value ? value : metadata_get(source_document(b->s), key);
}

static bool put_row(side *a, const entry *x, side *b, const entry *y, int number)
{
    static const char *const keys[] = {"seed", "step", "timestep", "sigma"};
    if (!same_sizes(x, y))
        die("%s: %s is %s, but %s in %s", source_where(a->s), shown(x->name),
            shape_text(x->t.rank, x->t.dim), shape_text(y->t.rank, y->t.dim), source_name(b->s));
    comparison c = compare(source_readable(a->s, x), source_readable(b->s, y));
    bool good = within(&c);
    printf("%d\t", number);
    for (int i = 0; i < 4; i++)
        print_cell(either(a, b, keys[i]));
    print_cell(x->name);
    print_cell(good ? "ok" : "differs");
    print_number(c.relative, '\t');
    print_number(c.greatest, '\t');
    print_number(c.cosine, '\t');
    print_number(c.count ? (double)c.same / (double)c.count : 1, '\t');
    print_number(x->t.type == U8 && y->t.type == U8 && c.count ? c.psnr : NAN, '\t');
    printf("%" PRId64 "\n", c.nans);
    return good;
}

/* Dies unless `other` has all tensors of `in`. */
static void need_all(const side *in, const side *other)
{
    const document *d = source_document(in->s);
    for (int i = 0; i < d->entries; i++)
        if (!document_find(source_document(other->s), d->entry[i].name))
            die("%s has no tensor '%s', but %s has", source_where(other->s),
                shown(d->entry[i].name), source_name(in->s));
}

/* Are both of one place in a sampling? Of another step they are not compared; of another seed, say,
 * they may be meant to be, and a row shows the first's alone: so that is told once for each key. */
static void check_places(const side *a, const side *b)
{
    static const char *const keys[] = {"step", "prompt", "seed", "timestep", "sigma"};
    static bool told[sizeof keys / sizeof *keys];
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *its = metadata_get(source_document(a->s), keys[i]);
        const char *other = metadata_get(source_document(b->s), keys[i]);
        if (!its || !other || strcmp(its, other) == 0)
            continue;
        if (i == 0)
            die("%s is of step %s, but of step %s in %s", source_where(a->s), shown(its),
                shown(other), source_name(b->s));
        if (!told[i])
            warn("%s is of %s %.60s, but of %.60s in %s", source_where(a->s), keys[i], shown(its),
                 shown(other), source_name(b->s));
        told[i] = true;
    }
}

static bool put_rows(side *a, side *b, int number)
{
    const char *one = a->name ? a->name : b->name;
    const document *d = source_document(a->s), *other = source_document(b->s);
    bool good = true;
    if (number == 1)
        puts("document\tseed\tstep\ttimestep\tsigma\ttensor\tresult\trel\tabs\tcosine\tsame\tpsnr\t"
             "nan");
    check_places(a, b);
    if (one)
        return put_row(a, named(a, one), b, named(b, b->name ? b->name : one), number);
    need_all(a, b);
    need_all(b, a);
    for (int i = 0; i < d->entries; i++)
        good &= put_row(a, &d->entry[i], b, document_find(other, d->entry[i].name), number);
    return good;
}

/* ---- two streams ---- */

/* Documents in pairs, as long as both have one. */
static bool diff_streams(side *a, side *b)
{
    bool good = true;
    for (int n = 0;; n++) {
        output_flush(); /* whoever reads the rows sees each while the next is awaited */
        a->ended = !source_next(a->s);
        b->ended = !source_next(b->s);
        if (n == 0 && (a->ended || b->ended))
            die("%s is empty", source_name(a->ended ? a->s : b->s));
        if (a->ended && b->ended)
            return good;
        if (per_document && (a->ended || b->ended))
            die("%s has %d documents, %s has more", source_name(a->ended ? a->s : b->s), n,
                source_name(a->ended ? b->s : a->s));
        if (a->ended || b->ended) {
            printf("document %d\tdiffers\tmissing from %s\n", n + 1,
                   source_name(a->ended ? a->s : b->s));
            return false;
        }
        stats_add("documents", 1);
        good &= per_document ? put_rows(a, b, n + 1) : diff_documents(a, b);
    }
}

static side open_side(const char *operand)
{
    char *file, *name;
    operand_split(operand, &file, &name);
    return (side){.s = source_open(file), .file = file, .name = name};
}

static void close_side(side *a)
{
    source_close(a->s);
    free(a->file);
}

int main(int argc, char **argv)
{
    int first = program_begin(argc, argv, options, usage);
    if (argc - first != 2)
        usage_error("two operands are needed, not %d", argc - first);
    if (argv[first][0] == '-' && argv[first + 1][0] == '-')
        usage_error("standard input can be only one of the two");
    if (per_document && with_metadata)
        usage_error("--per-document has no rows for --metadata");
    side a = open_side(argv[first]), b = open_side(argv[first + 1]);
    bool good = diff_streams(&a, &b);
    close_side(&a);
    close_side(&b);
    return program_end() || !good;
}
