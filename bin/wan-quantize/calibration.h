/*
** calibration.h: what is known of the inputs of linears, as `wan-denoise --stat` writes it.
**
** Of a layer X with `in` channels, over all its inputs x: X.count I64 [1], X.absmax F32 [in],
** X.sum and X.squares F64 [in], and perhaps X.gram F64 [in, in] = the sum of x^T x. One document a
** bin of timesteps, several files: bins are added up, of absmax the greatest is taken.
*/
#ifndef CALIBRATION_H
#define CALIBRATION_H

#include "../../common/namelist.h"
#include "../../common/program.h"

typedef struct calibration calibration;

/* Maps the files and reads their headers. Dies if one is no statistics, or of another model than
 * the others. */
calibration *calibration_open(const option_list *files);
void calibration_close(calibration *c);

/* A digest of all bytes of the files. */
const char *calibration_digest(const calibration *c);
/* The digests of the prompts that were run. */
const name_list *calibration_prompts(const calibration *c);
/* Dies if it is of another model than the one with this digest. */
void calibration_check_model(const calibration *c, const char *weights, const char *path);

typedef struct {
    int64_t in, count;
    double *squares; /* [in] */
    double *gram;    /* [in, in], or NULL */
} moments;

/* Sums of a layer, in new memory; gram only if it is wanted and there is one. Dies, with the
 * layer's name, if there is nothing of it, for other sizes, and for what is not finite. */
moments calibration_of(calibration *c, const char *layer, int64_t in, bool gram);
bool calibration_has(const calibration *c, const char *layer);
bool calibration_has_gram(const calibration *c, const char *layer);
/* They become those of x / s. */
void moments_divide(moments *m, const float *s);
void moments_free(moments *m);

#endif
