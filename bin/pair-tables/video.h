/*
** video.h: what was measured of one video, and of one pair.
*/
#ifndef VIDEO_H
#define VIDEO_H

#include "../../common/csv.h"
#include "../../common/record.h"

/* NULL arrays: not measured. NAN: not defined. */
typedef struct {
    const char *variant, *name;
    record about;     /* about.fault: there is no such video */
    double *clip;     /* [frames] */
    double *temporal; /* [frames]: with the frame before; of the first NAN */
    double *motion;   /* [frames]: from the frame before; of the first NAN */
    csv *judged;      /* one row: what the judge says of it; NULL: not judged */
} video;

/* From DIRECTORY/VARIANT/NAME.json, .clip.tsv, .motion.tsv and .judge.tsv. Dies if a table has not
 * a row for each frame, or the judge's not one; one that says it is of another content counts as
 * not measured. */
video video_read(const char *directory, const char *variant, const char *name);
void video_free(video *v);

typedef struct {
    double *psnr, *ssim, *mad; /* [frames] */
} difference;

/* From DIRECTORY/PAIR/NAME.diff.tsv. */
difference difference_read(const char *directory, const char *pair, const video *a, const video *b);
void difference_free(difference *d);

/* The mean of x[from .. n - 1]; NAN if x is NULL, from is n, or one of them is NAN. */
double mean_of(const double *x, int64_t from, int64_t n);
/* The PSNR of a video whose frames have these. */
double psnr_of(const double *psnr, int64_t n);

#endif
