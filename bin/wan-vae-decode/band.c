/*
** band.c: rows of a picture that travel between neighbours, or to all.
**
** Bands are cut between rows of the latents, so they stay whole rows however often a picture is
** doubled, and a neighbour's row is always the next one.
*/
#include "band.h"

#include <assert.h>

#include "../../common/die.h"

band band_of(int rank, int count)
{
    return (band){.rank = rank, .count = count, .above = rank > 0, .below = rank < count - 1};
}

void band_start(band *b, int64_t lines)
{
    if (lines < b->count)
        die("%lld rows of latents cannot be shared by %d gpus", (long long)lines, b->count);
    b->lines = lines;
}

/* The first own line of a rank. */
static int64_t first_of(const band *b, int rank) { return b->lines * rank / b->count; }

int64_t band_first(const band *b) { return first_of(b, b->rank) - b->above; }

int64_t band_rows(const band *b) { return first_of(b, b->rank + 1) + b->below - band_first(b); }

/* n rows of x [1, Y, X, C] from one on. */
static tensor rows_of(tensor x, int64_t first, int64_t n)
{
    assert(x.rank == 4 && x.dim[0] == 1);
    tensor lines = slice(reshape(x, x.dim[1], x.dim[2], x.dim[3]), first, n);
    return reshape(lines, 1, n, x.dim[2], x.dim[3]);
}

tensor band_inner(const band *b, tensor x)
{
    return rows_of(x, b->above, x.dim[1] - b->above - b->below);
}

void band_lend(const band *b, tensor x)
{
    int64_t Y = x.dim[1];
    int n = 0, peer[2];
    tensor to[2], from[2];
    if (b->above) {
        peer[n] = b->rank - 1;
        to[n] = rows_of(x, 0, 1);
        from[n++] = rows_of(x, 1, 1);
    }
    if (b->below) {
        peer[n] = b->rank + 1;
        to[n] = rows_of(x, Y - 1, 1);
        from[n++] = rows_of(x, Y - 2, 1);
    }
    if (n > 0) {
        exchange(n, peer, to, from);
        exchange_wait();
    }
}

tensor band_all(const band *b, tensor x)
{
    if (b->count == 1)
        return x;
    int64_t own = first_of(b, b->rank + 1) - first_of(b, b->rank), line = tensor_rows(x) / own;
    tensor all = scratch(x.type, b->lines * line, tensor_width(x)), part[MOST_RANKS];
    tensor to[MOST_RANKS], from[MOST_RANKS];
    int n = 0, peer[MOST_RANKS];
    assert(tensor_rows(x) == own * line);
    for (int r = 0; r < b->count; r++)
        part[r] = slice(all, first_of(b, r) * line, (first_of(b, r + 1) - first_of(b, r)) * line);
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
