/*
** record.h: what a video says of itself: its shape, and how it was made, key by key.
*/
#ifndef RECORD_H
#define RECORD_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    char *key;   /* "prompt", "wan-denoise.steps" */
    char *value; /* as JSON, but for texts that are no member: 50, "unipc" with quotes; a cat */
    bool member; /* of a program's record */
} record_key;

typedef struct {
    char *fault;   /* why there is no such video, a line; NULL: there is one */
    char *content; /* the digest of its file; NULL: not said */
    int64_t frames, height, width;
    int keys;
    record_key *key; /* sorted */
} record;

/* From DIRECTORY/NAME.json, a line of `tensor-info --json` about its frames; without that, fault
 * is the last line of DIRECTORY/NAME.fault, or says that it is missing. */
record record_read(const char *directory, const char *name);
void record_free(record *r);

const char *record_get(const record *r, const char *key); /* NULL if it is not there */

/* The last component of a path, which is the variant's name; `fp16/` is fp16. To be freed. */
char *last_component(const char *path);

#endif
