/*
** found.h: what a file says of itself: its metadata and recipe, and whether it is whole.
*/
#ifndef FOUND_H
#define FOUND_H

#include <jansson.h>
#include <stdbool.h>

typedef struct {
    bool there;         /* the file exists */
    bool whole;         /* it ends where it says, and says something */
    json_t *metadata;   /* an object of texts; NULL unless whole */
    const char *recipe; /* of the metadata; NULL if they have none */
} found;

/* A safetensors document, or an mp4 with a box at its end (box.h), told by its content. Nothing but
** the header is read. Never dies for what is in it. */
found found_file(const char *path);
void found_free(found *f);

/* Is it whole, and of this recipe? */
bool is_current(const char *path, const char *recipe);

#endif
