/*
** describe.h: what a result says of itself: its record, where its sampling stands, its header.
*/
#ifndef DESCRIBE_H
#define DESCRIBE_H

#include "run.h"

/* What a record says of the model and the device. */
json_t *model_stamp(const run *r);
/* Metadata of latents of which so many steps are done. skipped: the steps answered from what was
 * computed before, so far; NULL: not known, or none. */
void describe(const run *r, document *d, const request *q, const document *in, tensor shape,
              uint64_t seed, int step, json_t *skipped);
/* The same of what the model takes for the data after so many steps (--preview). */
void describe_estimate(const run *r, document *d, const request *q, const document *in,
                       tensor shape, uint64_t seed, int step, json_t *skipped);

/* A document of latents after so many steps; if the sampling stops there before its end, one to go
 * on from. */
void result_begin(const run *r, writer *out, const request *q, const document *in, tensor shape,
                  uint64_t seed, int step, json_t *skipped);
/* Its tensors: those on the device by way of `host`, which has the latents' size. */
void result_end(writer *out, const request *q, const document *in, const solver *s, float *host);
/* -s 0: the document again, with its noise. */
void noise_write(const run *r, writer *out, const request *q, const document *in);
/* --recipe: what would be written of a document. */
void recipes_write(const run *r, writer *out, const request *q, const document *in);

#endif
