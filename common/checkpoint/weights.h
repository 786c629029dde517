/*
** weights.h: checkpoints as users have them, mapped: safetensors, one or several with an
** index.json, a .pth of any age, GGUF. Names are the files' own; layout.h opens models by official
** names.
**
** Nothing is read but headers until a tensor is touched. A tensor that is contiguous in its file is
** a view of the map; one that is not (a strided view in a .pth, a deflated entry) is copied when
** asked for, and kept.
*/
#ifndef WEIGHTS_H
#define WEIGHTS_H

#include <jansson.h>

#include "../tensor.h"

typedef struct weights weights;

/* path: a file by itself (.safetensors, .safetensors.index.json, .pth, .gguf), told by its content;
** or FILE:KEY, a dict of tensors within a .pth that has several. */
weights *weights_open(const char *path);
/* As weights_open, of what fd gives: a file is mapped, a pipe is read into memory. */
weights *weights_open_fd(int fd, const char *name);
/* path: a file, or a directory in which the first of the NULL-terminated patterns that matches is
** opened; a pattern is a glob relative to the directory, and its matches are one checkpoint
** together if they are numbered shards. Dies, with what it is that was looked for: "cannot find
** models_t5_umt5-xxl-enc-bf16.pth or another file of umT5's encoder in DIR". */
weights *weights_find(const char *path, const char *const patterns[], const char *what);
void weights_close(weights *w);

int weights_count(const weights *w);
const char *weights_name(const weights *w, int i);
/* The i-th tensor's shape and type without touching its data. */
tensor weights_shape(const weights *w, int i);
bool weights_has(const weights *w, const char *name);
/* What the file calls the tensor: for messages. */
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

/* Memory that goes with w; returned. */
void *weights_keep(weights *w, void *memory);
/* Who calls this applies what a weight of our own files may have beside it: X.weight_hadamard, its
** inputs are rotated; X.weight_low_rank_down, .._up, a branch. Others refuse such weights. */
void weights_take_extras(weights *w);
/* The rule that our own file says its layer X was quantized by ("int4-g128"), or NULL. */
const char *weights_rule(const weights *w, const char *layer);
/* What else it says of that: a key of its `quantization`, or NULL. */
const json_t *weights_quantization(const weights *w, const char *key);
/* As it stands there, ours or not, in whichever shard has it; NULL if none does. Dies if two do and
 * do not agree. */
const char *weights_quantization_text(const weights *w);
/* Tensors whose names match are another program's half of the model: nobody will ask for them. */
void weights_pass_over(weights *w, const char *pattern);
/* Once: a warning that counts and names the tensors that nobody asked for. */
void weights_report_unused(weights *w);

const char *weights_path(const weights *w); /* as opened: for messages */
const char *weights_file(const weights *w); /* the first file of it */
const char *weights_what(const weights *w); /* what layout.c found it to be; NULL: not asked */
/* Metadata of the (first) safetensors file: NULL if absent; how many keys there are, and which. */
const char *weights_metadata(const weights *w, const char *key);
int weights_keys(const weights *w);
const char *weights_key(const weights *w, int i);
/* The digest of every byte of every tensor, with names, types and shapes (content.h): the same
** however a model is cut into files, another for any change. It is computed once as long as the
** files stay what they are (filedigest.h); begin starts that in threads of its own. */
void weights_digest_begin(weights *w);
const char *weights_digest(weights *w);

/* What content.c needs for it: the files, and where the i-th tensor's bytes are: from *at on in the
** open file *fd, or (*fd < 0) in memory. */
int weights_files(const weights *w);
int weights_fd(const weights *w, int i);
const char *weights_chosen(const weights *w); /* KEY of FILE:KEY, or "" */
tensor weights_place(weights *w, int i, int *fd, uint64_t *at);

#endif
