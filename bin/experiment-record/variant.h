/*
** variant.h: what the videos of a variant say of themselves, together.
*/
#ifndef VARIANT_H
#define VARIANT_H

#include <jansson.h>

#include "../../common/namelist.h"
#include "../../common/record.h"

typedef struct {
    const char *name;
    int videos;
    record *about; /* [videos] */
    json_t *runs;
} variant;

/* From DIRECTORY/eval/NAME and DIRECTORY/NAME/runs; names: a file of those that count, or NULL for
 * all. */
variant variant_read(const char *directory, const char *name, const char *names);
void variant_free(variant *v);

/* What all videos of the variant say, "wan-denoise.steps" as a member of the object wan-denoise. */
json_t *metadata_of(const variant *v);
/* Different texts, in the order in which they come. */
typedef struct {
    int n;
    name_list list;
    struct json_t *at; /* nameindex.h */
} text_set;

void text_set_add(text_set *s, const char *text); /* unless it is empty, or there already */
/* All, with blanks between them, to be freed; the set is empty then. */
char *text_set_end(text_set *s);

/* The different values of a key over the videos, as they came, with blanks between them. To be
 * freed. */
char *values_of(const variant *v, const char *key);

/* Are weights rounded to a format but stored as F16? Then bytes and seconds are F16's, which the
 * note says; else NULL. */
const char *note_of(const variant *v);
/* What the weights are; null for what the videos do not say, or not all the same. about: what
 * metadata_of() has. */
json_t *weights_of(const variant *v, const json_t *about);

#endif
