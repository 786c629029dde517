/*
** layouts.h: the tables of layouts.c, for layout.c and config.c.
*/
#ifndef LAYOUTS_H
#define LAYOUTS_H

#include "layout.h"

typedef struct {
    const char *theirs, *ours; /* NULL: the same */
} renaming;

typedef struct {
    model_part part;
    const char *what;
    const renaming *names;
} layout;

typedef struct {
    const char *pattern; /* fnmatch's */
    const char *what;
} stranger;

extern const layout layouts[]; /* the last has part PARTS */
extern const char *const wrappers[], *const part_wrappers[PARTS][6];
extern const renaming companions[], wan_diffusers_names[];
/* layouts-pictures.c */
extern const renaming dino_names[], dino_hf_names[], features_names[], heads_names[];
extern const char *const landmarks[PARTS], *const places[PARTS][32];
extern const stranger strangers[], others[];
extern const char *const archs[], *const halves[][2];

#endif
