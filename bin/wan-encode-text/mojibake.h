/*
** mojibake.h: text that was written as UTF-8 and read as something else, read rightly again.
*/
#ifndef MOJIBAKE_H
#define MOJIBAKE_H

#include "text.h"

/* Does the text hold characters next to each other as only misread UTF-8 has them? */
bool looks_misread(const text *t);
/* Undoes misreadings until nothing changes; text that does not look misread stays as it is. */
void fix_encoding(text *t);
/* The control characters 80 to 9f, as windows-1252 has them. */
void fix_c1_controls(text *t);

#endif
