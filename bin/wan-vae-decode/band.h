/*
** band.h: the part of every picture that one of several ranks makes: a band of rows.
**
** Everything but two things is made pixel by pixel: a convolution sees one row beyond the band, and
** attention sees all pixels. So every picture [1, Y, X, C] has, beside the band's own rows, a row
** lent by the rank above and one by the rank below, where there are such. A convolution's input has
** there what its neighbours have (band_lend); elsewhere what is in these rows is never used.
*/
#ifndef BAND_H
#define BAND_H

#include "../../kernels/kernels.h"

typedef struct {
    int rank, count;
    int above, below; /* lent rows: 1 where there is a neighbour, else 0 */
    int64_t lines;    /* rows of a latent frame, of all bands */
} band;

/* Of this rank of so many; without pictures yet. */
band band_of(int rank, int count);
/* Latents of so many rows come. Dies if there are not as many as ranks. */
void band_start(band *b, int64_t lines);

/* The first row of a latent frame that our picture of it has, and how many, with lent ones. */
int64_t band_first(const band *b);
int64_t band_rows(const band *b);

/* x [1, Y, X, C] without its outermost row towards each neighbour: its own rows; or, of a picture
 * that was just doubled and so has two lent rows there, the picture with one. */
tensor band_inner(const band *b, tensor x);
/* Fills the lent rows of x [1, Y, X, C]. */
void band_lend(const band *b, tensor x);
/* [n, C]: the rows of all bands one below the other, of x [n', C], a matrix of our own alone, which
 * may be strided. With one rank it is x. */
tensor band_all(const band *b, tensor x);

#endif
