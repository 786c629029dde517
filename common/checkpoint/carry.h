/*
** carry.h: what of a checkpoint's metadata goes along into another that is made of it.
*/
#ifndef CARRY_H
#define CARRY_H

#include "../stream.h"
#include "weights.h"

/* All keys, but those that say how the file was laid out or packed. */
void carry_metadata(document *d, const weights *w);
/* config.json beside the checkpoint, by official keys, as `config`: one file is then all that
 * wan-denoise needs. A checkpoint that brought its own keeps that. */
void carry_config(document *d, const weights *w);

#endif
