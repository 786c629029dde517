/*
** inspect.h: --tap: intermediates and inputs of linears, written into a document as they are made.
**
** What a document will hold is known before it is made (names.h): it is declared first, then comes
** its header, then what is seen, each at its turn. What is seen before its turn waits in host
** memory. Nothing of this runs when nothing is tapped.
*/
#ifndef INSPECT_H
#define INSPECT_H

#include "../common/stream.h"

/* names: patterns with commas between them, or NULL: nothing is tapped. Usage error if empty. */
void inspect_open(const char *names);
bool inspect_any(void);

/* ---- a document: what it will hold, in the order of its data; its header; what is seen ---- */

/* Declares what was asked for. A linear has the name of its input: NAME:in. (For names.h.) */
void inspect_expect(void *document, const char *name, bool linear, tensor shape);
/* Declares it, asked for or not. */
void inspect_always(document *d, const char *name, tensor shape);
/* Dies, naming the pattern, if one has fitted nothing that any document so far declared. */
void inspect_check(void);
/* Writes the header. */
void inspect_begin(writer *w, document *d);
/* Is it of this document? */
bool inspect_wants(const char *name);
/* The first rows of x, a device tensor, as many as were declared, as F32; x may come in several
 * calls, rows after rows. Nothing if the document has no such name. */
void inspect_see(const char *name, tensor x);
/* All was seen. */
void inspect_end(void);

#endif
