/*
** statistics.h: --stat: what is known of the inputs of linears over many prompts, steps and passes:
** how many there were, and for each channel the greatest magnitude, sum and sum of squares; on
** demand the sums of products of each pair of channels (X^T X).
**
** It stays on the device until all is done, in F64, by bins of timesteps. What is made of a text
** alone knows no timestep: it counts once a document, and stands in each bin.
*/
#ifndef STATISTICS_H
#define STATISTICS_H

#include <jansson.h>

#include "../common/namelist.h"
#include "../common/stream.h"

/* Of the inputs of linears that share them. */
typedef struct statistics statistics;

/* list: 'PATTERN[:gram],...', or NULL: nothing. timestep: those of all steps; bins cut 0..1000
 * evenly, and those with none of them take no memory. Usage error for an empty list. */
void statistics_open(const char *list, int bins, int steps, const double *timestep);
bool statistics_wanted(void);
const name_list *statistics_patterns(void);

/* On the device: for n names whose input is `in` wide; NULL if none of them fits. text: it is made
 * once a document. */
statistics *statistics_of(int n, char *const name[], int64_t in, bool text);

/* What inputs come from here on: of a step at timestep t; rows of which each stands for so many. */
void statistics_step(double t);
void statistics_rows(int copies);
/* Of a text: in each of `passes` blocks of `each` rows the first n[pass] count. */
void statistics_text(int passes, int64_t each, const int64_t n[]);
void statistics_add(statistics *s, tensor x);

/* A document of the input, whose result has that seed and of which `stamp` (its record) is said. */
void statistics_source(const document *in, uint64_t seed, const json_t *stamp);

/* Had the bin a step? */
bool statistics_seen(int bin);
/* Into d the metadata `stat` of a bin; weights: the model's digest. Into stamp what makes a recipe
 * of it: `input` for all documents, `stat`, `bins`, `bin`. */
void statistics_describe(document *d, int bin, const char *weights, json_t *stamp);
/* Writes d with the tensors of a bin. */
void statistics_write(writer *w, document *d, int bin);

#endif
