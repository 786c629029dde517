/*
** statistics.c: accumulators on the device, one for each layer and bin of timesteps that has steps;
** and the documents that are made of them.
**
** Sums stay on the device until statistics_write(): to add a batch of rows takes two kernel
** launches (X^T X: some for each 512 rows), and the host, which counts the rows, waits for none of
** them.
*/
#include "statistics.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../common/die.h"
#include "../common/digest.h"
#include "../common/recipe.h"
#include "../kernels/kernels.h"
#include "patterns.h"
#include "schedule.h"

enum { TIMESTEPS = 1000, PASSES = 2, MOST_NAMES = 3 };

typedef struct {
    int64_t count;                     /* rows */
    tensor absmax, sum, squares, gram; /* F32, F64, F64 [in]; F64 [in, in] or absent */
} moments;

struct statistics {
    statistics *next;
    int n;
    char *name[MOST_NAMES];
    bool text;
    moments *bin; /* [bins], or one if text */
};

static struct {
    const char *list; /* as given; NULL: nothing is wanted */
    name_list patterns, grams;
    int bins;
    bool *planned; /* [bins]: has it timesteps? */
    int steps;
    const double *timestep; /* [steps] */
    bool *made;             /* [steps]: was there one at that timestep? */
    statistics *first, **last;
} all = {.last = &all.first};

/* Of the evaluation that runs. */
static struct {
    int bin, copies;
    int passes; /* 0: all rows count */
    int64_t each, n[PASSES];
} now;

/* Of all evaluations so far. */
static struct {
    int results;
    name_list prompts; /* digests */
    json_t *seeds;
    digester *inputs;
} from;

/* ---- what is asked for ---- */

static int bin_of(double t)
{
    int64_t bin = (int64_t)(t * all.bins / TIMESTEPS);
    return (int)(bin < all.bins ? bin : all.bins - 1);
}

/* The first whole timestep of a bin. */
static int64_t bin_from(int bin) { return ((int64_t)bin * TIMESTEPS + all.bins - 1) / all.bins; }

/* PATTERN:gram is a pattern of both lists. */
static void split_grams(const name_list *given)
{
    static const char end[] = ":gram";
    for (int i = 0; i < given->n; i++) {
        char *one = given->name[i];
        size_t n = strlen(one), k = strlen(end);
        bool gram = n > k && strcmp(one + n - k, end) == 0;
        if (gram)
            one[n - k] = 0;
        names_add(&all.patterns, one);
        if (gram)
            names_add(&all.grams, one);
    }
}

void statistics_open(const char *list, int bins, int steps, const double *timestep)
{
    name_list given = {0};
    if (!list)
        return;
    patterns_add(&given, list);
    if (!given.n)
        usage_error("--stat takes patterns of names, not '%s'", list);
    all.list = list;
    all.bins = bins;
    all.steps = steps;
    all.timestep = timestep;
    all.planned = new_bytes(sizeof *all.planned * (size_t)bins);
    for (int i = 0; i < steps; i++)
        all.planned[bin_of(timestep[i])] = true;
    all.made = new_bytes(sizeof *all.made * (size_t)(steps + 1));
    split_grams(&given);
    names_free(&given);
    from.seeds = json_array();
    from.inputs = digester_new();
}

bool statistics_wanted(void) { return all.list != NULL; }

const name_list *statistics_patterns(void) { return &all.patterns; }

static moments moments_of(int64_t in, bool gram)
{
    moments m = {0, scratch(F32, in), scratch(F64, in), scratch(F64, in), {0}};
    zero(m.absmax);
    zero(m.sum);
    zero(m.squares);
    if (gram) {
        m.gram = scratch(F64, in, in);
        zero(m.gram);
    }
    return m;
}

statistics *statistics_of(int n, char *const name[], int64_t in, bool text)
{
    bool wanted = false, gram = false;
    for (int i = 0; i < n; i++) {
        wanted = wanted || patterns_fit(&all.patterns, 0, name[i]) >= 0;
        gram = gram || patterns_fit(&all.grams, 0, name[i]) >= 0;
    }
    if (!wanted)
        return NULL;
    statistics *s = new_bytes(sizeof *s);
    int bins = text ? 1 : all.bins;
    *s = (statistics){.n = n, .text = text};
    assert(n <= MOST_NAMES);
    memcpy(s->name, name, sizeof *name * (size_t)n);
    s->bin = new_bytes(sizeof *s->bin * (size_t)bins);
    for (int i = 0; i < bins; i++)
        s->bin[i] = text || all.planned[i] ? moments_of(in, gram) : (moments){0};
    *all.last = s;
    all.last = &s->next;
    return s;
}

/* ---- while sampling ---- */

void statistics_step(double t)
{
    if (!all.list)
        return;
    now.bin = bin_of(t);
    for (int i = 0; i < all.steps; i++)
        all.made[i] = all.made[i] || all.timestep[i] == t;
    now.passes = 0;
}

void statistics_rows(int copies)
{
    now.copies = copies;
    now.passes = 0;
}

void statistics_text(int passes, int64_t each, const int64_t n[])
{
    assert(passes <= PASSES);
    now.bin = 0;
    now.copies = 1;
    now.passes = passes;
    now.each = each;
    memcpy(now.n, n, sizeof *n * (size_t)passes);
}

static void add_rows(moments *m, tensor x)
{
    m->count += now.copies * tensor_rows(x);
    add_moments(m->absmax, m->sum, m->squares, x, now.copies);
    if (m->gram.data)
        add_gram(m->gram, x, now.copies);
}

void statistics_add(statistics *s, tensor x)
{
    moments *m = &s->bin[s->text ? 0 : now.bin];
    assert(s->text == (now.passes > 0));
    if (!now.passes)
        add_rows(m, x);
    for (int p = 0; p < now.passes; p++)
        add_rows(m, rows(x, p * now.each, now.n[p]));
}

/* ---- of what ---- */

static void add_once(name_list *list, const char *name)
{
    for (int i = 0; i < list->n; i++)
        if (strcmp(list->name[i], name) == 0)
            return;
    names_add(list, name);
}

void statistics_source(const document *in, uint64_t seed, const json_t *stamp)
{
    const char *prompt = metadata_get(in, "prompt"), *input;
    const char *context = json_string_value(json_object_get(stamp, "context"));
    input = json_string_value(json_object_get(stamp, "input"));
    if (prompt)
        add_once(&from.prompts, digest_of_text(prompt).hex);
    else if (context)
        add_once(&from.prompts, context);
    char *line = new_format("%s %llu\n", input ? input : "", (unsigned long long)seed);
    digester_add(from.inputs, line, strlen(line));
    free(line);
    from.results++;
    bool known = false;
    for (size_t i = 0; i < json_array_size(from.seeds); i++)
        known = known || json_integer_value(json_array_get(from.seeds, i)) == (json_int_t)seed;
    if (!known)
        json_array_append_new(from.seeds, json_integer((json_int_t)seed));
}

/* ---- documents ---- */

bool statistics_seen(int bin)
{
    for (int i = 0; i < all.steps; i++)
        if (all.made[i] && bin_of(all.timestep[i]) == bin)
            return true;
    return false;
}

/* Calls f with each name that fits the list, and its moments in a bin. */
static void each_name(const name_list *list, int bin, void (*f)(void *, const char *, moments *),
                      void *to)
{
    for (statistics *s = all.first; s; s = s->next)
        for (int i = 0; i < s->n; i++)
            if (patterns_fit(list, 0, s->name[i]) >= 0)
                f(to, s->name[i], &s->bin[s->text ? 0 : bin]);
}

static void add_name(void *to, const char *name, moments *m)
{
    (void)m;
    names_add(to, name);
}

static json_t *seen_timesteps(int bin)
{
    json_t *array = json_array();
    for (int i = 0; i < all.steps; i++)
        if (all.made[i] && bin_of(all.timestep[i]) == bin &&
            (i == 0 || all.timestep[i] != all.timestep[i - 1]))
            json_array_append_new(array, timestep_json(all.timestep[i]));
    return array;
}

void statistics_describe(document *d, int bin, const char *weights, json_t *stamp)
{
    static digest inputs;
    name_list linears = {0}, grams = {0};
    each_name(&all.patterns, bin, add_name, &linears);
    each_name(&all.grams, bin, add_name, &grams);
    names_sort(&from.prompts);
    int64_t to = bin + 1 < all.bins ? bin_from(bin + 1) - 1 : TIMESTEPS;
    json_t *about = json_pack(
        "{s:i, s:i, s:i, s:I, s:I, s:o, s:i, s:i, s:o, s:O, s:o, s:o, s:s}", "version", 1, "bin",
        bin, "bins", all.bins, "from", (json_int_t)bin_from(bin), "to", (json_int_t)to, "timesteps",
        seen_timesteps(bin), "results", from.results, "number", from.prompts.n, "prompts",
        names_json(&from.prompts, "prompt"), "seeds", from.seeds, "linears",
        names_json(&linears, "linear"), "gram", names_json(&grams, "linear"), "weights", weights);
    char *text = json_dumps(about, JSON_COMPACT);
    if (!text)
        die("out of memory");
    metadata_set(d, "stat", text);
    free(text);
    json_decref(about);
    names_free(&linears);
    names_free(&grams);
    if (from.inputs)
        inputs = digester_end(from.inputs);
    from.inputs = NULL;
    json_object_set_new(stamp, "input", json_sprintf("documents:%s", inputs.hex));
    json_object_set_new(stamp, "stat", json_string(all.list));
    json_object_set_new(stamp, "bins", json_integer(all.bins));
    json_object_set_new(stamp, "bin", json_integer(bin));
}

static void declare(document *d, const char *name, const char *what, tensor shape)
{
    char *full = new_format("%s.%s", name, what);
    document_add(d, full, shape);
    free(full);
}

/* What has 8 bytes an element comes before all that has 4, as a stream wants it. */
static void declare_sums(void *to, const char *name, moments *m)
{
    declare(to, name, "sum", m->sum);
    declare(to, name, "squares", m->squares);
    if (m->gram.data && patterns_fit(&all.grams, 0, name) >= 0)
        declare(to, name, "gram", m->gram);
    declare(to, name, "count", tensor_of(NULL, I64, 1));
}

static void declare_absmax(void *to, const char *name, moments *m)
{
    declare(to, name, "absmax", m->absmax);
}

static void write_one(writer *w, tensor x)
{
    tensor host = x;
    host.data = new_bytes(tensor_bytes(x));
    download(host, x);
    writer_tensor(w, host);
    free(host.data);
}

static void write_sums(void *to, const char *name, moments *m)
{
    write_one(to, m->sum);
    write_one(to, m->squares);
    if (m->gram.data && patterns_fit(&all.grams, 0, name) >= 0)
        write_one(to, m->gram);
    writer_tensor(to, tensor_of(&m->count, I64, 1));
}

static void write_absmax(void *to, const char *name, moments *m)
{
    (void)name;
    write_one(to, m->absmax);
}

void statistics_write(writer *w, document *d, int bin)
{
    each_name(&all.patterns, bin, declare_sums, d);
    each_name(&all.patterns, bin, declare_absmax, d);
    writer_header(w, d);
    each_name(&all.patterns, bin, write_sums, w);
    each_name(&all.patterns, bin, write_absmax, w);
    writer_end(w);
}
