/*
** layout.h: models by the names that their authors gave, whatever a file calls its tensors.
**
** A layout is how one library, or one habit, writes a model: patterns of its names and the official
** names they stand for (layouts.c), the places where its parts lie in a directory, the keys of its
** config.json. Models ask for official names and keys only.
*/
#ifndef LAYOUT_H
#define LAYOUT_H

#include "weights.h"

typedef enum {
    PART_TRANSFORMER,
    PART_TEXT,
    PART_VAE,
    PART_CLIP,
    PART_DINO,
    PART_FEATURES,
    PART_HEADS,
    PARTS
} model_part;

/* The part of the model at path (a directory of any layout, a file, FILE:KEY), by official names.
** Dies, saying what a file is instead; for tensors that make another model of it (a LoRA, VACE,
** image-to-video); and if there is none. */
weights *model_find(const char *path, model_part part);
/* The same of what is open already. */
weights *model_of(weights *w, model_part part);
/* Whatever Wan's program can read, standard input included; names that no layout knows stay. */
weights *model_find_any(const char *path);
weights *model_any(weights *w);

/* The official name of a tensor that another file calls so, of this part in any of its layouts; in
 * loose names (kohya's) an underscore may stand for any full stop. NULL: none. To be freed. */
char *official_name(const char *name, model_part part, bool loose);

/* What diffusers calls the tensor of Wan's transformer that has this official name: the same table
 * the other way. NULL: it has none. To be freed. */
char *diffusers_name(const char *official);

/* "Wan's transformer", "umT5's encoder", ... */
const char *part_name(model_part part);

#endif
