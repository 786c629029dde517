/*
** noise.c: standard normals from Philox4x32-10 as PyTorch draws them on CUDA, and from MT19937 as
** PyTorch draws them on the CPU.
**
** Not a library of generators: calls of one size, from the start of a seed's sequence. The hard
** idea is that the uniform numbers are rounded to F32 exactly as torch rounds them, because near
** u = 1 the logarithm turns one unit in the last place into 1e-4. The functions behind them are
** F64's, which are the same on every machine but for the last rounding.
**
** Sources: Salmon et al. 2011 (Philox), Matsumoto and Nishimura 1998 (MT19937), Box and Muller
** 1958; how torch uses them was found by comparing with its output (t/42-noise.t).
*/
#include "noise.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../common/die.h"
#include "../common/splitmix.h"

enum { H200_SMS = 132, H200_THREADS = 2048, BLOCK = 256 };

static const double TWO_PI = 6.283185307179586476925286766559;

/* ---- Philox, CUDA ---- */

typedef struct {
    uint32_t w[4];
} words;

/* Ten rounds of two 32 x 32 bit products; the key grows by Weyl constants between rounds. */
static words philox(words c, uint64_t seed)
{
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)c.w[0] * 0xD2511F53u, b = (uint64_t)c.w[2] * 0xCD9E8D57u;
        c = (words){{(uint32_t)(b >> 32) ^ c.w[1] ^ k0, (uint32_t)b,
                     (uint32_t)(a >> 32) ^ c.w[3] ^ k1, (uint32_t)a}};
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c;
}

/* z0 = r sin v, z1 = r cos v with r = sqrt(-2 ln u), u and v / 2 pi in (0, 1]. A GPU's sine unit
 * works in turns, so the angle is not rounded in radians; what is left is its error, 4e-7. */
static void box_muller(float z[2], uint32_t a, uint32_t b)
{
    float u = (float)a * 0x1p-32f + 0x1p-33f;
    double v = ((double)(float)b * 0x1p-32 + 0x1p-33) * TWO_PI;
    double r = sqrt(-2.0 * log((double)u));
    z[0] = (float)(r * sin(v));
    z[1] = (float)(r * cos(v));
}

/* Each thread draws four normals a round; the first goes to element `thread`, the second to
 * `thread + threads`, and so on; the next round begins 4 x threads further. A call takes whole
 * rounds of the sequence. */
static void draw_cuda(float *y, int64_t n, uint64_t seed, noise_kind kind, int64_t calls)
{
    int64_t blocks = (n + BLOCK - 1) / BLOCK, most = kind.sms * (kind.threads / BLOCK);
    int64_t threads = BLOCK * (blocks < most ? blocks : most);
    int64_t round = calls * ((n + 4 * threads - 1) / (4 * threads));
    for (int64_t first = 0; first < n; first += 4 * threads, round++)
        for (int64_t thread = 0; thread < threads && first + thread < n; thread++) {
            words c = {{(uint32_t)round, (uint32_t)(round >> 32), (uint32_t)thread,
                        (uint32_t)(thread >> 32)}};
            float z[4];
            c = philox(c, seed);
            box_muller(z, c.w[0], c.w[1]);
            box_muller(z + 2, c.w[2], c.w[3]);
            for (int64_t part = 0, i = first + thread; part < 4 && i < n; part++, i += threads)
                y[i] = z[part];
        }
}

/* ---- Mersenne twister, CPU ---- */

enum { MT = 624, MT_SHIFT = 397 };

typedef struct {
    uint32_t w[MT];
    int next;
} twister;

static void twister_seed(twister *t, uint32_t seed)
{
    t->w[0] = seed;
    for (int i = 1; i < MT; i++)
        t->w[i] = 1812433253u * (t->w[i - 1] ^ t->w[i - 1] >> 30) + (uint32_t)i;
    t->next = MT;
}

static void twist(twister *t)
{
    for (int i = 0; i < MT; i++) {
        uint32_t u = (t->w[i] & 0x80000000u) | (t->w[(i + 1) % MT] & 0x7fffffffu);
        t->w[i] = t->w[(i + MT_SHIFT) % MT] ^ u >> 1 ^ (u & 1 ? 0x9908b0dfu : 0);
    }
    t->next = 0;
}

static uint32_t twister_word(twister *t)
{
    if (t->next == MT)
        twist(t);
    uint32_t u = t->w[t->next++];
    u ^= u >> 11;
    u ^= u << 7 & 0x9d2c5680u;
    u ^= u << 15 & 0xefc60000u;
    return u ^ u >> 18;
}

/* Sixteen uniforms become sixteen normals: pair (j, j + 8) gives r cos to j and r sin to j + 8. */
static void draw_cpu(float *y, int64_t n, uint64_t seed, int64_t calls)
{
    twister t;
    twister_seed(&t, (uint32_t)seed); /* torch drops the upper half */
    for (int64_t i = 0; i < calls * n; i++)
        twister_word(&t);
    for (int64_t i = 0; i < n; i += 16) {
        float u[16];
        for (int j = 0; j < 16; j++)
            u[j] = (float)(twister_word(&t) & 0xffffff) * 0x1p-24f;
        for (int j = 0; j < 8; j++) {
            float r = (float)sqrt(-2.0 * log((double)(1.0f - u[j])));
            float v = (float)TWO_PI * u[j + 8];
            y[i + j] = r * (float)cos((double)v);
            y[i + j + 8] = r * (float)sin((double)v);
        }
    }
}

/* ---- both ---- */

bool noise_parse(noise_kind *kind, const char *name)
{
    int sms = H200_SMS, threads = H200_THREADS, end = 0;
    bool cpu = strcmp(name, "torch-cpu") == 0, cuda = strcmp(name, "torch-cuda") == 0;
    if (!cpu && !cuda &&
        (sscanf(name, "torch-cuda:%6d,%6d%n", &sms, &threads, &end) != 2 || name[end]))
        return false;
    *kind = cpu ? (noise_kind){.cuda = false} : (noise_kind){true, sms, threads};
    return cpu || (sms > 0 && threads >= BLOCK);
}

noise_kind noise_named(const char *name)
{
    noise_kind kind;
    if (!noise_parse(&kind, name))
        usage_error("--rng is torch-cuda, torch-cuda:SMS,THREADS (threads of one SM, at least %d) "
                    "or torch-cpu, not '%s'",
                    BLOCK, name);
    return kind;
}

const char *noise_text(noise_kind kind)
{
    static char text[64];
    if (!kind.cuda)
        return "torch-cpu";
    snprintf(text, sizeof text, "torch-cuda:%lld,%lld", (long long)kind.sms,
             (long long)kind.threads);
    return text;
}

const char *noise_card(noise_kind kind)
{
    bool h200 = kind.cuda && kind.sms == H200_SMS && kind.threads == H200_THREADS;
    return h200 ? "NVIDIA H200" : NULL;
}

void noise_draw_nth(float *y, int64_t n, uint64_t seed, noise_kind kind, int64_t calls)
{
    assert(n % 16 == 0); /* torch draws the tail of other counts in another way */
    if (kind.cuda)
        draw_cuda(y, n, seed, kind, calls);
    else
        draw_cpu(y, n, seed, calls);
}

void noise_draw(float *y, int64_t n, uint64_t seed, noise_kind kind)
{
    noise_draw_nth(y, n, seed, kind, 0);
}

/* ---- the last bit ---- */

void noise_perturb(float *y, int64_t n, uint64_t seed)
{
    uint64_t start = splitmix_apart(seed);
    for (int64_t i = 0; i < n; i++) {
        bool up = splitmix(start, (uint64_t)i) >> 63;
        if (fabsf(y[i]) == FLT_MAX)
            up = y[i] < 0;
        y[i] = nextafterf(y[i], up ? INFINITY : -INFINITY);
    }
}
