/*
** clean.h: a prompt's text as the reference gives it to its tokenizer.
*/
#ifndef CLEAN_H
#define CLEAN_H

#include "text.h"

/* ftfy.fix_text(), html.unescape() twice, white space to single blanks, none at the ends. t is
 * valid UTF-8. */
void clean(text *t);

#endif
