/*
** perceptual.h: LPIPS: how far two pictures are apart for a network that was trained to see.
*/
#ifndef PERCEPTUAL_H
#define PERCEPTUAL_H

#include "../load.h"

enum { LPIPS_LEVELS = 5, LPIPS_MOST_LAYERS = 13 };

typedef struct lpips_plan lpips_plan;

typedef struct {
    const lpips_plan *plan;
    weights *network, *heads; /* perhaps of one file */
    tensor_type A;
    linear_weight first;                 /* of unfolded pixels */
    void *padded;                        /* host memory under it */
    conv_weight conv[LPIPS_MOST_LAYERS]; /* from the second on */
    tensor unit[LPIPS_LEVELS];           /* F32 [C], all 1 / sqrt C */
    float *head[LPIPS_LEVELS];           /* host [C] */
} lpips;

/* net: "alex" or "vgg"; path: a directory or a file; heads: a file, or NULL: within or beside path.
 * Nothing is loaded. */
void lpips_open(lpips *m, const char *net, const char *path, const char *heads);
bool lpips_known(const char *net);
/* Onto the device, stored as `type`. */
void lpips_load(lpips *m, tensor_type type);
/* The least height and width of pictures. */
int64_t lpips_least(const lpips *m);
/* Of pixels, host F32 [3, 2, Y, X], scaled as ImageNet's. */
double lpips_distance(const lpips *m, tensor pixels);
void lpips_close(lpips *m);

#endif
