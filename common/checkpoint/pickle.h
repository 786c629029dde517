/*
** pickle.h: what a pickle says, as a tree; nothing in it is ever executed.
**
** A pickle is a program for a stack machine that makes Python objects and calls Python functions.
** Here a call makes a node that holds the function's name and its arguments, and that is all; so
** does the making of an object. Names that the reader does not list end the program.
*/
#ifndef PICKLE_H
#define PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    PICKLE_UNSET, /* no value: an empty place of the memo */
    PICKLE_MARK,  /* on the stack only */
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,
    PICKLE_FLOAT, /* or a whole number of more than 64 bits */
    PICKLE_TEXT,  /* or bytes */
    PICKLE_TUPLE,
    PICKLE_LIST,      /* or set */
    PICKLE_DICT,      /* item: key, value, key, value, ... as they were set */
    PICKLE_GLOBAL,    /* i: its place in the list of allowed names */
    PICKLE_CLASS,     /* a global that the list allows by its beginning; text: its last component */
    PICKLE_CALL,      /* item: the function or class, its arguments (a PICKLE_TUPLE), and what the
                       * object's attributes were set to, if they were */
    PICKLE_PERSISTENT /* item: the id */
} pickle_kind;

typedef struct pickle_node pickle_node;

typedef struct {
    pickle_kind kind;
    uint32_t n; /* bytes of text */
    union {
        int64_t i;
        double f;
        const char *text; /* a view of the pickle, not terminated */
        pickle_node *node;
    } u;
} pickle_value;

struct pickle_node {
    int64_t n, room;
    pickle_value *item;
    pickle_node *next; /* all nodes of a pickle, to free them */
};

typedef struct {
    pickle_value root;
    pickle_node *nodes;
    size_t bytes; /* how long it was */
} pickle;

/* Interprets n bytes, which must outlive p. allowed: names like "torch._utils._rebuild_tensor_v2",
 * or "numpy.ndarray*", NULL-terminated; OrderedDict and defaultdict are always known, as dicts. */
void pickle_read(pickle *p, const void *bytes, size_t n, const char *const allowed[],
                 const char *where);
void pickle_free(pickle *p);

/* Is v a text, or a class of this name? */
bool pickle_is_text(pickle_value v, const char *text);
/* A call's function, its i-th argument, and what its attributes were set to; kind PICKLE_UNSET
 * where there is none. */
pickle_value pickle_function(pickle_value v);
pickle_value pickle_argument(pickle_value v, int64_t i);
pickle_value pickle_attributes(pickle_value v);
int64_t pickle_length(pickle_value v); /* items of a tuple or list, pairs of a dict; else 0 */
/* The value of a key, or one of kind PICKLE_UNSET. The last one set counts. */
pickle_value pickle_lookup(pickle_value dict, const char *key);

#endif
