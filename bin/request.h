/*
** request.h: what is to be sampled, by the command line and a document, both checked.
*/
#ifndef REQUEST_H
#define REQUEST_H

#include <jansson.h>

#include "../common/stream.h"
#include "dit.h"
#include "noise.h"
#include "schedule.h"

/* The VAE's factors: a latent is 8 x 8 pixels of 4 frames; the first latent frame is one frame. */
enum { PIXELS = 8, FRAMES = 4 };

#define STORED_NOISE "stored noise"

typedef struct {
    int64_t width, height, frames; /* pixels, frames asked for */
    uint64_t *seed;                /* [seeds] */
    int seeds;                     /* 0: the document's */
    noise_kind noise;
    solver_kind solver;
    schedule_kind levels;
    schedule plan; /* of the whole sampling, also of steps before `begin` and after `until` */
    double guidance, shift;
    int first;        /* steps skipped at the begin: 0, or with given latents those of --from */
    int begin;        /* steps done: first, or more if the document is a sampling to be continued */
    int until;        /* stop after so many steps */
    tensor latents;   /* initial latents beside the noise; without data if not loaded */
    const char *rng;  /* of a sampling to be continued: the generator of its initial noise */
    bool goes_on;     /* the document is a sampling to be continued */
    bool given;       /* the levels were given as numbers */
    bool perturbed;   /* --perturb was given */
    uint64_t perturb; /* its seed */
} request;

/* Sets width and height; a usage error if size is not WxH, exit 1 if either is not a multiple of
 * 16. */
void request_size(request *q, const char *size);
/* Sets frames. Less than 1 is refused; a number that is not 4n + 1 is reduced, with a note, or
 * refused if strict. */
void request_frames(request *q, int64_t frames, bool strict);
/* "1,2,3" */
void request_seeds(request *q, const char *list);

/* q; if no seed was given, with the one in the document's metadata, or else 0. Dies if several
 * seeds were given but the document has its own noise. */
request request_of(const request *q, const document *d);

/* The passes of a step: 2; 1 with guidance 1, because the second would have no weight. */
int request_passes(const request *q);

/* The document's F32 tensor `name` [16, T, Y, X] as a host tensor; dies if it is not finite. */
tensor document_latents(const document *d, const char *name);
/* The document's F32 tensor `name` [n, width]; width -1: any. Dies if it is not finite. */
tensor document_context(const document *d, const char *name, int64_t width);
/* The context of a pass, for the model; dies if it has too many tokens. */
tensor request_context(const document *d, int pass, const dit *m);
/* The shape of the latents, without data: that of the initial latents or of the document's noise if
 * there are any, else by the options. */
tensor request_shape(const request *q, const document *d);
/* F32 of that shape: the document's noise, or noise drawn with the seed; with --perturb, perturbed.
 * To be freed. */
float *request_noise(const request *q, const document *d, tensor shape, uint64_t seed);

/* Adds the metadata of one result: seed (if noise was drawn), fps. Returns stamp, the record of the
 * model, with the members of the request added: for provenance_add. */
json_t *request_stamp(const request *q, const document *in, document *out, tensor shape,
                      uint64_t seed, json_t *stamp);

#endif
