/*
** filemap.h: all bytes of a file, mapped; of a pipe, read.
*/
#ifndef FILEMAP_H
#define FILEMAP_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    unsigned char *at; /* read only */
    size_t bytes;
    bool mapped; /* else allocated */
} filemap;

/* Dies, with `name`, if it cannot be read, is empty or is a directory. */
void filemap_open(filemap *m, int fd, const char *name);
/* After a system call that could not read the bytes (EFAULT): if they are of a map whose file
** became shorter, the program ends with a line that names it, as when it reads them itself. */
void filemap_check(const void *at, size_t bytes);
/* The whole pages in [at, at + bytes) will not be needed soon. Does nothing for other memory than a
 * mapped file. */
void filemap_drop(const void *at, size_t bytes);
void filemap_close(filemap *m);

#endif
