/*
** inspect.c: --tap: which intermediates are wanted, and their copies.
*/
#include "inspect.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../kernels/kernels.h"

enum { MOST_NAMES = 64, MOST_KEPT = 1024 };

static struct {
    int patterns;
    char *pattern[MOST_NAMES];
    bool matched[MOST_NAMES];
    int n;
    char *name[MOST_KEPT];
    tensor t[MOST_KEPT]; /* host F32 */
} kept;

static void forget(void)
{
    for (int i = 0; i < kept.patterns; i++)
        free(kept.pattern[i]);
    for (int i = 0; i < kept.n; i++) {
        free(kept.name[i]);
        free(kept.t[i].data);
    }
    memset(&kept, 0, sizeof kept);
}

static void see(const char *name, tensor x)
{
    bool wanted = false;
    for (int i = 0; i < kept.patterns; i++)
        if (fnmatch(kept.pattern[i], name, 0) == 0)
            kept.matched[i] = wanted = true;
    if (wanted)
        inspect_keep(name, x);
}

void (*inspect_open(const char *names))(const char *name, tensor x)
{
    forget();
    if (!names)
        return NULL;
    for (const char *s = names; *s;) {
        size_t n = strcspn(s, ",");
        if (kept.patterns == MOST_NAMES)
            die("--tap takes at most %d names", MOST_NAMES);
        kept.pattern[kept.patterns++] = new_format("%.*s", (int)n, s);
        s += n + (s[n] == ',');
    }
    return see;
}

void inspect_keep(const char *name, tensor x)
{
    if (kept.n == MOST_KEPT)
        die("--tap keeps at most %d tensors", MOST_KEPT);
    tensor raw = tensor_make(new_bytes(tensor_bytes(x)), x.type, x.rank, x.dim);
    tensor wide = tensor_make(NULL, F32, x.rank, x.dim);
    wide.data = new_bytes(tensor_bytes(wide));
    download(raw, x);
    host_convert(wide, raw);
    free(raw.data);
    kept.name[kept.n] = new_format("%s", name);
    kept.t[kept.n++] = wide;
}

void inspect_write(writer *w, document *d, const char *names)
{
    for (int i = 0; i < kept.patterns; i++)
        if (!kept.matched[i])
            die("--tap %s: there is no intermediate %s", names, kept.pattern[i]);
    for (int i = 0; i < kept.n; i++)
        document_add(d, kept.name[i], kept.t[i]);
    writer_header(w, d);
    for (int i = 0; i < kept.n; i++)
        writer_tensor(w, kept.t[i]);
    writer_end(w);
    forget();
}
