/*
** patch.cu: latents into tokens and back. A thread an element; the latents are a few megabytes, so
** nothing here is worth more than coalesced writes.
*/
#include "common.cuh"

enum { THREADS = 256 };

typedef struct {
    int C, T, Y, X;    /* the latents */
    int pt, py, px;    /* a patch */
    int64_t stride, n; /* of the tokens; elements in all */
} patching;

static patching fit(const char *op, tensor tokens, tensor latents, const int patch[3])
{
    patching p = {};
    int64_t volume = (int64_t)patch[0] * patch[1] * patch[2];
    bool ok = latents.rank == 4 && latents.type == F32 && tensor_contiguous(latents);
    for (int i = 0; i < 3 && ok; i++)
        ok = latents.dim[i + 1] % patch[i] == 0;
    check_pair(ok && tensor_width(tokens) == latents.dim[0] * volume &&
                   tensor_count(tokens) == tensor_count(latents),
               op, tokens, latents);
    p.C = (int)latents.dim[0], p.T = (int)latents.dim[1];
    p.Y = (int)latents.dim[2], p.X = (int)latents.dim[3];
    p.pt = patch[0], p.py = patch[1], p.px = patch[2];
    p.stride = tokens.stride;
    p.n = tensor_count(latents);
    return p;
}

/* The place of the latents that is element e of token l; channel: it runs fastest within a token,
** else slowest. */
__device__ __forceinline__ int64_t latent_of(const patching &p, int64_t l, int e, bool channel_last)
{
    int volume = p.pt * p.py * p.px;
    int c = channel_last ? e % p.C : e / volume, inside = channel_last ? e / p.C : e % volume;
    int columns = p.X / p.px, lines = p.Y / p.py;
    int64_t x = l % columns * p.px + inside % p.px;
    int64_t y = l / columns % lines * p.py + inside / p.px % p.py;
    int64_t t = l / columns / lines * p.pt + inside / p.px / p.py;
    return ((c * (int64_t)p.T + t) * p.Y + y) * p.X + x;
}

template <class T> __global__ void to_tokens(T *tokens, const float *latents, patching p)
{
    int64_t i = blockIdx.x * (int64_t)THREADS + threadIdx.x;
    int width = p.C * p.pt * p.py * p.px;
    if (i < p.n)
        tokens[i / width * p.stride + i % width] =
            from_f32<T>(latents[latent_of(p, i / width, (int)(i % width), false)]);
}

template <class T> __global__ void to_latents(float *latents, const T *tokens, patching p)
{
    int64_t i = blockIdx.x * (int64_t)THREADS + threadIdx.x;
    int width = p.C * p.pt * p.py * p.px;
    if (i < p.n)
        latents[latent_of(p, i / width, (int)(i % width), true)] =
            to_f32(tokens[i / width * p.stride + i % width]);
}

void patchify(tensor tokens, tensor latents, const int patch[3])
{
    patching p = fit("patchify", tokens, latents, patch);
    dispatch(tokens.type, [&](auto *t) {
        using T = ELEMENT(t);
        to_tokens<<<(unsigned)ceil_div(p.n, THREADS), THREADS, 0, stream>>>(
            (T *)tokens.data, (const float *)latents.data, p);
    });
    LAUNCHED("patchify");
}

void unpatchify(tensor latents, tensor tokens, const int patch[3])
{
    patching p = fit("unpatchify", tokens, latents, patch);
    dispatch(tokens.type, [&](auto *t) {
        using T = ELEMENT(t);
        to_latents<<<(unsigned)ceil_div(p.n, THREADS), THREADS, 0, stream>>>(
            (float *)latents.data, (const T *)tokens.data, p);
    });
    LAUNCHED("unpatchify");
}
