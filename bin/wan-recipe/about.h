/*
** about.h: what is known of a video that is measured: eval/VARIANT/NAME.json.
**
** It is the line that tensor-info --json prints of the video's stream, with more members:
** `content`, the digest of the file, `reader`, what decoded it, and `digest`, of all this. Of a
** video that cannot be measured there is NAME.fault instead, a line of why.
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
/* The path with the name for %j. Of VARIANT/NAME it is NAME, and VARIANT stands for %v. To be
 * freed. */
char *about_path(const char *pattern, const char *name);
/* The next line of a list of names; NULL at its end. To be freed. */
char *next_name(FILE *f);

/* Lines of tensor-info --json on standard input: the i-th is kept as the record (`to`, a path with
 * %j) of the i-th name in the file `names`, as being about its `file` (another), read by what the
 * file `record` says. Returns how many there were. */
int about_keep(const char *to, const char *file, const char *record, const char *names);

/* Dies unless the record is what was written: for verify. */
void about_check(const char *path);

typedef struct {
    const char *file, *about; /* paths with %j for the name */
    const char *record;       /* a file: what reads the videos */
    const char *refused; /* a file: lines of a name, a tab and why it does not count; or NULL */
} videos;

/* Names on standard input: prints those whose file is there and not what its record is about, and
 * removes that record. A name without a file, or that is refused, loses its record and is not
 * printed; of one that is refused, about's .fault says why. */
void unknown_print(const videos *v);

#endif
