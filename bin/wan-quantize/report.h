/*
** report.h: the table of what was quantized.
*/
#ifndef REPORT_H
#define REPORT_H

#include "codes.h"

typedef struct {
    int64_t weights;
    size_t before, after; /* bytes as they were and as they are written, with scales */
    size_t codes;         /* of the codes and scales that are written, or stood for (--fake) */
    rounding r;
} change;

/* name: of the weight. */
void report_add(const char *rule, const char *name, change c);
/* A tensor that was passed on as it was. */
void report_same(size_t bytes);
/* On stderr, unless -q: a line a rule, below it one a kind of layer; one for all. */
void report_print(void);
/* Of all that became codes. */
change report_all(void);

#endif
