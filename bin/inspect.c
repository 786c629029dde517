/*
** inspect.c: --tap: what is wanted of a document, and its way onto standard output.
*/
#include "inspect.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../common/die.h"
#include "../kernels/kernels.h"
#include "patterns.h"

/* Elements that pass through host memory at a time: 16 MB of F32. */
enum { PIECE = 1 << 22 };

typedef struct {
    char *name;
    int64_t rows, width, have; /* have: rows that were seen */
    float *waiting;            /* those, before its turn; or NULL */
} tap;

static struct {
    const char *names;
    name_list patterns;
    bool *fitted; /* [patterns] */
} asked;

static struct {
    writer *w; /* NULL: nothing is being written */
    int n, turn;
    tap *tap;
} now;

void inspect_open(const char *names)
{
    if (!names)
        return;
    patterns_add(&asked.patterns, names);
    if (!asked.patterns.n)
        usage_error("--tap takes names or patterns, not '%s'", names);
    asked.names = names;
    asked.fitted = new_bytes(sizeof *asked.fitted * (size_t)asked.patterns.n);
}

bool inspect_any(void) { return asked.names != NULL; }

/* ---- what a document will hold ---- */

static void declare(document *d, const char *name, tensor shape)
{
    now.tap = realloc(now.tap, sizeof *now.tap * (size_t)(now.n + 1));
    if (!now.tap)
        die("out of memory");
    now.tap[now.n++] =
        (tap){new_format("%s", name), tensor_rows(shape), tensor_width(shape), 0, NULL};
    document_add(d, name, shape);
}

/* Does a pattern fit? All that do have fitted something. */
static bool fits(const char *name)
{
    int first = patterns_fit(&asked.patterns, 0, name);
    for (int i = first; i >= 0; i = patterns_fit(&asked.patterns, i + 1, name))
        asked.fitted[i] = true;
    return first >= 0;
}

void inspect_expect(void *to, const char *name, bool linear, tensor shape)
{
    char *full = new_format("%s%s", name, linear ? ":in" : "");
    if (fits(full))
        declare(to, full, shape);
    free(full);
}

void inspect_always(document *d, const char *name, tensor shape)
{
    fits(name);
    shape.data = NULL;
    declare(d, name, shape);
}

void inspect_check(void)
{
    for (int i = 0; i < asked.patterns.n; i++)
        if (!asked.fitted[i])
            die("--tap %s: there is no intermediate %s", asked.names, asked.patterns.name[i]);
}

void inspect_begin(writer *w, document *d)
{
    writer_header(w, d);
    now.w = w;
    now.turn = 0;
}

/* ---- what is seen ---- */

static tap *find(const char *name)
{
    for (int i = 0; now.w && i < now.n; i++)
        if (strcmp(now.tap[i].name, name) == 0)
            return &now.tap[i];
    return NULL;
}

bool inspect_wants(const char *name) { return find(name) != NULL; }

/* n rows of F32 that are next in the tap: out, or to where they wait. */
static void take(tap *t, const float *x, int64_t n)
{
    size_t row = (size_t)t->width * sizeof *x;
    if (t == now.tap + now.turn)
        writer_bytes(now.w, x, (size_t)n * row);
    else {
        if (!t->waiting)
            t->waiting = new_bytes((size_t)t->rows * row + 1);
        memcpy(t->waiting + t->have * t->width, x, (size_t)n * row);
    }
    t->have += n;
}

/* The turn goes to the next as long as one is complete; of what waited the rows go out. */
static void pass_turn(void)
{
    while (now.turn < now.n && now.tap[now.turn].have == now.tap[now.turn].rows) {
        if (++now.turn == now.n)
            return;
        tap *t = now.tap + now.turn;
        if (t->waiting)
            writer_bytes(now.w, t->waiting, (size_t)(t->have * t->width) * sizeof *t->waiting);
        free(t->waiting);
        t->waiting = NULL;
    }
}

void inspect_see(const char *name, tensor x)
{
    tap *t = find(name);
    if (!t)
        return;
    int64_t width = t->width, N = tensor_count(x) / width, most = PIECE / width + 1;
    x = tensor_rows(x) == N ? x : reshape(x, N, width); /* a tensor of higher rank, a vector */
    N = N < t->rows - t->have ? N : t->rows - t->have;
    most = most < N ? most : N;
    void *raw = new_bytes((size_t)(most * width) * type_size(x.type) + 1);
    float *wide = new_bytes((size_t)(most * width) * sizeof *wide + 1);
    for (int64_t at = 0; at < N; at += most) {
        int64_t n = N - at < most ? N - at : most;
        tensor host = tensor_of(raw, x.type, n, width);
        download(host, rows(x, at, n));
        host_convert(tensor_of(wide, F32, n, width), host);
        take(t, wide, n);
    }
    free(raw);
    free(wide);
    pass_turn();
}

void inspect_end(void)
{
    assert(now.turn == now.n);
    writer_end(now.w);
    for (int i = 0; i < now.n; i++)
        free(now.tap[i].name);
    free(now.tap);
    now.w = NULL;
    now.tap = NULL;
    now.n = 0;
}
