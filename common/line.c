/*
** line.c: the text of a line.
*/
#include "line.h"

#include <string.h>

char *line_text(char *line, size_t *n)
{
    static const char mark[] = "\xef\xbb\xbf";
    while (*n && (line[*n - 1] == '\n' || line[*n - 1] == '\r'))
        --*n;
    while (*n >= 3 && memcmp(line, mark, 3) == 0) {
        line += 3;
        *n -= 3;
    }
    return line;
}
