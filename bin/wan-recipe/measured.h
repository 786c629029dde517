/*
** measured.h: what was measured of a video or a pair, a table a file, each with its recipe.
**
** A table's first line is "# " and a JSON object: `recipe`, the digest of `record` (the programs
** that measured and decoded) and `inputs` (the contents of the videos); and `digest`, of the
** record, the inputs and all that follows the line. The rest is what the program printed of this
** document. In paths %j stands for the video's name.
*/
#ifndef MEASURED_H
#define MEASURED_H

#include <stdbool.h>

typedef struct {
    const char *table; /* eval/fp16/%j.clip.tsv */
    const char
        *about[2];      /* the videos' records, eval/fp16/%j.json; the second NULL but for pairs */
    const char *record; /* a file: what the programs say with --recipe, a line of JSON each */
    bool pairs;         /* a row for each pair of neighbours, not for each frame */
    bool whole;         /* or one for the whole video */
} measure;

/* Names on standard input: prints those whose table is not current, and removes that. A name is
** passed over if one of its videos has no record. */
void unmeasured_print(const measure *m);
/* A table on standard input whose first column is the number of the document: the rows of the i-th
 * document become the table of the i-th name in the file `names`, under its name when all are
 * there. Dies if they are too few or too many. */
void measured_keep(const measure *m, const char *names);
/* Dies unless the table is what was written: for verify. */
void measured_check(const char *path);

#endif
