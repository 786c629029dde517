/*
** difference.h: how far two pictures are apart: error of levels, and structural similarity.
*/
#ifndef DIFFERENCE_H
#define DIFFERENCE_H

#include <stdbool.h>
#include <stdint.h>

/* Sums over all values of pictures U8 [H, W, 3]. */
typedef struct {
    int64_t values, absolute, squares;
} level_error;

level_error levels_between(const uint8_t *a, const uint8_t *b, int64_t H, int64_t W);
level_error error_sum(level_error a, level_error b);
double mean_absolute(level_error e); /* in levels of 255 */
double psnr(level_error e);          /* dB with a peak of 255; infinite for equal pictures */

/* SSIM is a mean over windows of this side that lie in the picture: smaller ones have none. */
enum { SSIM_WINDOW = 11 };

/* SSIM of the BT.601 luma of two pictures U8 [H, W, 3], both sides at least SSIM_WINDOW. */
double ssim(const uint8_t *a, const uint8_t *b, int64_t H, int64_t W);

#endif
