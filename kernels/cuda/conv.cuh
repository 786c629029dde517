/*
** conv.cuh: what the convolution kernels share: their arguments and the walk over a sum.
**
** A convolution is a product y [pixels, C_out] = a [pixels, K] w^T [C_out, K] whose a is never
** made: K runs over frames, rows and columns of the kernel and then over channels, and a's
** element is read from where it is in the picture. Channels are counted in C, C_in rounded up to
** 8, so that eight neighbours of K lie in one place.
*/
#ifndef CONV_CUH
#define CONV_CUH

#include "common.cuh"

enum { MOST_PAST = 2 };

struct conv_args {
    const void *x, *past[MOST_PAST], *w; /* past: frames, the oldest first */
    const float *b;                      /* [C_out] or NULL */
    void *y;
    bool wide, add;            /* y is F32; it is added to */
    int frames, height, width; /* of y */
    int past_frames;
    int c_in, c, c_out;
    int kt, ky, kx;
    int k;              /* kt ky kx c: the length of the sum */
    int up, down;       /* 1: the picture read is half, twice as high and wide as y */
    const float *gamma; /* y = silu(rms_norm(sum)), of each pixel; or NULL */
    float eps;
    int top, left;      /* lines above y's pixel, columns left of it, that the kernel reads */
    const void *phases; /* for that: weights [4, C_out, 2, 2, C], or NULL (conv.cu) */
};

/* Are weights [C_out, kt, ky, kx, C] followed by their phases? Where conv_hopper can use them. */
static inline bool conv_phases_follow(const conv_weight *w, int64_t c_in)
{
    return device_capability == 90 && w->w.type != F32 && w->kt == 1 && w->ky == 3 && w->kx == 3 &&
           c_in % 8 == 0;
}

/* The widest pixel whose norm conv_hopper makes. */
constexpr int MOST_NORMED = 192;

/* A place in K: tap (dt, dy, dx), channel. */
struct conv_place {
    int k, channel, dx, dy, dt;

    __device__ __forceinline__ conv_place(const conv_args &a, int start) : k(start)
    {
        int tap = k / a.c;
        channel = k - tap * a.c;
        dx = tap % a.kx;
        dy = tap / a.kx % a.ky;
        dt = tap / a.kx / a.ky;
    }
    __device__ __forceinline__ void advance(const conv_args &a, int n)
    {
        k += n;
        for (channel += n; channel >= a.c; channel -= a.c)
            if (++dx == a.kx) {
                dx = 0;
                if (++dy == a.ky) {
                    dy = 0;
                    ++dt;
                }
            }
    }
};

/* Where the sum begins for frame t of y: what lies before the past is zeros and is left out. */
__device__ __forceinline__ int conv_start(const conv_args &a, int t)
{
    return max(0, a.kt - 1 - t - a.past_frames) * a.ky * a.kx * a.c;
}

/* The frame that tap dt of frame t reads: of x, or of the past. */
template <class T> __device__ __forceinline__ const T *conv_frame(const conv_args &a, int t, int dt)
{
    int f = t + dt - (a.kt - 1);
    int64_t size = (int64_t)(a.height << a.down >> a.up) * (a.width << a.down >> a.up) * a.c_in;
    return f >= 0 ? (const T *)a.x + f * size : (const T *)a.past[a.past_frames + f];
}

template <class T> void conv_mma(const conv_args &a);    /* F16, BF16; C_in a multiple of 8 */
template <class T> void conv_hopper(const conv_args &a); /* and kernels at most 3 x 3, on Hopper */
template <class T> void conv_plain(const conv_args &a);  /* any type, any C_in */

#endif
