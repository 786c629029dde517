/*
** ratios.h: MagCache's ratios: by how much the sum of the blocks shrinks or grows between steps.
**
** Of a sampling it is, for each step and pass, the mean over tokens of |r_i| / |r_i-1|, r being
** what the blocks add to a token; 1 for the first step. --stat residual measures it and writes a
** document with `residual.ratio` F32 [steps, passes], the mean over all that was sampled.
*/
#ifndef RATIOS_H
#define RATIOS_H

#include "run.h"

#define RATIOS "residual" /* what --stat measures them by */

typedef struct {
    int steps, passes;
    float *ratio;       /* [steps, passes] */
    const char *digest; /* of the document's tensors */
} ratio_table;

/* From a document in a file; dies if it has no such tensor. */
ratio_table ratios_read(const char *path);
/* The ratio of a step of so many, by the nearest of the table's. */
double ratios_at(const ratio_table *t, int step, int steps, int pass);

/* ---- measuring ---- */

void ratios_open(int steps, int passes);
bool ratios_wanted(void);
/* residual F32 [rows, D], on the device, of all passes, at a step. */
void ratios_see(int step, tensor residual);
void ratios_source(const document *in, uint64_t seed);
void ratios_write(const run *r, writer *out, const request *q);

#endif
