/*
** calibration.c: statistics of inputs, read layer by layer from maps of their files.
**
** The Gram matrix X^T X of 8960 channels has 640 MB, and a model has thirty of them. So headers
** alone are read at first, and a layer's bins are summed when the layer is quantised. Statistics of
** another model are refused: its channels mean something else.
*/
#include "calibration.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../common/die.h"
#include "../../common/digest.h"
#include "../../common/filemap.h"
#include "../../common/openfile.h"

typedef struct {
    document d;
    const unsigned char *data;
    char *where; /* "FILE, document 2" */
} bin;

struct calibration {
    int files, bins;
    filemap *map; /* [files] */
    bin *bin;     /* [bins] */
    digest content;
    char *weights; /* the digest of the model */
    name_list prompts;
};

/* ---- the files ---- */

static void read_said(calibration *c, const bin *b)
{
    const char *text = metadata_get(&b->d, "stat");
    json_t *o = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const char *weights = json_string_value(json_object_get(o, "weights"));
    json_t *prompts = json_object_get(o, "prompts");
    if (!weights)
        die("%s is no statistics as wan-denoise --stat writes them", b->where);
    if (c->weights && strcmp(c->weights, weights) != 0)
        die("%s is of another model (%s) than what comes before it (%s)", b->where, weights,
            c->weights);
    if (!c->weights)
        c->weights = new_format("%s", weights);
    for (size_t i = 0; i < json_array_size(prompts); i++) {
        const char *prompt = json_string_value(json_array_get(prompts, i));
        if (prompt)
            names_add(&c->prompts, prompt);
    }
    json_decref(o);
}

/* A document at `at`; returns its bytes, header and data. */
static size_t read_document(calibration *c, const char *path, const filemap *m, size_t at, int n)
{
    uint64_t header = 0;
    bin b = {.where = new_format("%s, document %d", path, n)};
    size_t left = m->bytes - at;
    for (int i = 0; left >= 8 && i < 8; i++)
        header |= (uint64_t)m->at[at + (size_t)i] << 8 * i;
    if (left < 8 || header > HEADER_LIMIT_FILE || header > left - 8)
        die("%s is no statistics as wan-denoise --stat writes them", b.where);
    document_parse(&b.d, (const char *)m->at + at + 8, header, UINT64_MAX, b.where);
    uint64_t data = b.d.entries ? b.d.entry[b.d.entries - 1].end : 0;
    if (data > left - 8 - header)
        die("%s is cut off: %" PRIu64 " bytes of data are missing", b.where,
            data - (left - 8 - header));
    b.data = m->at + at + 8 + header;
    c->bin = realloc(c->bin, (size_t)(c->bins + 1) * sizeof *c->bin);
    if (!c->bin)
        die("out of memory");
    c->bin[c->bins++] = b;
    read_said(c, &b);
    return 8 + header + data;
}

calibration *calibration_open(const option_list *files)
{
    calibration *c = new_bytes(sizeof *c);
    digester *all = digester_new();
    *c = (calibration){.files = files->n, .map = new_bytes((size_t)files->n * sizeof *c->map)};
    for (int i = 0; i < files->n; i++) {
        filemap *m = c->map + i;
        int fd = input_open(files->text[i]), n = 0;
        if (fd < 0)
            die_errno("cannot open %s", files->text[i]);
        filemap_open(m, fd, files->text[i]);
        close(fd);
        for (size_t at = 0; at < m->bytes;)
            at += read_document(c, files->text[i], m, at, ++n);
        digester_add(all, m->at, m->bytes);
        filemap_drop(m->at, m->bytes);
    }
    c->content = digester_end(all);
    names_sort(&c->prompts);
    return c;
}

void calibration_close(calibration *c)
{
    if (!c)
        return;
    for (int i = 0; i < c->bins; i++) {
        document_free(&c->bin[i].d);
        free(c->bin[i].where);
    }
    for (int i = 0; i < c->files; i++)
        filemap_close(c->map + i);
    names_free(&c->prompts);
    free(c->weights);
    free(c->bin);
    free(c->map);
    free(c);
}

const char *calibration_digest(const calibration *c) { return c->content.hex; }
const name_list *calibration_prompts(const calibration *c) { return &c->prompts; }

void calibration_check_model(const calibration *c, const char *weights, const char *path)
{
    if (strcmp(c->weights, weights) != 0)
        die("--stat is of another model: its weights' digest is %s, that of %s is %s", c->weights,
            path, weights);
}

/* ---- a layer ---- */

static const entry *find(const bin *b, const char *layer, const char *what)
{
    char *name = new_format("%s.%s", layer, what);
    const entry *e = document_find(&b->d, name);
    free(name);
    return e;
}

static void check_shape(const bin *b, const entry *e, tensor wanted)
{
    if (e->t.type != wanted.type || !same_shape(e->t, wanted))
        die("%s: %s is %s, but %s is needed", b->where, e->name, tensor_text(e->t),
            tensor_text(wanted));
}

/* sum += the n values of an entry; false if one is not finite. Data need not be aligned. */
static bool add_values(double *sum, const bin *b, const entry *e, int64_t n)
{
    const unsigned char *from = b->data + e->begin;
    int bad = 0;
#pragma omp parallel for reduction(| : bad)
    for (int64_t i = 0; i < n; i++) {
        double v;
        memcpy(&v, from + i * (int64_t)sizeof v, sizeof v);
        bad |= !isfinite(v);
        sum[i] += v;
    }
    filemap_drop(from, (size_t)n * sizeof *sum);
    return !bad;
}

static void add(moments *m, const bin *b, const char *layer)
{
    const entry *count = find(b, layer, "count"), *squares = find(b, layer, "squares");
    const entry *gram = find(b, layer, "gram");
    int64_t in = m->in, n;
    if (!count || !squares)
        die("%s has not all of %s: its count and squares are needed", b->where, layer);
    check_shape(b, count, tensor_of(NULL, I64, 1));
    check_shape(b, squares, tensor_of(NULL, F64, in));
    memcpy(&n, b->data + count->begin, sizeof n);
    if (n < 0)
        die("%s: %s is %" PRId64, b->where, count->name, n);
    if (__builtin_add_overflow(m->count, n, &m->count))
        die("%s: %s is beyond what is counted", b->where, count->name);
    bool fine = add_values(m->squares, b, squares, in);
    if (m->gram) {
        if (!gram)
            die("%s has no %s.gram, which other documents have", b->where, layer);
        check_shape(b, gram, tensor_of(NULL, F64, in, in));
        fine &= add_values(m->gram, b, gram, in * in);
    }
    if (!fine)
        die("%s: what it has of %s is not finite", b->where, layer);
}

/* What every Gram matrix has, whatever the inputs: no negative sum of squares; the sums of squares
 * on its diagonal; |g_ij| <= sqrt(g_ii g_jj) (Cauchy and Schwarz); symmetry. Without these it was
 * made of no inputs. Devices that add in F32 are 1e-6 apart. */
static bool is_of_inputs(const moments *m)
{
    static const double APART = 1e-4;
    int64_t in = m->in;
    int bad = 0;
    for (int64_t i = 0; i < in; i++)
        bad |= !(m->squares[i] >= 0) || !isfinite(m->squares[i]);
    if (bad || !m->gram)
        return !bad;
#pragma omp parallel for reduction(| : bad)
    for (int64_t i = 0; i < in; i++) {
        const double *row = m->gram + i * in;
        bad |= !(fabs(row[i] - m->squares[i]) <= APART * m->squares[i]);
        for (int64_t j = 0; j < i; j++) {
            double most = sqrt(m->squares[i]) * sqrt(m->squares[j]);
            bad |= !(fabs(row[j]) <= (1 + APART) * most) ||
                   !(fabs(row[j] - m->gram[j * in + i]) <= APART * most);
        }
    }
    return !bad;
}

static bool has(const calibration *c, const char *layer, const char *what)
{
    for (int i = 0; i < c->bins; i++)
        if (find(c->bin + i, layer, what))
            return true;
    return false;
}

bool calibration_has(const calibration *c, const char *layer) { return has(c, layer, "count"); }
bool calibration_has_gram(const calibration *c, const char *layer) { return has(c, layer, "gram"); }

moments calibration_of(calibration *c, const char *layer, int64_t in, bool gram)
{
    moments m = {.in = in, .squares = new_bytes((size_t)in * sizeof *m.squares)};
    if (gram && calibration_has_gram(c, layer))
        m.gram = new_bytes((size_t)(in * in) * sizeof *m.gram);
    for (int i = 0; i < c->bins; i++)
        if (find(c->bin + i, layer, "count"))
            add(&m, c->bin + i, layer);
    if (m.count == 0)
        die("--stat has nothing of %s: wan-denoise --stat '%s:gram' would", layer, layer);
    if (!is_of_inputs(&m))
        die("--stat: the sums of %s are not those of any inputs (%s)", layer, c->bin[0].where);
    return m;
}

void moments_divide(moments *m, const float *s)
{
    for (int64_t i = 0; i < m->in; i++)
        m->squares[i] /= (double)s[i] * (double)s[i];
#pragma omp parallel for
    for (int64_t i = 0; i < (m->gram ? m->in : 0); i++)
        for (int64_t j = 0; j < m->in; j++)
            m->gram[i * m->in + j] /= (double)s[i] * (double)s[j];
}

void moments_free(moments *m)
{
    free(m->squares);
    free(m->gram);
    *m = (moments){0};
}
