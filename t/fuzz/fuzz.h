/*
** fuzz.h: what a fuzz target is: a function that parses bytes which nobody vouches for.
**
** Each t/fuzz/TARGET.c has fuzz_target(); fuzz.c calls it, and stands in for common/die.c. So a
** parser that refuses its input comes back here, as if the program had ended. `make fuzz` links the
** targets with libFuzzer, `make check` with replay.c, which runs the kept inputs of
** t/corpus/TARGET through them.
*/
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Once, before the first input; what it allocates is not counted. A target needs not have it. */
void fuzz_begin(void) __attribute__((weak));
/* One input, ended by a NUL that does not count. It must free all that it takes when it returns;
 * when the parser dies everything is freed for it. */
void fuzz_target(const uint8_t *bytes, size_t n);

/* From now on fopen() of a path that ends with `name` reads these bytes; of any other it fails. */
void fuzz_file(const char *name, const void *bytes, size_t n);
/* The same of a file that can be mapped and whose descriptor can be asked; bytes NULL: it is not
 * there. */
void fuzz_mapped(const char *name, const void *bytes, size_t n);
/* An empty file in memory, for a target's own use. */
FILE *fuzz_blank(void);
/* What the file of the tree has, less than `most` bytes; how many. */
size_t fuzz_read(void *room, size_t most, const char *path);
/* A path under which the bytes are a file that can be mapped. */
const char *fuzz_path(const void *bytes, size_t n);
/* The bytes as a file that is open for reading. */
FILE *fuzz_open(const void *bytes, size_t n);

/* The next part of an input of several, which zero bytes divide; n is its length. The last part is
 * all that is left. */
const char *fuzz_part(const uint8_t **bytes, size_t *left, size_t *n);

/* Ends the run as a crash does: what a parser promises does not hold. */
void fuzz_broken(const char *promise) __attribute__((noreturn));

#endif
