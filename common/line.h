/*
** line.h: a line of a text file that people wrote, on whatever system.
*/
#ifndef LINE_H
#define LINE_H

#include <stddef.h>

/* Where the text of a line of n bytes begins: behind byte order marks, of which a file that others
** were joined into has some. *n becomes its length, without the line's end, LF or CR LF. */
char *line_text(char *line, size_t *n);

#endif
