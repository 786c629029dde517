/*
** rule.h: how a weight becomes codes: a line of a table a format, and what every format can do.
**
** A weight X.weight is w F32 [out, in]. A rule first chooses the scales of all of it (rule_fit),
** then the codes row by row (rule_code_row). So rounding to nearest is both in turn, and a method
** that chooses what is rounded goes between them: rule_round() says which value would be stored.
** Errors are measured on what was made, whatever the rule: stored_values() against w.
**
** The formulas stand over each fit, the table of them all in wan-quantize(1).
*/
#ifndef RULE_H
#define RULE_H

#include "../../common/checkpoint/stored.h"

typedef struct rule rule;

/* "int8", "int4-g128", ...: NULL if there is none of that name. It lives as long as the program. */
const rule *rule_named(const char *text);
const char *rule_name(const rule *r);
/* The names, for messages: "int8, int8-127, ...". */
const char *rule_names(void);
/* Why a weight [out, in] cannot be stored so ("its rows of 100 are not whole groups of 128"), or
 * NULL. Static memory. */
const char *rule_refuses(const rule *r, int64_t out, int64_t in);
/* Types and shapes of w, scale, step, zero; no data. */
stored rule_shape(const rule *r, int64_t out, int64_t in);
/* How many ranges of values have a scale of their own (groups, blocks, rows, or 1), in the order of
 * rows; 0: the scales lie inside the codes' blocks, rule_fit() only looks whether they can be
 * stored, and rule_round() is not for it. */
int64_t rule_ranges(const rule *r, int64_t out, int64_t in);
/* The range that element k of a row belongs to. */
int64_t rule_range(const rule *r, int64_t in, int64_t row, int64_t k);

/* Allocates scale, step and zero of s, as rule_shape() has it, and fills them for w, which is
 * finite. clip: NULL, or a factor in (0, 1] for each range's least and greatest value. Returns
 * NULL, or why the weight cannot be stored so. Threads are its own. */
const char *rule_fit(const rule *r, stored *s, const float *w, const float *clip);
/* Allocates s->w, to be filled by rows. */
void rule_room(stored *s);
/* The value nearest to x that s can hold at [row, k], given its scales. Not of rules without
 * ranges. */
float rule_round(const rule *r, const stored *s, int64_t row, int64_t k, float x);
/* The codes of one row, given the scales, into s->w. NULL, or why they cannot be stored. */
const char *rule_code_row(const rule *r, stored *s, const float *w_row, int64_t row);
/* Of all rows, in threads of its own. */
const char *rule_code(const rule *r, stored *s, const float *w);
/* What fit and room allocated. */
void rule_free(stored *s);

/* How s is written: X.weight first, then what stands beside it. */
typedef struct {
    const char *ending; /* ".weight", ".weight_scale", ... */
    tensor t;           /* as the file has it; data: of s, or NULL */
} rule_part;
enum { RULE_PARTS = 3 };
/* Returns how many there are. */
int rule_parts(const rule *r, const stored *s, rule_part part[RULE_PARTS]);

#endif
