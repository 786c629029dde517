/*
** noise.h: the numbers that torch.randn draws, on any machine, with or without a GPU.
**
** On CUDA torch shares the numbers out over the threads that it starts, and how many those are
** depends on the card; so a seed's noise is another on another card as soon as there are more
** elements than threads. Naming the card's multiprocessors and threads gives that card's noise.
*/
#ifndef NOISE_H
#define NOISE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    bool cuda;       /* Philox as on a GPU; else the Mersenne twister, as on a CPU */
    int64_t sms;     /* multiprocessors of the card */
    int64_t threads; /* threads that one multiprocessor holds */
} noise_kind;

/* "torch-cuda" (an H200), "torch-cuda:SMS,THREADS" or "torch-cpu"; usage error for others. */
noise_kind noise_named(const char *name);
/* The same, without dying. */
bool noise_parse(noise_kind *kind, const char *name);
/* "torch-cuda:132,2048" or "torch-cpu": what was drawn, for the metadata. Static memory. */
const char *noise_text(noise_kind kind);
/* The card whose numbers these are, if it is the default one, else NULL. */
const char *noise_card(noise_kind kind);

/* y[n], n a multiple of 16: torch.randn(n, generator=torch.Generator(...).manual_seed(seed)). */
void noise_draw(float *y, int64_t n, uint64_t seed, noise_kind kind);
/* What that generator's torch.randn(n) gives after `calls` of as many. */
void noise_draw_nth(float *y, int64_t n, uint64_t seed, noise_kind kind, int64_t calls);

/* Each of y[n] becomes the next F32 above or below it, as a hash of seed and its index says; the
 * greatest finite numbers stay finite. */
void noise_perturb(float *y, int64_t n, uint64_t seed);

#endif
