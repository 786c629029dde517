/*
** apart.h: prompts of a calibration and prompts of an evaluation are kept apart, by digest.
*/
#ifndef APART_H
#define APART_H

/* Prompts, a line each, on standard input. Dies if the file at `path` is a checkpoint that was
 * calibrated with one of them, or statistics of one, by what its metadata say. */
void apart_check(const char *path);

#endif
