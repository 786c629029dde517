/*
** about.h: the record of a video that is to be measured: eval/VARIANT/NAME.json.
**
** It is the line that tensor-info --json prints for the video's stream, with three more members:
** `content`, the digest of the file; `reader`, the program that decoded it; and `digest`, of all
** the others. A video that cannot be measured has the file NAME.fault instead, a line with the
** reason.
*/
#ifndef ABOUT_H
#define ABOUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct {
    bool there;
    char *content;
    int64_t frames;
} about;

about about_read(const char *path);
void about_free(about *a);
/* The pattern with %j replaced by the name. If the name is VARIANT/NAME, %j is NAME and %v is
 * VARIANT. To be freed. */
char *about_path(const char *pattern, const char *name);
/* The next line of a list of names; NULL at its end. To be freed. */
char *next_name(FILE *f);

/* Reads lines of tensor-info --json from standard input and writes them as records: the i-th line
 * belongs to the i-th name in the file `names`. `to` (the record) and `file` (the video) are paths
 * with %j; the contents of the file `record` name the reader. Returns the number of lines. */
int about_keep(const char *to, const char *file, const char *record, const char *names);

/* Dies if the record was changed since it was written: for `make verify`. */
void about_check(const char *path);

typedef struct {
    const char *file, *about; /* paths with %j for the name */
    const char *record;       /* a file: what reads the videos */
    const char *refused; /* a file: lines of a name, a tab and why it does not count; or NULL */
} videos;

/* Reads names from standard input and prints those that need a new record: their video is there,
 * but its record is missing or describes other contents; an old record is removed. A name that has
 * no video, or that is refused, also loses its record, but is not printed; a refused one gets a
 * .fault with the reason. */
void unknown_print(const videos *v);

#endif
