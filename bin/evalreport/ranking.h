/*
** ranking.h: variants in the order of a metric, pairs with the worst first, and who is on the front
** of bytes or seconds against quality.
*/
#ifndef RANKING_H
#define RANKING_H

#include "comparison.h"
#include "table.h"

/* Chooses by what variants are ranked and pairs sorted: the metric of that name, or (NULL) the
 * first of pairs that all variants have, or else of videos. Dies if there is no such metric. */
void choose_rank(evaluation *e, const char *name);
/* Chooses which subjects' videos a page has: `most`, the worst. */
void choose_films(evaluation *e, int64_t most);
bool is_filmed(const evaluation *e, int subject);
/* "#video-7" for the page's article of that subject, NULL: it has none. To be freed. */
char *film_link(const evaluation *e, int subject);

/* The variants but the reference, the best first; those that do not have the metric last. To be
 * freed. */
int *ranked_variants(const evaluation *e, const metric *m);

/* What a variant costs, bytes of its weights or seconds of a step; NAN: not known, as the seconds
 * of a fake. */
typedef enum { OF_BYTES, OF_SECONDS } cost_kind;
double cost_of(const evaluation *e, cost_kind kind, int variant);
/* Of what it is: "weights (MB)"; and whether two variants have one, so that it can be drawn. */
const char *cost_name(cost_kind kind);
bool is_costed(const evaluation *e, cost_kind kind);
/* Is no other variant both as cheap and as good, and one of both better? Of a metric without a
 * direction none is. */
bool on_front(const evaluation *e, const metric *m, cost_kind kind, int variant);
/* Is it shown of every variant? But for what says the same as another. */
bool is_shown(const metric *m);

/* A row a variant, ranked: cost, and every metric with its verdict. */
table ranking_table(const evaluation *e);
/* The variants by one metric, with interval, p and floor. */
table metric_table(const evaluation *e, const metric *m);
/* A row a metric: the variants on its fronts. */
table front_table(const evaluation *e);
/* The worst pairs, with what is known of them. */
table worst_table(const evaluation *e);

#endif
