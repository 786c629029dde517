/*
** equivalence.c: is a mean shown to be within a margin? That a difference is not significant shows
** nothing of the kind.
*/
#include <math.h>

#include "statistics.h"

double p_equivalence(const estimate *e, double margin)
{
    return fmax(p_beyond(e, -margin, true), p_beyond(e, margin, false));
}
