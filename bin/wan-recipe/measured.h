/*
** measured.h: the tables of measurements, one file for each video or pair and program.
**
** The first line of a table is "# " and a JSON object with four members. `record`: the programs
** that measured and decoded. `inputs`: the digests of the videos. `recipe`: the digest of these
** two. `digest`: of these two and of all lines that follow. The following lines are what the
** program printed for this document. In paths %j stands for the video's name.
*/
#ifndef MEASURED_H
#define MEASURED_H

#include <stdbool.h>

typedef struct {
    const char *table; /* eval/fp16/%j.clip.tsv */
    const char
        *about[2];      /* the videos' records, eval/fp16/%j.json; the second NULL unless a pair */
    const char *record; /* a file: the output of the programs' --recipe, a line of JSON each */
    bool pairs;         /* a row for each two neighbouring frames, not for each frame */
    bool whole;         /* or one for the whole video */
} measure;

/* Reads names from standard input; prints those whose table is not current, and removes that table.
 * A name is skipped if one of its videos has no record. */
void unmeasured_print(const measure *m);
/* Reads a table from standard input whose first column is the number of the document. The rows of
 * the i-th document become the table of the i-th name in the file `names`; a table gets its final
 * name when all its rows are there. Dies if there are too few or too many rows. */
void measured_keep(const measure *m, const char *names);
/* Dies if the table was changed since it was written: for `make verify`. */
void measured_check(const char *path);

#endif
