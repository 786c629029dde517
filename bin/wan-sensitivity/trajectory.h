/*
** trajectory.h: one sampling of the reference, and how far a changed model departs from it.
*/
#ifndef TRAJECTORY_H
#define TRAJECTORY_H

#include "../dit.h"
#include "../request.h"

/* What is kept is on the device, on the stack. */
typedef struct {
    const dit *model;
    const request *q;
    const schedule *plan;
    int points;
    const int *step;    /* [points]: the steps whose velocities are kept */
    tensor noise, rope; /* F32 [16, T, Y, X]; of its tokens' places */
    tensor x, v;  /* F32 [points, 16, T, Y, X]: latents, and the velocity that the step takes */
    tensor last;  /* F32 [16, T, Y, X]: the final latents */
    double *size; /* [points + 1]: 2-norms of each v, and of last */
} trajectory;

/* Samples with the model as it is. noise: of the host. All that it points to must stay; step
 * ascends. Dies if a kept velocity or the result is not finite. */
void trajectory_open(trajectory *t, const dit *m, const request *q, const schedule *plan,
                     int points, const int step[], tensor noise, const dit_text *text);
/* error[points] = |v' - v| / |v|, 2-norms, v' being what the model as it is now makes of the same
 * latents; infinity where that is not finite. Waits. */
void trajectory_errors(const trajectory *t, const dit_text *text, double error[]);
/* The same of the final latents of a sampling from the same noise. */
double trajectory_final_error(const trajectory *t, const dit_text *text);
void trajectory_close(trajectory *t);

#endif
