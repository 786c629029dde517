/*
** gguf.c: the header of a GGUF file, version 3, and what lies between its tensors.
**
** Everything is known before the first byte of data: sizes alone decide the header, so a file goes
** through a pipe. Data lie at multiples of 32, the default alignment. Shapes stand the other way
** round than elsewhere, the fastest dimension first. The document's metadata are texts, and stay
** such, behind the three keys that readers look for.
**
** ggml's own programs know four dimensions; the kernel of the patches has five, and is written with
** them, as the Wan files that are in use have it: ComfyUI-GGUF and diffusers need its shape.
**
** The format: ggml's docs/gguf.md. Numbers of file types: llama.h's llama_ftype.
*/
#include "gguf.h"

#include <assert.h>
#include <stdlib.h>

#include "../../common/checkpoint/gguf.h"
#include "../../common/die.h"

enum { VERSION = 3, GGML_FORMATS = 2, ALIGNMENT = 32, KIND_U32 = 4, KIND_TEXT = 8, OWN_KEYS = 3 };

static size_t padding(uint64_t n) { return (size_t)(-n % ALIGNMENT); }

/* ---- the parts of a header ---- */

static void put_number(FILE *to, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        putc((int)(v >> 8 * i & 255), to);
}

static void put_text(FILE *to, const char *s)
{
    put_number(to, strlen(s), 8);
    fputs(s, to);
}

static void put_key(FILE *to, const char *key, const char *value)
{
    put_text(to, key);
    put_number(to, KIND_TEXT, 4);
    put_text(to, value);
}

static void put_key_number(FILE *to, const char *key, uint64_t v)
{
    put_text(to, key);
    put_number(to, KIND_U32, 4);
    put_number(to, v, 4);
}

static void put_tensor(FILE *to, const entry *e)
{
    put_text(to, e->name);
    put_number(to, (uint64_t)e->t.rank, 4);
    for (int i = e->t.rank; i-- > 0;)
        put_number(to, (uint64_t)e->t.dim[i], 8);
    put_number(to, (uint64_t)gguf_type(e->t.type), 4);
    put_number(to, e->begin, 8);
}

/* ---- the header ---- */

/* "Mostly" of the type that most bytes of blocks have. */
static uint64_t file_type(const document *d)
{
    static const struct {
        tensor_type type;
        uint64_t number;
    } of[] = {{Q8_0, 7}, {Q4_0, 2}, {Q4_K, 14}, {Q5_K, 16}, {Q6_K, 18}};
    enum { TYPES = sizeof of / sizeof *of };
    uint64_t bytes[TYPES] = {0};
    int most = 0;
    for (int i = 0; i < d->entries; i++)
        for (int k = 0; k < TYPES; k++)
            bytes[k] += d->entry[i].t.type == of[k].type ? tensor_bytes(d->entry[i].t) : 0;
    for (int k = 1; k < TYPES; k++)
        most = bytes[k] > bytes[most] ? k : most;
    return of[most].number;
}

/* Returns where the data end. */
static uint64_t place(document *d)
{
    uint64_t at = 0;
    for (int i = 0; i < d->entries; i++) {
        entry *e = &d->entry[i];
        assert(gguf_type(e->t.type) >= 0);
        e->begin = at;
        e->end = at + tensor_bytes(e->t);
        at = e->end + padding(e->end);
    }
    return at;
}

void gguf_header(writer *out, document *d)
{
    char *bytes;
    size_t n;
    uint64_t data = place(d);
    FILE *to = open_memstream(&bytes, &n);
    if (!to)
        die("out of memory");
    fputs("GGUF", to);
    put_number(to, VERSION, 4);
    put_number(to, (uint64_t)d->entries, 8);
    put_number(to, (uint64_t)d->keys + OWN_KEYS, 8);
    put_key(to, "general.architecture", "wan");
    put_key_number(to, "general.quantization_version", GGML_FORMATS);
    put_key_number(to, "general.file_type", file_type(d));
    for (int i = 0; i < d->keys; i++)
        put_key(to, d->key[i].key, d->key[i].value);
    for (int i = 0; i < d->entries; i++)
        put_tensor(to, &d->entry[i]);
    fflush(to);
    for (size_t i = padding(n); i-- > 0;)
        putc(0, to);
    if (fclose(to))
        die("out of memory");
    out->left = n;
    writer_bytes(out, bytes, n);
    out->left = data;
    free(bytes);
}

void gguf_pad(writer *out, tensor t)
{
    static const char zeros[ALIGNMENT];
    writer_bytes(out, zeros, padding(tensor_bytes(t)));
}
