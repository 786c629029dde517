/*
** band.h: the part of every picture that one of several ranks makes: a band of rows.
**
** A convolution sees one row beyond the band, and attention sees all pixels. So a picture has,
** beside the band's own rows, some of the rows above and below: its halo. There are as many as
** convolutions before the next doubling, and one for that. They are fetched from the ranks that own
** them when a picture has been doubled (band_lend), and each convolution then spoils one more, from
** outside. So some rows are made twice: with two ranks 7 % of the work. But there are 11 fetchings
** a latent frame of the real model, and one before each convolution would be 82.
*/
#ifndef BAND_H
#define BAND_H

#include "../kernels/kernels.h"

enum { MOST_LEVELS = 8 };

/* A picture of level l is 2^l times as wide and high as a latent frame. */
typedef struct {
    int rank, count;
    int halo[MOST_LEVELS]; /* rows, where there are as many */
    int64_t Y, X;          /* of a latent frame: of all bands */
} band;

/* Of this rank of so many; the halos are the model's. */
band band_of(int rank, int count);
/* Latents of that size come. Dies if there are not as many rows as ranks. */
void band_start(band *b, int64_t Y, int64_t X);

/* The first row of a picture of this level that is here, halo included, and how many are. */
int64_t band_first(const band *b, int level);
int64_t band_rows(const band *b, int level);

/* x [1, Y, X, C] without its halo. */
tensor band_own(const band *b, tensor x);
/* x [1, Y, X, C], just doubled with its halo, with as much halo as its level has. */
tensor band_doubled(const band *b, tensor x);
/* Fills the halo of x [1, Y, X, C] with the rows of the ranks that own them. */
void band_lend(const band *b, tensor x);
/* [n, C]: the rows of all bands one below the other, of x [n', C], a matrix of own pixels, which
 * may be strided. With one rank it is x. */
tensor band_all(const band *b, tensor x);

#endif
