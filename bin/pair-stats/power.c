/*
** power.c: which differences an experiment of this size would have seen.
*/
#include <math.h>

#include "statistics.h"

double detectable(const estimate *e)
{
    if (!(e->se > 0))
        return NAN;
    double t = student_quantile(0.025, e->df), low = 0, high = t;
    while (student_power(high, t, e->df) < 0.8)
        high *= 2;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        *(student_power(middle, t, e->df) < 0.8 ? &low : &high) = middle;
    }
    return high * e->se;
}
