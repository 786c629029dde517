/*
** verify.h: is a finished file as it was made?
*/
#ifndef VERIFY_H
#define VERIFY_H

/* Reads each file of the list on standard input, a name a line, to its end: documents and mp4 are
** compared with the digest that they carry, tables with that of their first line (measured.h).
** Says on standard error what is not as it was made; returns how many are not. */
int verify_list(void);

#endif
