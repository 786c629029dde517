/*
** ranks.h: a program that runs a model becomes several, each with a device: launched, and joined.
*/
#ifndef RANKS_H
#define RANKS_H

/* Starts `count` ranks of this program and returns in each of them its number; what launch.h says
** of launch() holds. Dies if this program was built without what connects devices. */
int ranks_start(int count);

#endif
