/*
** resize.c: frames as VBench gives them to DINO, by torchvision's Resize(224, antialias=False) of
** levels: bilinear between the two nearest pixels, however much the frame shrinks, in F32, rounded
** to levels. The long side is cut down to whole pixels, and neither is cut to a square.
**
** What no patch covers, at the right and the bottom, the patches' convolution never sees: it is not
** made. Sums are across, then down, as PyTorch's; where they end within rounding of half a level,
** its levels depend on the processor, and may be one off ours.
*/
#include "resize.h"

#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"

enum { MOST_PATCHES = 4096 }; /* each looks at each: more would take minutes a frame */

/* A place is (1 - part[i]) of pixel first[i] and part[i] of second[i]. */
typedef struct {
    int64_t *first, *second;
    float *part;
} taps;

struct resizer {
    int64_t W, height, width;
    taps down, across;
};

/* n of the `out` places that `in` pixels become. */
static taps taps_open(int64_t in, int64_t out, int64_t n)
{
    float scale = (float)in / (float)out;
    taps t = {new_bytes((size_t)n * sizeof *t.first), new_bytes((size_t)n * sizeof *t.second),
              new_bytes((size_t)n * sizeof *t.part)};
    for (int64_t i = 0; i < n; i++) {
        float at = scale * ((float)i + 0.5f) - 0.5f;
        at = at < 0 ? 0 : at;
        int64_t first = (int64_t)at < in - 1 ? (int64_t)at : in - 1;
        t.first[i] = first;
        t.second[i] = first < in - 1 ? first + 1 : first;
        t.part[i] = at - (float)first < 1 ? at - (float)first : 1;
    }
    return t;
}

static void taps_close(taps *t)
{
    free(t->first);
    free(t->second);
    free(t->part);
}

resizer *resizer_open(int64_t H, int64_t W, int64_t patch, int64_t *height, int64_t *width)
{
    int64_t small = H < W ? H : W;
    int64_t h = H == small ? RESIZE_SHORT : RESIZE_SHORT * H / W;
    int64_t w = W == small ? RESIZE_SHORT : RESIZE_SHORT * W / H;
    *height = h / patch * patch;
    *width = w / patch * patch;
    if (h / patch > MOST_PATCHES || w / patch > MOST_PATCHES ||
        (h / patch) * (w / patch) > MOST_PATCHES)
        die("frames of %lldx%lld become pictures of %lldx%lld, which are more than %d patches",
            (long long)W, (long long)H, (long long)w, (long long)h, MOST_PATCHES);
    if (!*height || !*width)
        die("patches of %lld pixels are larger than pictures of %lldx%lld", (long long)patch,
            (long long)w, (long long)h);
    resizer *r = new_bytes(sizeof *r);
    *r = (resizer){W, *height, *width, taps_open(H, h, *height), taps_open(W, w, *width)};
    return r;
}

void resize(const void *resizing, unsigned char *picture, const unsigned char *frame)
{
    const resizer *r = resizing;
    for (int64_t y = 0; y < r->height; y++) {
        const unsigned char *top = frame + 3 * r->W * r->down.first[y];
        const unsigned char *low = frame + 3 * r->W * r->down.second[y];
        float down = r->down.part[y];
        for (int64_t x = 0; x < r->width; x++) {
            int64_t a = 3 * r->across.first[x], b = 3 * r->across.second[x];
            float across = r->across.part[x];
            for (int c = 0; c < 3; c++) {
                float above = (1 - across) * (float)top[a + c] + across * (float)top[b + c];
                float below = (1 - across) * (float)low[a + c] + across * (float)low[b + c];
                *picture++ = (unsigned char)rintf((1 - down) * above + down * below);
            }
        }
    }
}

void resizer_close(resizer *r)
{
    taps_close(&r->down);
    taps_close(&r->across);
    free(r);
}
