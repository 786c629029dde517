/*
** layout.c: which layout a checkpoint has, and its tensors under official names.
**
** Names are freed of what training and packing put around them, the layout with most matches among
** the rest is taken, and every tensor it knows gets its official name; rows of fused matrices
** become tensors of their own, which are views. What no layout knows keeps its name: it is
** reported when the model has been loaded and nobody asked for it. Tensors that make another model
** are refused.
*/
#include "layout.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "../die.h"
#include "layouts.h"
#include "table.h"

enum { MOST_LISTED = 16, MOST_LAYOUTS = 32, MOST_NUMBERS = 4, MOST_NUMBER = 99999, LONGEST = 512 };

/* ---- names ---- */

/* What # and * of a pattern stood for. */
typedef struct {
    int n;
    long number[MOST_NUMBERS];
    const char *rest;
} matched;

static bool match_loosely(const char *pattern, const char *name, matched *m, bool loose)
{
    *m = (matched){.rest = ""};
    for (; *pattern; pattern++) {
        if (pattern[0] == '*' && !pattern[1]) {
            m->rest = name;
            return *name != 0;
        }
        if (*pattern == '#') {
            char *end;
            if (!isdigit((unsigned char)*name) || m->n == MOST_NUMBERS)
                return false;
            m->number[m->n] = strtol(name, &end, 10);
            if (m->number[m->n++] > MOST_NUMBER)
                return false;
            name = end;
        } else if (*pattern != *name && !(loose && *pattern == '.' && *name == '_')) {
            return false;
        } else {
            name++;
        }
    }
    return *name == 0;
}

static bool match(const char *pattern, const char *name, matched *m)
{
    return match_loosely(pattern, name, m, false);
}

/* The official name that a pattern's match stands for. per_stage: layers of a stage, with the one
 * that ends it. */
static char *written(const char *ours, size_t n, const matched *m, long per_stage)
{
    char name[LONGEST], *to = name, *end = name + sizeof name - 32;
    int next = 0;
    for (size_t i = 0; i < n && to < end; i++) {
        if (ours[i] == '#' && next < m->n)
            to += sprintf(to, "%ld", m->number[next++]);
        else if (ours[i] == '@')
            to += sprintf(to, "%ld",
                          m->number[0] * per_stage + (m->n > 1 ? m->number[1] : per_stage - 1));
        else if (ours[i] == '*')
            to += snprintf(to, (size_t)(end - to), "%s", m->rest);
        else
            *to++ = ours[i];
        to = to < end ? to : end;
    }
    *to = 0;
    return new_format("%s", name);
}

static bool listed(const char *const list[], int most, const char *s, size_t n)
{
    for (int i = 0; i < most && list[i]; i++)
        if (strlen(list[i]) == n && memcmp(list[i], s, n) == 0)
            return true;
    return false;
}

/* The name without components that hold a model: PyTorch's anywhere, others before all that is no
 * such component. */
static void unwrap(char *to, const char *name, model_part part)
{
    bool begun = false;
    char *begin = to;
    for (const char *next; *name; name = next) {
        size_t n = strcspn(name, ".");
        next = name[n] ? name + n + 1 : name + n;
        bool wrapper = listed(wrappers, MOST_LISTED, name, n) && (!begun || *name == '_');
        if (!begun && part < PARTS)
            wrapper |= listed(part_wrappers[part], 6, name, n);
        if (wrapper && *next)
            continue;
        if (begun)
            *to++ = '.';
        memcpy(to, name, n);
        to += n;
        begun = true;
    }
    *to = 0;
    for (const renaming *r = companions; r->theirs; r++) {
        size_t n = strlen(r->theirs), have = (size_t)(to - begin);
        if (*r->ours && have > n && strcmp(to - n, r->theirs) == 0) {
            memcpy(to - n, r->ours, strlen(r->ours) + 1);
            return;
        }
    }
}

/* A name that is much longer than any official one is left as it is. */
static const char *bare(char room[LONGEST + 64], const char *raw, model_part part)
{
    if (strlen(raw) >= LONGEST)
        return raw;
    unwrap(room, raw, part);
    return room;
}

static bool passed_over(const char *name)
{
    size_t n = strlen(name);
    for (const renaming *r = companions; r->theirs; r++) {
        size_t k = strlen(r->theirs);
        if (!*r->ours && n > k && strcmp(name + n - k, r->theirs) == 0)
            return true;
    }
    return strcmp(name, "scaled_fp8") == 0 || (n > 12 && !strcmp(name + n - 12, ".comfy_quant"));
}

static const renaming *renaming_of(const layout *l, const char *name, matched *m)
{
    for (const renaming *r = l->names; r->theirs; r++)
        if (match(r->theirs, name, m))
            return r;
    return NULL;
}

/* ---- which layout ---- */

/* Has the layout this name, as one that is used? */
static bool knows(const layout *l, const char *name)
{
    matched m;
    const renaming *r = renaming_of(l, name, &m);
    return r && !(r->ours && !*r->ours);
}

/* The layout of this part (PARTS: of any) that knows most of the names; NULL if none knows any.
 * Layouts of a part stand together, so that a name is freed of its holders once a part. */
static const layout *best_layout(const weights *w, model_part part)
{
    char room[LONGEST + 64];
    int votes[MOST_LAYOUTS] = {0}, best = -1;
    for (int i = 0; i < w->items; i++) {
        const char *name = NULL;
        model_part freed = PARTS;
        for (int k = 0; layouts[k].part != PARTS; k++) {
            const layout *l = &layouts[k];
            if (part != PARTS && part != l->part)
                continue;
            if (l->part != freed)
                name = bare(room, w->item[i].raw, freed = l->part);
            votes[k] += knows(l, name);
        }
    }
    for (int k = 0; layouts[k].part != PARTS; k++)
        if (votes[k] > (best < 0 ? 0 : votes[best]))
            best = k;
    return best < 0 ? NULL : &layouts[best];
}

/* The first pattern that a tensor's name matches, as it is or without what holds the model. */
static const stranger *stranger_of(const weights *w, const stranger *all, const char **name)
{
    char room[LONGEST + 64];
    const stranger *first = NULL;
    for (int i = 0; i < w->items; i++) {
        const char *raw = w->item[i].raw, *inner = bare(room, raw, PART_TRANSFORMER);
        for (const stranger *s = all; s->pattern && s != first; s++)
            if (fnmatch(s->pattern, raw, 0) == 0 || fnmatch(s->pattern, inner, 0) == 0) {
                first = s;
                *name = raw;
                break;
            }
    }
    return first;
}

const char *part_name(model_part part)
{
    static const char *const names[PARTS] = {
        "Wan's transformer", "umT5's encoder", "Wan's video VAE", "CLIP", "DINO",
        "LPIPS's network",   "LPIPS's heads"};
    return names[part];
}

/* What is a model of another kind, or a part of one. */
static void refuse_strangers(const weights *w)
{
    const char *name;
    const stranger *s = stranger_of(w, strangers, &name);
    if (s)
        die("%s has %s: it is %s", w->path, name, s->what);
}

/* GGUF of another model may have a name or two that a layout knows. */
static void check_arch(const weights *w, const char *wanted)
{
    const char *arch = weights_metadata(w, "general.architecture");
    bool gguf = w->files && w->file[0].kind == GGUF && arch;
    if (gguf && !listed(archs, MOST_LISTED, arch, strlen(arch)))
        die("%s is GGUF of arch %s, not %s", w->path, arch, wanted);
}

/* What is known to be somebody else's, where no layout knows a name. */
static void refuse_others(const weights *w, const char *wanted)
{
    const char *name;
    const stranger *s = stranger_of(w, others, &name);
    if (s)
        die("%s has %s: it is %s, not %s", w->path, name, s->what, wanted);
}

/* It is not this part: what is it? */
static void refuse(const weights *w, model_part part) __attribute__((noreturn));
static void refuse(const weights *w, model_part part)
{
    const layout *l = best_layout(w, PARTS);
    if (!l)
        refuse_others(w, part_name(part));
    refuse_strangers(w);
    if (l)
        die("%s is %s, not %s", w->path, l->what, part_name(part));
    die("%s has no tensor %s: it is not %s%s%s", w->path, landmarks[part], part_name(part),
        w->items ? "; what it has begins with " : ", and has no tensors",
        w->items ? w->item[0].raw : "");
}

/* ---- official names ---- */

/* Layers of a stage of the decoder: as many residual blocks as its first has, and what doubles. */
static long layers_per_stage(const weights *w, const layout *l)
{
    char room[LONGEST + 64];
    long most = 0;
    matched m;
    for (int i = 0; i < w->items; i++)
        if (match("decoder.up_blocks.#.resnets.#.*", bare(room, w->item[i].raw, l->part), &m) &&
            m.number[1] < 1000 && m.number[1] >= most)
            most = m.number[1] + 1;
    return most + 1;
}

static item *add_item(weights *w, const item *like)
{
    item *t = w->item + w->items++;
    *t = *like;
    return t;
}

/* Has it a row for each row of its weight? One scale for all has not, nor has what ComfyUI says. */
static bool has_rows(const item *t, const matched *m)
{
    bool is_own = strcmp(m->rest, "weight") == 0 || strcmp(m->rest, "bias") == 0;
    return is_own || (tensor_count(t->shape) > 1 && strcmp(m->rest, "comfy_quant") != 0);
}

/* "A|B|C": the item becomes its first part, and others are added. What has no rows is each
 * one's. */
static void split(weights *w, int index, const char *ours, const matched *m, bool spare)
{
    int parts = 1;
    for (const char *p = ours; *p; p++)
        parts += *p == '|';
    item *t = w->item + index;
    if (has_rows(t, m)) {
        if (t->shape.rank < 1 || t->shape.dim[0] % parts)
            die("%s is %s in %s: its rows are not those of %d matrices", t->raw,
                tensor_text(t->shape), w->file[t->file].path, parts);
        t->shape.dim[0] /= parts;
        t->shape = tensor_make(NULL, t->shape.type, t->shape.rank, t->shape.dim);
        t->parts = parts;
    }
    t->renamed = !spare;
    for (int part = 0; part < parts; part++) {
        size_t n = strcspn(ours, "|");
        item *to = part ? add_item(w, w->item + index) : t;
        to->part = to->parts ? part : 0;
        to->name = weights_keep(w, written(ours, n, m, 1));
        ours += n + 1;
    }
}

static void transpose(const weights *w, item *t)
{
    if (t->shape.rank != 2 || type_block(t->shape.type) > 1)
        die("%s is %s in %s, but a matrix is needed", t->raw, tensor_text(t->shape),
            w->file[t->file].path);
    t->transposed = true;
    t->shape = tensor_of(NULL, t->shape.type, t->shape.dim[1], t->shape.dim[0]);
}

static void rename_item(weights *w, int i, const layout *l, long per_stage)
{
    char room[LONGEST + 64];
    item *t = w->item + i;
    matched m;
    const char *name = bare(room, t->raw, l->part);
    const renaming *r = renaming_of(l, name, &m);
    t->used = passed_over(name);
    if (!r) {
        t->name = weights_keep(w, new_format("%s", name));
        return;
    }
    const char *ours = r->ours ? r->ours : r->theirs;
    if (!*ours) {
        t->used = true;
        t->name = weights_keep(w, new_format("%s", name));
        return;
    }
    bool spare = *ours == '?';
    if (strchr(ours, '|')) {
        split(w, i, ours + spare, &m, spare);
        return;
    }
    if (*ours == '^')
        transpose(w, t);
    ours += *ours == '^' || spare;
    t->renamed = !spare;
    t->name = weights_keep(w, written(ours, strlen(ours), &m, per_stage));
}

/* The renaming that makes item i a spare, or NULL. */
static const renaming *spare_of(const weights *w, const layout *l, int i)
{
    char room[LONGEST + 64];
    matched m;
    const renaming *r = renaming_of(l, bare(room, w->item[i].raw, l->part), &m);
    return r && r->ours && *r->ours == '?' ? r : NULL;
}

static bool is_taken(const weights *w, int i)
{
    for (int k = 0; k < w->items; k++)
        if (k != i && w->item[k].renamed && strcmp(w->item[k].name, w->item[i].name) == 0)
            return true;
    return false;
}

/* What may stand in for another tensor ("?NAME") does if that is missing. Else a tied table is not
 * needed; a fused matrix, whole again, is told as what is not used. */
static void settle_spares(weights *w, const layout *l)
{
    int kept = 0;
    for (int i = 0; i < w->items; i++)
        if (spare_of(w, l, i))
            w->item[i].renamed = !is_taken(w, i);
    for (int i = 0; i < w->items; i++) {
        item *t = w->item + i;
        const renaming *r = spare_of(w, l, i);
        bool again = false;
        if (r && !t->renamed) {
            if (t->parts)
                t->shape.dim[0] *= t->parts;
            t->shape = tensor_make(NULL, t->shape.type, t->shape.rank, t->shape.dim);
            t->part = t->parts = 0;
            t->name = t->raw;
            t->used |= !strchr(r->ours, '|');
            for (int k = 0; k < kept && !again; k++)
                again = w->item[k].name == t->raw;
        }
        if (!again)
            w->item[kept++] = *t;
    }
    w->items = kept;
}

/* GGUF's own tools know four dimensions, so the patches' kernel [D, C, 1, 2, 2] may be stored as a
 * matrix, as [D C, 1, 2, 2], or in any other shape with as many elements: they lie in one order. */
static void shape_patches(weights *w)
{
    item *t = weights_item(w, "patch_embedding.weight");
    const item *b = weights_item(w, "patch_embedding.bias");
    int64_t D = b ? tensor_count(b->shape) : 0, count = t ? tensor_count(t->shape) : 0;
    if (!t || D < 1 || count % (4 * D) || (t->shape.rank == 5 && t->shape.dim[0] == D))
        return;
    t->shape = tensor_of(NULL, t->shape.type, D, count / D / 4, 1, 2, 2);
}

static void rename_all(weights *w, const layout *l)
{
    enum { MOST_PARTS = 3 };
    int n = w->items;
    long per_stage = layers_per_stage(w, l);
    w->item = realloc(w->item, (size_t)(MOST_PARTS * n + 1) * sizeof *w->item);
    if (!w->item)
        die("out of memory");
    for (int i = 0; i < n; i++)
        rename_item(w, i, l, per_stage);
    settle_spares(w, l);
    w->what = l->what;
    weights_sort(w);
    if (l->part == PART_TRANSFORMER)
        shape_patches(w);
}

char *official_name(const char *name, model_part part, bool loose)
{
    char room[LONGEST + 64];
    matched m;
    const char *base = bare(room, name, part);
    for (const layout *l = layouts; l->part != PARTS; l++)
        for (const renaming *r = l->names; l->part == part && r->theirs; r++) {
            const char *ours = r->ours ? r->ours : r->theirs;
            if (*ours && !strpbrk(ours, "^|?@") && match_loosely(r->theirs, base, &m, loose))
                return written(ours, strlen(ours), &m, 1);
        }
    return NULL;
}

char *diffusers_name(const char *official)
{
    matched m;
    for (const renaming *r = wan_diffusers_names; r->theirs; r++) {
        const char *ours = r->ours ? r->ours : r->theirs;
        if (match(ours, official, &m)) /* no name begins with the ? of fused ones */
            return written(r->theirs, strlen(r->theirs), &m, 1);
    }
    return NULL;
}

weights *model_any(weights *w)
{
    check_arch(w, "one of Wan's models");
    const layout *l = best_layout(w, PARTS);
    if (!l)
        refuse_others(w, "one of Wan's models");
    refuse_strangers(w);
    if (l)
        rename_all(w, l);
    return w;
}

weights *model_of(weights *w, model_part part)
{
    check_arch(w, part_name(part));
    const layout *l = best_layout(w, part), *other = best_layout(w, PARTS);
    if (!l)
        refuse(w, part);
    refuse_strangers(w);
    rename_all(w, l);
    if (other->part != part && !weights_has(w, landmarks[part]))
        die("%s is %s, not %s", w->path, other->what, part_name(part));
    return w;
}

static bool has_directory(const char *path, const char *name)
{
    struct stat s;
    char *full = new_format("%s/%s", path, name);
    bool there = stat(full, &s) == 0 && S_ISDIR(s.st_mode);
    free(full);
    return there;
}

/* Wan 2.2's 14B are two transformers, each for a part of the steps. */
static void refuse_halves(const char *path)
{
    for (const char *const(*half)[2] = halves; (*half)[0]; half++)
        if (has_directory(path, (*half)[0]) && has_directory(path, (*half)[1]))
            die("%s has %s and %s: it is Wan 2.2, of two transformers, each for a part of the "
                "steps, which is not supported; -m %s/%s runs one of them alone",
                path, (*half)[0], (*half)[1], path, (*half)[1]);
}

weights *model_find(const char *path, model_part part)
{
    if (part == PART_TRANSFORMER)
        refuse_halves(path);
    return model_of(weights_find(path, places[part], part_name(part)), part);
}

weights *model_find_any(const char *path)
{
    refuse_halves(path);
    return model_any(weights_find(path, places[PART_TRANSFORMER], part_name(PART_TRANSFORMER)));
}
