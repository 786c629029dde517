/*
** nameindex.h: a hash table from names to indices of an array: for lists whose length a user
** decides (tensors, metadata, columns, videos). It is a JSON object of jansson.
**
**     struct json_t *index = NULL;
**     index_note(&index, "w", 0);
**     index_find(index, "w");      0; -1 for a name it does not have
**     index_free(&index);
*/
#ifndef NAMEINDEX_H
#define NAMEINDEX_H

struct json_t;

/* Names are bytes that end with 0, and are copied. A later index replaces an earlier one. */
void index_note(struct json_t **index, const char *name, int place);
int index_find(const struct json_t *index, const char *name);
void index_free(struct json_t **index);

#endif
