/*
** weights.h: maps checkpoints in all their formats: safetensors, one or several with an index.json,
** a .pth of any age, GGUF. Names are those in the files; layout.h opens models by official names.
**
** Only headers are read until a tensor is used. A tensor that is contiguous in its file is a view
** of the map; one that is not (a strided view in a .pth, a deflated entry) is copied on first use,
** and the copy is kept.
*/
#ifndef WEIGHTS_H
#define WEIGHTS_H

#include <jansson.h>

#include "../tensor.h"

typedef struct weights weights;

/* path: one file (.safetensors, .safetensors.index.json, .pth, .gguf), whose format is recognised
** by its content; or FILE:KEY, a dict of tensors within a .pth that has several. */
weights *weights_open(const char *path);
/* As weights_open, from a descriptor: a file is mapped, a pipe is read into memory. */
weights *weights_open_fd(int fd, const char *name);
/* path: a file, or a directory in which the first of the NULL-terminated patterns that matches is
** opened; a pattern is a glob relative to the directory, and its matches are one checkpoint
** together if they are numbered shards. what: for the message, "cannot find
** models_t5_umt5-xxl-enc-bf16.pth or another file of umT5's encoder in DIR". */
weights *weights_find(const char *path, const char *const patterns[], const char *what);
void weights_close(weights *w);

int weights_count(const weights *w);
const char *weights_name(const weights *w, int i);
/* The i-th tensor's shape and type without touching its data. */
tensor weights_shape(const weights *w, int i);
bool weights_has(const weights *w, const char *name);
/* The tensor's name in the file: for messages. */
const char *weights_called(const weights *w, const char *name);
/* Dies "FILE has no tensor NAME". The result is contiguous, aligned to its type, in host memory; it
** lives as long as w. */
tensor weights_any(weights *w, const char *name);
/* As weights_any with this shape, -1 being any size; dies "NAME is F16 [3, 4] in FILE, but [4, 4]
** is needed". */
tensor weights_get(weights *w, const char *name, int rank, const int64_t *dim);
#define weights_tensor(w, name, ...)                                                               \
    weights_get(w, name, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t),                       \
                (int64_t[]){__VA_ARGS__})
/* The pages of t will not be needed soon: the kernel may drop them (a clean map costs no memory
** then). Does nothing to copies. */
void weights_done(tensor t);

/* weights_close() will free this memory; returns it. */
void *weights_keep(weights *w, void *memory);
/* Accepts the extra tensors of wan-quantize: X.weight_hadamard (the inputs must be rotated) and
** X.weight_low_rank_down, .._up (a low-rank branch). The caller applies them; without this call
** such weights are refused. */
void weights_take_extras(weights *w);
/* The rule by which wan-quantize quantized layer X ("int4-g128"), or NULL. */
const char *weights_rule(const weights *w, const char *layer);
/* Another key of the metadata's `quantization`, or NULL. */
const json_t *weights_quantization(const weights *w, const char *key);
/* The text of `quantization`, of this program or not, from the shard that has it; NULL if none has.
 * Dies if those of two shards differ. */
const char *weights_quantization_text(const weights *w);
/* Tensors whose names match belong to another program's half of the model: no warning for them. */
void weights_pass_over(weights *w, const char *pattern);
/* Warns once, with the number and names of tensors that were not used. */
void weights_report_unused(weights *w);

const char *weights_path(const weights *w); /* as opened: for messages */
const char *weights_file(const weights *w); /* the first file of it */
const char *weights_what(const weights *w); /* the layout that layout.c found; NULL: not asked */
/* Metadata of the (first) safetensors file: NULL if absent; the number of keys; the i-th key. */
const char *weights_metadata(const weights *w, const char *key);
int weights_keys(const weights *w);
const char *weights_key(const weights *w, int i);
/* The digest of every byte of every tensor, with names, types and shapes (content.h). It does not
** depend on how a model is divided into files. It is cached as long as the files do not change
** (filedigest.h); weights_digest_begin() starts computing it in threads of its own. */
void weights_digest_begin(weights *w);
const char *weights_digest(weights *w);

/* For content.c: the files, and the place of the i-th tensor's bytes: from *at on in the open file
** *fd, or (*fd < 0) in memory. */
int weights_files(const weights *w);
int weights_fd(const weights *w, int i);
const char *weights_chosen(const weights *w); /* KEY of FILE:KEY, or "" */
tensor weights_place(weights *w, int i, int *fd, uint64_t *at);

#endif
