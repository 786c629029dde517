/*
** html.h: HTML's character references, undone in the two ways that the reference uses.
*/
#ifndef HTML_H
#define HTML_H

#include "text.h"

/* As Python's html.unescape, which is HTML5: semicolons may be missing, and the longest name that
 * the text begins with counts ("&notit" is "¬it"). */
void html_unescape(text *t);
/* As ftfy's unescape_html: only whole references with their semicolon, but also names that someone
 * put in capitals ("&NTILDE;" is "Ñ"). */
void html_unescape_whole(text *t);

#endif
