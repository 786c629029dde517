/*
** request.h: what is to be sampled: the command line and a document, checked and put together.
*/
#ifndef REQUEST_H
#define REQUEST_H

#include <jansson.h>

#include "../common/stream.h"
#include "dit.h"
#include "noise.h"
#include "schedule.h"

/* Of the VAE: a latent is 8 x 8 pixels of 4 frames, but for the first, which is one frame. */
enum { PIXELS = 8, FRAMES = 4 };

#define STORED_NOISE "stored noise"

typedef struct {
    int64_t width, height, frames; /* pixels, frames asked for */
    uint64_t *seed;                /* [seeds] */
    int seeds;                     /* 0: the document's */
    noise_kind noise;
    solver_kind solver;
    schedule_kind levels;
    schedule plan; /* whose `steps` are all, wherever this begins and ends */
    double guidance, shift;
    int first; /* the step that the sampling began with: 0 but for given latents (--from) */
    int begin; /* how many steps are done: first, unless the document is a sampling that goes on */
    int until; /* how many are to be done */
    tensor latents;  /* what it begins with instead of noise alone; without data if not loaded */
    const char *rng; /* of a sampling that goes on: whose noise it began with */
    bool goes_on, given; /* given: the levels were, as numbers */
    bool perturbed;      /* the noise, in its last bit, by the hash of: */
    uint64_t perturb;
} request;

/* Into q; usage error if not WxH, exit 1 if either is not a multiple of 16. */
void request_size(request *q, const char *size);
/* frames < 1 is refused; other than 4n + 1 gives fewer (with a note), or is refused if strict. */
void request_frames(request *q, int64_t frames, bool strict);
/* "1,2,3" */
void request_seeds(request *q, const char *list);

/* q with the document's own seed, its metadata's or else 0, if none was asked for. Dies if several
 * were asked for but the document brings its noise. */
request request_of(const request *q, const document *d);

/* The passes of a step: 2 with guidance, and 1 with guidance 1, where the second has no weight. */
int request_passes(const request *q);

/* The document's F32 tensor `name` [16, T, Y, X] as a host tensor; dies if it is not finite. */
tensor document_latents(const document *d, const char *name);
/* The document's F32 tensor `name` [n, width]; width -1: any. Dies if it is not finite. */
tensor document_context(const document *d, const char *name, int64_t width);
/* The text of a pass, as the model takes it; dies if it has too many tokens. */
tensor request_context(const document *d, int pass, const dit *m);
/* The latents' shape: that of the latents that it begins with or of the document's noise if there
 * are any, else as asked for. No data. */
tensor request_shape(const request *q, const document *d);
/* F32 of that shape: the document's noise, or drawn with the seed; perturbed, if that is asked for.
 * To be freed. */
float *request_noise(const request *q, const document *d, tensor shape, uint64_t seed);

/* Adds what belongs to one result to its metadata: seed (if it was drawn), fps. Returns stamp, what
 * is said of the model, with what is said of the request: for provenance_add. */
json_t *request_stamp(const request *q, const document *in, document *out, tensor shape,
                      uint64_t seed, json_t *stamp);

#endif
