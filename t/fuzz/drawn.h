/*
** drawn.h: checkpoints whose names, types and shapes an input says: what the targets models and
** coders have in common. The target defines drawn_models first: letters, and the files of its
** corpus that have all of a model.
**
** The first byte of an input says which model, in upper case: with F32 weights. The lines behind it
** are tensors, NAME TYPE DIM DIM .., and -NAME for one that is missing; all others are as in the
** model's file. Behind a zero byte there may be a config.json. All values are 0.
*/
#ifndef DRAWN_H
#define DRAWN_H

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/checkpoint/weights.h"
#include "../../common/die.h"
#include "../../kernels/kernels.h"
#include "fuzz.h"

enum { MOST_TENSORS = 256, MOST_ELEMENTS = 1 << 17, MOST_BYTES = 4 << 20 };

typedef struct {
    char *line, *shape; /* "NAME", "TYPE DIM DIM .." */
} listed;

typedef struct {
    char letter;
    const char *name;
    listed list[MOST_TENSORS];
    int n;
    const char *config;
    size_t config_bytes;
} drawn_model;

static drawn_model drawn_models[MODELS];
static int checkpoint; /* its file */

/* Lines into the list: what is there is replaced, what begins with - goes. */
static int merge(listed *list, int n, char *text)
{
    for (char *line; (line = strsep(&text, "\n"));) {
        bool gone = *line == '-';
        char *name = line + gone, *shape = name + strcspn(name, " ");
        int i = 0;
        if (*shape)
            *shape++ = 0;
        while (i < n && strcmp(list[i].line, name) != 0)
            i++;
        if (gone && i < n)
            list[i] = list[--n];
        else if (!gone && *name && i < MOST_TENSORS)
            list[i] = (listed){name, shape}, n += i == n;
    }
    return n;
}

/* What t/corpus/TARGET has of each model. */
static void drawn_begin(const char *target)
{
    static uint8_t bytes[MODELS][1 << 14];
    for (int i = 0; i < MODELS; i++) {
        char path[300];
        snprintf(path, sizeof path, "%s/t/corpus/%s/%s", SOURCEDIR, target, drawn_models[i].name);
        size_t n = fuzz_read(bytes[i], sizeof bytes[i], path), lines;
        const uint8_t *at = bytes[i];
        char *text = (char *)bytes[i] + 2;
        fuzz_part(&at, &n, &lines);
        drawn_models[i].n = merge(drawn_models[i].list, 0, text);
        drawn_models[i].config = fuzz_part(&at, &n, &drawn_models[i].config_bytes);
    }
    checkpoint = fileno(fuzz_blank());
    scratch(U8, 1); /* its memory is for good, and therefore not an input's */
}

/* One tensor's words in a header; false if it is none, or large. */
static bool put_tensor(FILE *f, const listed *t, uint64_t *at)
{
    int64_t dim[TENSOR_MAX_RANK], count = 1;
    int rank = 0;
    tensor_type type;
    char word[16];
    size_t n = strcspn(t->shape, " ");
    snprintf(word, sizeof word, "%.*s", (int)n, t->shape);
    for (const char *c = t->line; *c; c++)
        if (!isgraph((unsigned char)*c) || *c == '"' || *c == '\\')
            return false;
    if (n >= sizeof word || !type_from_name(&type, word) || !type_in_streams(type))
        return false;
    char *dims = t->shape + n;
    for (char *end; *dims; dims = end) {
        long size = strtol(dims, &end, 10);
        if (end == dims || size < 0 || rank == TENSOR_MAX_RANK)
            return false;
        dim[rank++] = size;
    }
    for (int i = 0; i < rank; i++)
        if (__builtin_mul_overflow(count, dim[i], &count))
            return false;
    tensor shape = tensor_make(NULL, type, rank, dim);
    if (count > MOST_ELEMENTS || count % type_block(type))
        return false;
    uint64_t end = *at + tensor_bytes(shape);
    fprintf(f, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", *at || end ? "," : "", t->line, word);
    for (int i = 0; i < rank; i++)
        fprintf(f, "%s%lld", i ? "," : "", (long long)dim[i]);
    fprintf(f, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)*at, (unsigned long long)end);
    *at = end;
    return true;
}

/* The list as a checkpoint, whose data are a hole in its file. */
static void write_file(const listed *list, int n)
{
    static char header[1 << 17];
    uint64_t bytes = 0;
    FILE *f = fmemopen(header, sizeof header, "w");
    fwrite("\0\0\0\0\0\0\0\0{\"__metadata__\":{}", 1, 26, f);
    for (int i = 0; i < n && bytes < MOST_BYTES; i++)
        put_tensor(f, &list[i], &bytes);
    fputc('}', f);
    long length = ftell(f);
    fclose(f);
    for (int i = 0; i < 8; i++)
        header[i] = (char)((uint64_t)(length - 8) >> 8 * i);
    if (ftruncate(checkpoint, 0) != 0 || pwrite(checkpoint, header, (size_t)length, 0) != length ||
        ftruncate(checkpoint, length + (off_t)bytes) != 0)
        fuzz_broken("a file in memory can be written");
    lseek(checkpoint, 0, SEEK_SET);
}

/* All find the checkpoint that is there. */
weights *__wrap_weights_find(const char *path, const char *const patterns[], const char *what)
{
    (void)path, (void)patterns, (void)what;
    return weights_open_fd(checkpoint, "checkpoint");
}

/* Writes the checkpoint that the input says, and config.json; returns its letter, and how its
 * weights are to be stored. */
static char drawn_take(const uint8_t *bytes, size_t n, tensor_type *type)
{
    static listed list[MOST_TENSORS];
    size_t lines, config;
    char letter = n ? (char)tolower(bytes[0]) : 0;
    int i = 0;
    while (i < MODELS && drawn_models[i].letter != letter)
        i++;
    if (i == MODELS)
        die("there is no such model");
    *type = letter == (char)bytes[0] ? F16 : F32;
    char *text = new_format("%s", fuzz_part(&bytes, &n, &lines) + 1);
    const char *own = fuzz_part(&bytes, &n, &config);
    memcpy(list, drawn_models[i].list, sizeof list);
    write_file(list, merge(list, drawn_models[i].n, text));
    fuzz_file("config.json",
              config                         ? own
              : drawn_models[i].config_bytes ? drawn_models[i].config
                                             : NULL,
              config ? config : drawn_models[i].config_bytes);
    scratch_reset(0);
    return letter;
}

#endif
