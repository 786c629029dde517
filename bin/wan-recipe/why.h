/*
** why.h: why a file is not the one that is wanted, for people.
*/
#ifndef WHY_H
#define WHY_H

#include "../../common/stream.h"
#include "found.h"

/* The stages of a video, in the order in which their records lie in its metadata. */
typedef enum { TEXT, LATENTS, FRAMES, FILM, STAGES } stage;
extern const char *const STAGE_NAME[STAGES]; /* "text", "latents", "frames", "film" */

/* The records of a wanted video, one a stage, and the recipes that they have. */
typedef struct {
    const char *program[STAGES];
    json_t *record[STAGES];
    const char *recipe[STAGES]; /* of what the stage makes */
} wanted;

/* Of a document that the first `stages` stages have passed with --recipe; dies, with `number`, if
 * one is missing. */
wanted wanted_of(const document *d, int stages, int number);
void wanted_free(wanted *w);

/* A line of why f, which stage s made, is not wanted: "missing", "STEPS was 2, is 50",
** "weights.fp16 changed". To be freed. */
char *why_not(const wanted *w, stage s, const found *f, const document *d);

#endif
