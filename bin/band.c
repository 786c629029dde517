/*
** band.c: rows of a picture that travel between ranks.
**
** Bands are cut between rows of the latents, so they stay whole rows however often a picture is
** doubled. A halo may be larger than a neighbour's band: rows come from whoever owns them.
*/
#include "band.h"

#include <assert.h>

#include "../common/die.h"

/* Rows [from, to) of a picture. */
typedef struct {
    int64_t from, to;
} span;

band band_of(int rank, int count) { return (band){.rank = rank, .count = count}; }

void band_start(band *b, int64_t Y, int64_t X)
{
    if (Y < b->count)
        die("%lld rows of latents cannot be shared by %d gpus", (long long)Y, b->count);
    b->Y = Y;
    b->X = X;
}

static span own_span(const band *b, int level, int rank)
{
    return (span){(b->Y * rank / b->count) << level, (b->Y * (rank + 1) / b->count) << level};
}

static span whole_span(const band *b, int level, int rank)
{
    span own = own_span(b, level, rank);
    int64_t from = own.from - b->halo[level], to = own.to + b->halo[level], Y = b->Y << level;
    return (span){from > 0 ? from : 0, to < Y ? to : Y};
}

static span common_span(span a, span b)
{
    span c = {a.from > b.from ? a.from : b.from, a.to < b.to ? a.to : b.to};
    return c.from < c.to ? c : (span){0, 0};
}

int64_t band_first(const band *b, int level) { return whole_span(b, level, b->rank).from; }

int64_t band_rows(const band *b, int level)
{
    span s = whole_span(b, level, b->rank);
    return s.to - s.from;
}

static int level_of(const band *b, tensor x)
{
    int level = 0;
    assert(x.rank == 4 && x.dim[0] == 1);
    while (level < MOST_LEVELS - 1 && b->X << level < x.dim[2])
        level++;
    assert(b->X << level == x.dim[2]);
    return level;
}

/* The rows s of x, whose first is row `first` of the picture. */
static tensor rows_of(tensor x, int64_t first, span s)
{
    int64_t n = s.to - s.from;
    tensor lines = slice(reshape(x, x.dim[1], x.dim[2], x.dim[3]), s.from - first, n);
    return reshape(lines, 1, n, x.dim[2], x.dim[3]);
}

tensor band_own(const band *b, tensor x)
{
    int level = level_of(b, x);
    return rows_of(x, band_first(b, level), own_span(b, level, b->rank));
}

tensor band_doubled(const band *b, tensor x)
{
    int level = level_of(b, x);
    return rows_of(x, 2 * band_first(b, level - 1), whole_span(b, level, b->rank));
}

void band_lend(const band *b, tensor x)
{
    int level = level_of(b, x), n = 0, peer[MOST_RANKS];
    int64_t first = band_first(b, level);
    tensor to[MOST_RANKS], from[MOST_RANKS], absent = {0};
    if (b->count == 1)
        return;
    for (int r = 0; r < b->count; r++) {
        span in = common_span(whole_span(b, level, b->rank), own_span(b, level, r));
        span out = common_span(whole_span(b, level, r), own_span(b, level, b->rank));
        if (r == b->rank || (in.to == 0 && out.to == 0))
            continue;
        peer[n] = r;
        to[n] = in.to ? rows_of(x, first, in) : absent;
        from[n++] = out.to ? rows_of(x, first, out) : absent;
    }
    exchange(n, peer, to, from);
    exchange_wait();
}

tensor band_all(const band *b, tensor x)
{
    if (b->count == 1)
        return x;
    span own = own_span(b, 0, b->rank);
    int64_t line = tensor_rows(x) / (own.to - own.from); /* pixels that come of a row of latents */
    tensor all = scratch(x.type, b->Y * line, tensor_width(x)), part[MOST_RANKS];
    tensor to[MOST_RANKS], from[MOST_RANKS];
    int n = 0, peer[MOST_RANKS];
    assert(tensor_rows(x) == (own.to - own.from) * line);
    for (int r = 0; r < b->count; r++) {
        span its = own_span(b, 0, r);
        part[r] = slice(all, its.from * line, (its.to - its.from) * line);
    }
    copy(part[b->rank], x);
    for (int r = 0; r < b->count; r++)
        if (r != b->rank) {
            peer[n] = r;
            to[n] = part[r];
            from[n++] = part[b->rank];
        }
    exchange(n, peer, to, from);
    exchange_wait();
    return all;
}
