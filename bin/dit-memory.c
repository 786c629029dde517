/*
** dit-memory.c: a transformer that is larger than the device (--memory).
**
** Its blocks are loaded one by one and leave for page-locked memory of the host. In a forward pass
** each comes back while the one before is computed (layer_begin). What the pass needs besides shows
** when the first is done: then as many blocks as there is room for become residents, evenly spread,
** so that each of the others has longer to come.
*/
#include <assert.h>
#include <stdlib.h>

#include "../common/die.h"
#include "../common/program.h"
#include "dit.h"

enum { MOST_PARTS = 64 }; /* parts of weights below others, in a block */

struct dit_memory {
    size_t limit;   /* bytes */
    bool settled;   /* it is known who stays */
    int64_t turn;   /* blocks that came, in all passes */
    layer_away *of; /* each block's; nothing of a resident's */
    struct {
        dit_block block;
        linear_weight below[MOST_PARTS];
        int parts;
    } here[2]; /* the block that is computed, and the one that comes */
};

struct dit_memory *dit_memory_open(int64_t megabytes, int layers)
{
    struct dit_memory *y = new_bytes(sizeof *y);
    y->limit = (size_t)megabytes << 20;
    y->of = new_bytes(sizeof *y->of * (size_t)layers);
    return y;
}

/* ---- what was at one address is at another ---- */

static void move(tensor *t, const layer_away *from, ptrdiff_t by)
{
    char *p = t->data, *begin = from->was;
    if (p >= begin && p < begin + from->bytes)
        t->data = p + by;
}

/* below: room for copies of the parts below, or NULL: they are moved where they are. */
static void move_weight(linear_weight *w, const layer_away *from, ptrdiff_t by,
                        linear_weight **below)
{
    for (; w; w = (linear_weight *)w->below) {
        tensor *const all[] = {&w->w, &w->scale, &w->step, &w->zero, &w->b};
        for (int i = 0; i < 5; i++)
            move(all[i], from, by);
        if (w->below && below) {
            **below = *w->below;
            w->below = (*below)++;
        }
    }
}

static void move_block(dit_block *b, const layer_away *from, ptrdiff_t by, linear_weight *below)
{
    tensor *const vectors[] = {&b->modulation, &b->norm_qk,     &b->norm3_gamma,
                               &b->norm3_beta, &b->text_norm_q, &b->text_norm_k};
    dit_layer *const layers[] = {&b->qkv,    &b->o,  &b->text_q, &b->text_kv,
                                 &b->text_o, &b->up, &b->down};
    for (int i = 0; i < 6; i++)
        move(vectors[i], from, by);
    for (int i = 0; i < 7; i++) {
        move_weight(&layers[i]->weight, from, by, below ? &below : NULL);
        for (int k = 0; k < layers[i]->n; k++) {
            move_weight(&layers[i]->down[k], from, by, NULL); /* these are of one part */
            move_weight(&layers[i]->up[k], from, by, NULL);
        }
    }
}

/* ---- blocks that come and go ---- */

void dit_memory_park(struct dit_memory *y, int i, size_t mark)
{
    if (y)
        y->of[i] = layer_park(mark);
}

const dit_block *dit_block_here(const dit *m, int i)
{
    struct dit_memory *y = m->memory;
    if (!y || !y->of[i].bytes)
        return &m->block[i];
    int place = (int)(y->turn & 1);
    layer_begin((int)(y->turn++ & INT32_MAX));
    ptrdiff_t by = layer_bring(&y->of[i]);
    layer_end();
    dit_block *b = &y->here[place].block;
    *b = m->block[i];
    move_block(b, &y->of[i], by, y->here[place].below);
    return b;
}

void dit_memory_settle(const dit *m)
{
    struct dit_memory *y = m->memory;
    size_t need = device_peak_bytes(), largest = 0;
    if (!y || y->settled)
        return;
    y->settled = true;
    for (int i = 0; i < m->layers; i++)
        largest = y->of[i].bytes > largest ? y->of[i].bytes : largest;
    if (need > y->limit)
        warn("%zu MB of the device are needed, more than --memory's %zu", need >> 20,
             y->limit >> 20);
    if (need > y->limit || !largest)
        return;
    size_t room = (y->limit - need) / largest, all = (size_t)m->layers;
    int residents = (int)(room < all ? room : all);
    for (int i = 0; i < m->layers; i++)
        if ((i + 1) * residents / m->layers > i * residents / m->layers) {
            move_block(&m->block[i], &y->of[i], layer_settle(&y->of[i]), NULL);
            y->of[i].bytes = 0;
        }
    stats_set("resident_blocks", residents);
}
