/*
** sample.h: a sampling, from noise or from where another stopped.
*/
#ifndef SAMPLE_H
#define SAMPLE_H

#include "run.h"

/* A result for each seed of a document; with --tap and --trace those of steps as well. */
void sample_document(const run *r, writer *out, const request *q, const document *in);

#endif
