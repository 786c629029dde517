/*
** attention_mma.cuh: what the attention kernels of mma.sync share: tiles in shared memory, how they
** get there and how a warp's 32 rows of the output leave.
*/
#ifndef ATTENTION_MMA_CUH
#define ATTENTION_MMA_CUH

#include "attention.cuh"
#include "mma.cuh"

/* Do two blocks of so many bytes fit on a multiprocessor, each with 1 KB that is the driver's? */
static inline bool two_fit(size_t bytes)
{
    return 2 * (bytes + 1024) <= device_shared_bytes + 1024;
}

/* Address of chunk c of row r in a tile of D-wide rows. */
template <int D> __device__ __forceinline__ uint32_t place(uint32_t tile, int r, int c)
{
    return tile + (uint32_t)(r * D * 2 + ((c ^ (r & 7)) << 4));
}

/* That of chunk c + 2 n, c being 0 or 1: tiles begin at multiples of 128 bytes. */
__device__ __forceinline__ uint32_t along(uint32_t at, int n)
{
    return (at ^ (uint32_t)(n % 4 << 5)) + (uint32_t)(n / 4 << 7);
}

/* One thread's part in copying tiles of rows of D: chunk c of every STEP-th. What is the same for all
** threads is not among what it holds. */
template <int D, int THREADS> struct mover {
    static constexpr int CHUNKS = D / 8, STEP = THREADS / CHUNKS;
    static_assert(STEP % 8 == 0, "rows of one thread have one pattern of chunks");
    uint32_t from, to; /* bytes from the tile's beginning */
    int row;

    __device__ __forceinline__ explicit mover(int64_t stride)
    {
        row = (int)threadIdx.x / CHUNKS;
        from = (uint32_t)(row * stride + threadIdx.x % CHUNKS * 8) * 2;
        to = place<D>(0, row, threadIdx.x % CHUNKS);
    }
    /* Starts copying ROWS rows of x into the tile, of which so many are there; zeros instead of
     * others. */
    template <int ROWS>
    __device__ __forceinline__ void fetch(uint32_t tile, const uint16_t *x, int64_t stride,
                                          int there) const
    {
        const uint8_t *at = (const uint8_t *)x + from;
        if (there >= ROWS) {
#pragma unroll
            for (int i = 0; i < ROWS / STEP; i++)
                copy_chunk(tile + to + i * STEP * D * 2, at + i * STEP * stride * 2);
        } else {
#pragma unroll
            for (int i = 0; i < ROWS / STEP; i++) {
                bool is = row + i * STEP < there;
                copy_chunk(tile + to + i * STEP * D * 2,
                           is ? at + i * STEP * stride * 2 : (const uint8_t *)x, is);
            }
        }
    }
};

/* 1.5 * 2^23: an s32 sum that starts with its bits is, read as F32, that much more than the sum, exactly,
** since a sum is less than 2^22. */
constexpr float ORIGIN = 12582912.0f;

/* s [32, KEYS] = q k^T of a warp's queries and a tile of keys, whose rows have ROW bytes, T: of 16 bits
** or int8; q, k: where this lane reads. Blocks of k are loaded one ahead. Sums of codes begin at ORIGIN. */
template <class T, int KEYS, int ROW>
__device__ __forceinline__ void logits(float (&s)[2][KEYS / 8][4], uint32_t q, uint32_t k)
{
    constexpr int N = KEYS / 16, STEPS = ROW / 32;
    constexpr bool CODES = std::is_same_v<T, int8_t>;
    uint32_t a[2][2][4], b[2][4];
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
        for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++)
                s[m][n][e] = CODES ? ORIGIN : 0;
    load_blocks(a[0][0], q);
    load_blocks(a[0][1], q + 16 * ROW);
    load_blocks(b[0], k);
#pragma unroll
    for (int i = 0; i < N * STEPS; i++) {
        int step = i / N, n = i % N, next = i + 1;
        if (next < N * STEPS)
            load_blocks(b[next & 1], along(k, next / N) + next % N * 16 * ROW);
        if (n < 2 && step + 1 < STEPS)
            load_blocks(a[(step + 1) & 1][n], along(q, step + 1) + n * 16 * ROW);
#pragma unroll
        for (int m = 0; m < 2; m++)
#pragma unroll
            for (int j = 0; j < 2; j++) {
                float(&to)[4] = s[m][2 * n + j];
                uint32_t b0 = b[i & 1][2 * j], b1 = b[i & 1][2 * j + 1];
                if constexpr (CODES)
                    mma<T>((int *)to, a[step & 1][m], b0, b1);
                else
                    mma<T>(to, a[step & 1][m], b0, b1);
            }
    }
}

/* Writes a warp's 32 rows of y [.., D], the first of which is `first`, through 32 rows of shared memory
** that are its own. pair(m, half, n): columns 8 n + 2 (lane mod 4) and the next of row
** 16 m + 8 half + lane / 4. */
template <int D, class T, class F>
__device__ __forceinline__ void write_rows(const attention_args &a, T *y, uint32_t rows, int first,
                                           int lane, F pair)
{
    constexpr int CHUNKS = D / 8, STEP = 32 / CHUNKS;
    __syncwarp(); /* lanes read rows of each other there */
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int n = 0; n < D / 8; n++)
            store_word(place<D>(rows, i * 8 + lane / 4, n) + lane % 4 * 4, pair(i / 2, i % 2, n));
    __syncwarp();
    int c = lane % CHUNKS;
    for (int i = lane / CHUNKS; i < 32; i += STEP) {
        uint4 u = load_chunk(place<D>(rows, i, c));
        if (first + i < a.lq)
            *(uint4 *)(y + (first + i) * a.y_stride + c * 8) = u;
    }
}

#endif
