/*
** held.h: what an input holds, between fuzz.c, which begins and ends it, and held.c, which counts.
*/
#ifndef HELD_H
#define HELD_H

#include <stdbool.h>
#include <stddef.h>

typedef enum { HELD_MEMORY, HELD_STREAM, HELD_MAP, HELD_DIGEST } held_kind;

extern bool held_counts; /* an input is being parsed */

/* Notes what was taken; nothing if p is NULL or no input is parsed. */
void hold(void *p, size_t bytes, held_kind kind);
/* Ends the run as a crash does if anything is held, and says who took it. */
void held_none(void);
/* Gives all back, as the end of a process would. */
void held_give_back(void);

/* The allocator as our code sees it, and the library's own. */
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void __wrap_free(void *p);
void *__real_malloc(size_t n);
void __real_free(void *p);

#endif
