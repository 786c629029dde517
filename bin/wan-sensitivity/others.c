/*
** others.c: do two checkpoints agree in all but their linears?
**
** Methods that smooth activations put a part of the scales into norms and modulation. A linear of
** such a checkpoint is right only beside these.
*/
#include "others.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/checkpoint/stored.h"
#include "../../common/die.h"
#include "swaps.h"

/* The same values, whatever their types? */
static bool agree(tensor x, tensor y)
{
    int64_t n = tensor_count(x);
    if (tensor_count(y) != n)
        return false;
    float *a = new_bytes((size_t)n * 2 * sizeof *a), *b = a + n;
    host_widen(a, x.data, x.type, n);
    host_widen(b, y.data, y.type, n);
    bool same = true;
    for (int64_t i = 0; i < n; i++)
        same = same && a[i] == b[i];
    free(a);
    return same;
}

static bool is_plain(tensor t) { return type_has_values(t.type) && !stored_as_codes(t.type); }

void others_compare(const dit *m, weights *a, weights *b)
{
    const char *first = NULL;
    int differ = 0;
    for (int i = 0; i < weights_count(a); i++) {
        const char *name = weights_name(a, i);
        if (is_of_linear(m, name) || !weights_has(b, name))
            continue;
        tensor x = weights_any(a, name), y = weights_any(b, name);
        if (!is_plain(x) || !is_plain(y) || agree(x, y))
            continue;
        first = first ? first : name;
        differ++;
    }
    if (differ)
        warn("%d parameter%s that %s no linear's differ%s in %s (%s): they stay %s's, and its "
             "linears may be made for its own",
             differ, differ > 1 ? "s" : "", differ > 1 ? "are" : "is", differ > 1 ? "" : "s",
             weights_path(b), first, weights_path(a));
}
