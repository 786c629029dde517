/*
** run.h: what one run of wan-denoise has for all its documents: the model and the command line.
*/
#ifndef RUN_H
#define RUN_H

#include "../../common/program.h"
#include "../dit.h"
#include "../request.h"

typedef struct {
    const option *options; /* the table, for records */
    int numerics;
    bool trace, dry;
    const char *taps, *stat; /* NULL: not asked for */
    const char *attend;
    tensor_type weight_type; /* --dtype */
    weights *checkpoint;     /* NULL: there is none (-s 0) */
    dit model;
} run;

/* Can they be read? How many rows of the first are shown. */
int64_t run_check_text(const run *r, const document *in, int passes);
/* The contexts of all passes; what is tapped is of the first. */
dit_text run_text(const run *r, const document *in, int passes);

#endif
