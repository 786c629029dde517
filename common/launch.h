/*
** launch.h: one program as several processes, the ranks, that do one filter's work together.
**
** Every rank runs the same program on the same input with the same options. What they have to say
** to each other is no concern of this file; that they start, see the input and end together is.
*/
#ifndef LAUNCH_H
#define LAUNCH_H

/* Starts `count` copies of this process and returns in each of them its rank, from 0 to count - 1.
**
** The caller stays behind and does not return: it copies its standard input to every rank, waits,
** and ends as they ended. Rank 0 keeps standard output and standard error. What the others write to
** standard output is dropped, and they are mute (program.h). If one fails or is killed, all are
** ended, with one line of why, and exit 1; if the caller is killed, so are they. With one rank it
** returns 0 at once. To be called after the options are read and before anything else is touched:
** threads, libraries and devices that are open do not survive it. */
int launch(int count);

#endif
