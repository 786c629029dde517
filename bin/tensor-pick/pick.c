/*
** pick.c: what an operand of tensor-pick means, and its values in another type.
**
** FILE:NAME[2:5]=NEW is read from the right: first =NEW, then the range, then the name, which may
** be a shell pattern; a NAME that exists as it is written counts before all that.
*/
#include "pick.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "../../common/nameindex.h"
#include "../../common/values.h"

static source *opened(pick_list *list, const char *path, int number)
{
    for (int i = 0; i < list->sources; i++)
        if (strcmp(list->source[i].path, path) == 0)
            return list->source[i].s;
    list->source = realloc(list->source, (size_t)(list->sources + 1) * sizeof *list->source);
    if (!list->source)
        die("out of memory");
    source *s = source_open(path);
    for (int i = 0; i < number; i++)
        if (!source_next(s)) {
            if (i == 0)
                die("%s is empty", source_name(s));
            die("%s has no document %d, only %d", source_name(s), number, i);
        }
    list->source[list->sources].path = new_format("%s", path);
    list->source[list->sources++].s = s;
    return s;
}

static void add(pick_list *list, pick p)
{
    if (pick_named(list, p.name))
        die("two tensors would be named '%s'", p.name);
    if ((list->picks & (list->picks - 1)) == 0) /* twice as many */
        list->pick =
            realloc(list->pick, (size_t)(list->picks ? 2 * list->picks : 1) * sizeof *list->pick);
    if (!list->pick)
        die("out of memory");
    index_note(&list->pick_at, p.name, list->picks);
    list->pick[list->picks++] = p;
}

/* A number at *at, which moves behind it; `otherwise` if there is none. Negative: from the end. */
static int64_t index_at(const char **at, int64_t otherwise, int64_t size)
{
    char *end;
    errno = 0;
    int64_t n = strtoll(*at, &end, 10);
    if (end == *at)
        return otherwise;
    *at = end;
    return errno ? INT64_MAX : n < 0 ? n + size : n;
}

/* range: "[A:B]" or "[A]", in p's first dimension. */
static void cut(pick *p, const char *range)
{
    tensor t = p->e->t;
    const char *at = range + 1, *where = source_where(p->from);
    if (t.rank == 0)
        die("'%s' in %s has no dimensions to take %s of", p->e->name, where, range);
    int64_t a = index_at(&at, 0, t.dim[0]), b;
    p->drop = *at == ']' && at > range + 1;
    if (p->drop) {
        b = a < INT64_MAX ? a + 1 : a;
    } else {
        if (*at++ != ':')
            die("%s is no range: [A:B] or [A] is needed", range);
        b = index_at(&at, t.dim[0], t.dim[0]);
    }
    if (strcmp(at, "]") != 0)
        die("%s is no range: [A:B] or [A] is needed", range);
    if (a < 0 || b < a || b > t.dim[0])
        die("%s is not within '%s' %s of %s", range, p->e->name, shape_text(t.rank, t.dim), where);
    p->cut = true;
    p->begin = a;
    p->count = b - a;
}

void pick_operand(pick_list *list, const char *operand, int number)
{
    char *file, *name;
    operand_split(operand, &file, &name);
    source *s = opened(list, file, number);
    const document *d = source_document(s);
    const entry *e = name ? document_find(d, name) : NULL;
    if (e) {
        add(list, (pick){.from = s, .name = new_format("%s", name), .e = e});
        free(file);
        return;
    }
    char *equals = name ? strrchr(name, '=') : NULL, *range = NULL;
    if (equals)
        *equals = 0;
    size_t n = name ? strlen(name) : 0;
    if (n && name[n - 1] == ']' && !document_find(d, name)) {
        char *bracket = strrchr(name, '[');
        if (bracket) {
            range = new_format("%s", bracket);
            *bracket = 0;
        }
    }
    int found = 0;
    for (int i = 0; i < d->entries; i++) {
        if (name && strcmp(name, d->entry[i].name) != 0 && fnmatch(name, d->entry[i].name, 0) != 0)
            continue;
        if (equals && found)
            die("'%s' matches several tensors of %s, but '%s' names one", name, source_where(s),
                equals + 1);
        pick p = {.from = s, .e = &d->entry[i]};
        p.name = new_format("%s", equals ? equals + 1 : p.e->name);
        if (range)
            cut(&p, range);
        add(list, p);
        found++;
    }
    if (!found && name)
        die("%s has no tensor '%s'", source_where(s), name);
    free(range);
    free(file);
}

static tensor picked_shape(const pick *p, tensor_type type)
{
    tensor t = p->e->t;
    if (type != TENSOR_TYPES && type != t.type && !type_has_values(t.type))
        die("%s: %s is %s, a type whose values are not read", source_where(p->from),
            shown(p->e->name), type_name(t.type));
    if (type != TENSOR_TYPES)
        t.type = type;
    if (p->cut)
        t.dim[0] = p->count;
    return p->drop ? tensor_make(NULL, t.type, t.rank - 1, t.dim + 1)
                   : tensor_make(NULL, t.type, t.rank, t.dim);
}

void pick_declare(const pick_list *list, tensor_type type, document *d)
{
    for (int i = 0; i < list->sources; i++) {
        const document *from = source_document(list->source[i].s);
        for (int k = 0; k < from->keys; k++)
            if (!metadata_get(d, from->key[k].key) && strcmp(from->key[k].key, "digest") != 0)
                metadata_set(d, from->key[k].key, from->key[k].value);
    }
    for (int i = 0; i < list->picks; i++)
        document_add(d, list->pick[i].name, picked_shape(&list->pick[i], type));
}

bool pick_is_whole(const pick_list *list, tensor_type type)
{
    if (list->sources != 1 || list->picks != source_document(list->source[0].s)->entries)
        return false;
    for (int i = 0; i < list->picks; i++) {
        const pick *p = &list->pick[i];
        if (p->cut || strcmp(p->name, p->e->name) != 0 ||
            (type != TENSOR_TYPES && type != p->e->t.type))
            return false;
    }
    return true;
}

const pick *pick_named(const pick_list *list, const char *name)
{
    int at = index_find(list->pick_at, name);
    return at < 0 ? NULL : &list->pick[at];
}

/* Integers and F64 from F64 values; dies for a value that the type cannot hold exactly. */
static void narrow(tensor to, const double *from, int64_t n, const char *name)
{
#define LOOP(ctype, least, most)                                                                   \
    for (int64_t i = 0; i < n; i++) {                                                              \
        if (!(from[i] >= (least) && from[i] <= (most)) || from[i] != trunc(from[i]))               \
            die("'%s' has %g, which %s cannot hold", name, from[i], type_name(to.type));           \
        ((ctype *)to.data)[i] = (ctype)from[i];                                                    \
    }                                                                                              \
    return
    switch (to.type) {
    case F64: memcpy(to.data, from, (size_t)n * sizeof *from); return;
    case I64: LOOP(int64_t, -0x1p53, 0x1p53);
    case U64: LOOP(uint64_t, 0, 0x1p53);
    case I32: LOOP(int32_t, INT32_MIN, INT32_MAX);
    case U32: LOOP(uint32_t, 0, UINT32_MAX);
    case I16: LOOP(int16_t, INT16_MIN, INT16_MAX);
    case U16: LOOP(uint16_t, 0, UINT16_MAX);
    case I8: LOOP(int8_t, INT8_MIN, INT8_MAX);
    case U8: LOOP(uint8_t, 0, UINT8_MAX);
    case BOOL: LOOP(uint8_t, 0, 1);
    default: break;
    }
#undef LOOP
    /* F32, F16 and BF16: rounded once to F32, which holds all values of narrower types. */
    float block[1024];
    for (int64_t i = 0; i < n; i++)
        block[i] = (float)from[i];
    host_convert(to, tensor_of(block, F32, n));
}

void pick_write(writer *w, tensor shape, const pick *p)
{
    enum { BLOCK = 1024 };
    tensor t = source_tensor(p->from, p->e);
    if (p->cut)
        t = slice(t, p->begin, p->count);
    if (t.type == shape.type) {
        writer_tensor(w, t);
        return;
    }
    double block[BLOCK], room[BLOCK];
    int64_t count = tensor_count(t);
    for (int64_t i = 0; i < count; i += BLOCK) {
        int64_t n = count - i < BLOCK ? count - i : BLOCK;
        tensor to = tensor_of(room, shape.type, n);
        values(block, t, i, n);
        narrow(to, block, n, p->e->name);
        writer_tensor(w, to);
    }
}

void pick_free(pick_list *list)
{
    for (int i = 0; i < list->picks; i++)
        free(list->pick[i].name);
    for (int i = 0; i < list->sources; i++) {
        free(list->source[i].path);
        source_close(list->source[i].s);
    }
    index_free(&list->pick_at);
    free(list->pick);
    free(list->source);
}
