/*
** pixels.c: frames on their way into a network that sees pictures: read and made small a batch at a
** time, so that memory does not grow with the video; levels scaled as the network was trained.
*/
#include "pixels.h"

#include <stdlib.h>

#include "../common/die.h"
#include "../common/frames.h"
#include "../common/program.h"

enum { BATCH = 16, READ_AT_ONCE = 64 << 20 }; /* frames; bytes */

const pixel_scale imagenet = {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}};

void pixels_of(tensor pixels, tensor levels, const pixel_scale *scale)
{
    int64_t n = tensor_count(levels) / 3;
    const unsigned char *from = levels.data;
#pragma omp parallel for
    for (int c = 0; c < 3; c++) {
        float value[256], *to = (float *)pixels.data + c * n;
        for (int i = 0; i < 256; i++)
            value[i] = (float)((i / 255.0 - scale->mean[c]) / scale->deviation[c]);
        for (int64_t i = 0; i < n; i++)
            to[i] = value[from[3 * i + c]];
    }
}

void each_batch(reader *r, tensor frames, const picture_batches *b)
{
    int64_t N = frames.dim[0], bytes = frames.dim[1] * frames.dim[2] * 3;
    int64_t small = b->height * b->width * 3, most = N < BATCH ? N : BATCH;
    int64_t at_once = bytes * most <= READ_AT_ONCE ? most : 1 + (READ_AT_ONCE - 1) / bytes;
    unsigned char *read = new_bytes((size_t)(at_once * bytes));
    tensor all = tensor_of(new_bytes((size_t)(most * small)), U8, most, b->height, b->width, 3);
    frames_begin(r);
    for (int64_t first = 0, n; first < N; first += n) {
        n = N - first < most ? N - first : most;
        for (int64_t i = 0, k; i < n; i += k) {
            k = n - i < at_once ? n - i : at_once;
            stats_phase("read");
            reader_bytes(r, read, (size_t)(k * bytes));
            stats_phase("resize");
#pragma omp parallel for
            for (int64_t j = 0; j < k; j++)
                b->shrink(b->how, (unsigned char *)all.data + (i + j) * small, read + j * bytes);
        }
        b->use(b->data, slice(all, 0, n), first);
        progress("frames", first + n, N);
    }
    free(all.data);
    free(read);
    stats_add("documents", 1);
    stats_add("frames", (double)N);
}
