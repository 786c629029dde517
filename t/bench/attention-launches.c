/*
** attention-launches.c: how long self-attention of the 1.3B model takes, 12 heads of 128 and two
** sequences, launch by launch as asked for, so that another program can be timed in turns with
** it (attention.py).
**
**     attention-launches fp16|bf16 [int8|fp8|int8-pv] <REQUESTS
**
** A request is a line `TOKENS LAUNCHES`; the answer is the seconds of that many launches, one after
** the other, after one that is not counted. Values are normal of deviation 1. A second operand is what
** wan-denoise's --attention is.
*/
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../common/die.h"
#include "../../kernels/kernels.h"

enum { HEADS = 12, HEAD = 128, SEQUENCES = 2, BLOCK = (1 << 20) - 1 };

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* In (0, 1). */
static float uniform(void)
{
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return ((float)(state >> 8) + 0.5f) * 0x1p-24f;
}

/* [rows, width]: one block of random values, copied over it. */
static tensor random_tensor(tensor_type type, int64_t rows, int64_t width)
{
    static float block[BLOCK];
    for (int64_t i = 0; i < BLOCK; i++)
        block[i] = sqrtf(-2 * logf(uniform())) * cosf(6.2831853f * uniform());
    tensor t = scratch(type, rows, width), flat = reshape(t, rows * width);
    size_t mark = scratch_mark();
    tensor source = upload(tensor_of(block, F32, BLOCK), F32);
    for (int64_t at = 0; at < rows * width; at += BLOCK) {
        int64_t part = rows * width - at < BLOCK ? rows * width - at : BLOCK;
        copy(slice(flat, at, part), slice(source, 0, part));
    }
    device_wait();
    scratch_reset(mark);
    return t;
}

int main(int argc, char **argv)
{
    program_name_set(argv[0]);
    static const char *const names[] = {"fp16", "int8", "fp8", "int8-pv"};
    int in = 0;
    while (argc == 3 && in < 4 && strcmp(argv[2], names[in]) != 0)
        in++;
    if (argc < 2 || argc > 3 || in == 4 ||
        (strcmp(argv[1], "fp16") != 0 && strcmp(argv[1], "bf16") != 0))
        die("usage: attention-launches fp16|bf16 [int8|fp8|int8-pv] <REQUESTS");
    device_open();
    tensor_type type = strcmp(argv[1], "fp16") == 0 ? F16 : BF16;
    attention_spec spec = {
        .batch = SEQUENCES, .heads = HEADS, .scale = 1 / sqrtf(HEAD), .in = (attention_operands)in};
    int64_t tokens, launches;
    tensor x[4] = {{0}}; /* q, k, v, y */
    for (int64_t at = 0; scanf("%" SCNd64 " %" SCNd64, &tokens, &launches) == 2; at = tokens) {
        if (tokens <= 0 || launches <= 0)
            die("tokens and launches are positive");
        if (tokens != at) {
            scratch_reset(0);
            for (int i = 0; i < 4; i++)
                x[i] = random_tensor(type, SEQUENCES * tokens, HEADS * HEAD);
        }
        attention(x[3], x[0], x[1], x[2], &spec);
        device_wait();
        double start = seconds();
        for (int64_t i = 0; i < launches; i++)
            attention(x[3], x[0], x[1], x[2], &spec);
        device_wait();
        printf("%.9f\n", seconds() - start);
        fflush(stdout);
    }
    return 0;
}
