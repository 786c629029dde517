/*
** why.h: tells a person why a file must be made again: which option or input differs.
*/
#ifndef WHY_H
#define WHY_H

#include "../../common/stream.h"
#include "found.h"

/* The stages of a video, in the order in which their records lie in its metadata. */
typedef enum { TEXT, LATENTS, FRAMES, FILM, STAGES } stage;
extern const char *const STAGE_NAME[STAGES]; /* "text", "latents", "frames", "film" */

/* The records that a wanted video will have, one for each stage, and their recipes. */
typedef struct {
    const char *program[STAGES];
    json_t *record[STAGES];
    const char *recipe[STAGES]; /* of what the stage makes */
} wanted;

/* Reads them from a document that was passed through the first `stages` stages with --recipe. Dies
 * if the record of one of these is missing; number: the document's, for that message. */
wanted wanted_of(const document *d, int stages, int number);
void wanted_free(wanted *w);

/* Why f, made by stage s, is not the wanted file: "missing", "STEPS was 2, is 50",
** "weights.fp16 changed". To be freed. */
char *why_not(const wanted *w, stage s, const found *f, const document *d);

#endif
