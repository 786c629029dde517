/*
** account.h: what a model's weights are and take, as a record says it.
*/
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include <jansson.h>

#include "../common/checkpoint/weights.h"

/* Adds to stamp, of a transformer whose floats are used as dtype:
**    format        "fp16", "w8a16", "int4-g128", "int4-g128+fp16": of the linears in its blocks
**    bits          a weight of those, with scales and branches; of a fake, what it stands for
**    weight_bytes  of all parameters, as the device holds them
**    stored        "floats", "codes", or "fake": floats that codes were made of and lost */
void account_stamp(json_t *stamp, const weights *w, tensor_type dtype);

#endif
