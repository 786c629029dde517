/*
** patch.c: latents to tokens and back. A token is a patch of pt x py x px latent pixels.
**
** The two are not inverse: a token going in has the channel first, a token coming out has it last,
** as the reference's patch embedding (a convolution) and its unpatchify do.
*/
#include "cpu.h"

/* Dies unless latents [C, T, Y, X] and tokens [T/pt * Y/py * X/px, pt*py*px*C] fit. */
static void check(const char *op, tensor latents, tensor tokens, const int p[3])
{
    check_one(latents.type == F32 && latents.rank == 4 && tensor_contiguous(latents), op, latents,
              "F32 [C, T, Y, X]");
    const int64_t *d = latents.dim;
    check_pair(tokens.type == F32 && d[1] % p[0] == 0 && d[2] % p[1] == 0 && d[3] % p[2] == 0 &&
                   tensor_width(tokens) == d[0] * p[0] * p[1] * p[2] &&
                   tensor_rows(tokens) == d[1] / p[0] * (d[2] / p[1]) * (d[3] / p[2]),
               op, tokens, latents);
}

/* Where latent (c, t, y, x) lies. */
static int64_t latent_at(const int64_t *d, int64_t c, int64_t t, int64_t y, int64_t x)
{
    return ((c * d[1] + t) * d[2] + y) * d[3] + x;
}

void patchify(tensor tokens, tensor latents, const int p[3])
{
    check("patchify", latents, tokens, p);
    const int64_t *d = latents.dim;
    int64_t across = d[3] / p[2], down = d[2] / p[1];
#pragma omp parallel for if (tensor_count(latents) >= PARALLEL_FROM)
    for (int64_t n = 0; n < tensor_rows(tokens); n++) {
        int64_t t = n / (down * across) * p[0], y = n / across % down * p[1], x = n % across * p[2];
        float *out = f32_row(tokens, n);
        for (int64_t c = 0; c < d[0]; c++)
            for (int i = 0; i < p[0]; i++)
                for (int j = 0; j < p[1]; j++)
                    for (int k = 0; k < p[2]; k++)
                        *out++ =
                            ((const float *)latents.data)[latent_at(d, c, t + i, y + j, x + k)];
    }
}

void unpatchify(tensor latents, tensor tokens, const int p[3])
{
    check("unpatchify", latents, tokens, p);
    const int64_t *d = latents.dim;
    int64_t across = d[3] / p[2], down = d[2] / p[1];
#pragma omp parallel for if (tensor_count(latents) >= PARALLEL_FROM)
    for (int64_t n = 0; n < tensor_rows(tokens); n++) {
        int64_t t = n / (down * across) * p[0], y = n / across % down * p[1], x = n % across * p[2];
        const float *in = f32_row(tokens, n);
        for (int i = 0; i < p[0]; i++)
            for (int j = 0; j < p[1]; j++)
                for (int k = 0; k < p[2]; k++)
                    for (int64_t c = 0; c < d[0]; c++)
                        ((float *)latents.data)[latent_at(d, c, t + i, y + j, x + k)] = *in++;
    }
}
