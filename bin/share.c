/*
** share.c: the exchanges between the ranks that make one forward pass together.
**
** A token is never on two ranks of a half, and L need not be a multiple of the parts. Heads must
** be, which dit_load sees to. What is sent is packed first, as the columns of some heads are not
** contiguous; what is received lies at its place at once.
*/
#include "share.h"

#include <assert.h>

enum { MOST_MESSAGES = 2 * MOST_RANKS }; /* two passes */

typedef struct {
    int n, peer[MOST_MESSAGES];
    tensor y[MOST_MESSAGES], x[MOST_MESSAGES];
} messages;

/* x to a rank, and what that rank sends to y. */
static void post(messages *m, int peer, tensor y, tensor x)
{
    assert(m->n < MOST_MESSAGES);
    m->peer[m->n] = peer;
    m->y[m->n] = y;
    m->x[m->n++] = x;
}

static void post_all(const messages *m) { exchange(m->n, m->peer, m->y, m->x); }

dit_share share_of(int rank, int ranks, int passes)
{
    int halves = passes == 2 && ranks % 2 == 0 ? 2 : 1, parts = ranks / halves;
    return (dit_share){
        .halves = halves, .half = rank / parts, .parts = parts, .part = rank % parts};
}

int64_t share_begin(const dit_share *s, int64_t L, int part) { return L * part / s->parts; }

static int64_t size_of(const dit_share *s, int64_t L, int part)
{
    return share_begin(s, L, part + 1) - share_begin(s, L, part);
}

int64_t share_tokens(const dit_share *s, int64_t L) { return size_of(s, L, s->part); }

/* The rows of a part's tokens in pass p of a matrix of all tokens. */
static tensor part_rows(const dit_share *s, int64_t L, tensor all, int p, int part)
{
    return rows(all, p * L + share_begin(s, L, part), size_of(s, L, part));
}

static tensor pass_rows(tensor ours, int p, int64_t n) { return rows(ours, p * n, n); }

tensor share_heads(const dit_share *s, int passes, int64_t L, tensor x)
{
    if (s->parts == 1)
        return x;
    int64_t n = share_tokens(s, L), width = tensor_width(x) / s->parts;
    tensor all = scratch(x.type, passes * L, width);
    messages m = {0};
    for (int i = 0; i < s->parts; i++) {
        tensor its = columns(x, i * width, width);
        if (i == s->part) {
            for (int p = 0; p < passes; p++)
                copy(part_rows(s, L, all, p, i), pass_rows(its, p, n));
            continue;
        }
        tensor packed = scratch(x.type, passes * n, width);
        copy(packed, its);
        for (int p = 0; p < passes; p++)
            post(&m, s->half * s->parts + i, part_rows(s, L, all, p, i), pass_rows(packed, p, n));
    }
    post_all(&m);
    return all;
}

void share_join(const dit_share *s, int passes, int64_t L, tensor y, tensor x)
{
    if (s->parts == 1)
        return;
    int64_t n = share_tokens(s, L), width = tensor_width(x);
    size_t mark = scratch_mark();
    tensor got[MOST_RANKS];
    messages m = {0};
    for (int i = 0; i < s->parts; i++) {
        if (i == s->part)
            continue;
        got[i] = scratch(x.type, passes * n, width);
        for (int p = 0; p < passes; p++)
            post(&m, s->half * s->parts + i, pass_rows(got[i], p, n), part_rows(s, L, x, p, i));
    }
    post_all(&m);
    for (int p = 0; p < passes; p++)
        copy(pass_rows(columns(y, s->part * width, width), p, n), part_rows(s, L, x, p, s->part));
    exchange_wait();
    for (int i = 0; i < s->parts; i++)
        if (i != s->part)
            copy(columns(y, i * width, width), got[i]);
    scratch_reset(mark);
}

tensor share_gather(const dit_share *s, int passes, int64_t L, tensor x)
{
    if (s->halves * s->parts == 1)
        return x;
    int64_t n = share_tokens(s, L);
    tensor y = scratch(x.type, s->halves * passes * L, tensor_width(x));
    messages m = {0};
    for (int half = 0; half < s->halves; half++)
        for (int part = 0; part < s->parts; part++)
            for (int p = 0; p < passes; p++) {
                tensor to = part_rows(s, L, y, half * passes + p, part), from = pass_rows(x, p, n);
                if (half == s->half && part == s->part)
                    copy(to, from);
                else
                    post(&m, half * s->parts + part, to, from);
            }
    post_all(&m);
    exchange_wait();
    return y;
}
