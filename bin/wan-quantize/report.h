/*
** report.h: the table of what was quantized.
*/
#ifndef REPORT_H
#define REPORT_H

#include "codes.h"

/* name: of the weight; bytes as they were, and of codes and scales together. */
void report_add(const char *name, size_t before, size_t after, rounding r);
/* On stderr, unless -q; the others: tensors passed on as they were. */
void report_print(int other_tensors, size_t other_bytes);

#endif
