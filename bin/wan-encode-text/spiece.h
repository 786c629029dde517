/*
** spiece.h: is a sentencepiece model safe to hand to the library?
*/
#ifndef SPIECE_H
#define SPIECE_H

#include <stddef.h>

/* What is wrong with the model in these bytes; NULL: nothing that we know of. */
const char *spiece_fault(const void *bytes, size_t n);

#endif
