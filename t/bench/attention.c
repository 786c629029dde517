/*
** attention.c: the rates of attention in 16 bits, with int8 logits, and with weights and values in
** e4m3 too: 12 heads of 128, two sequences.
**
**     attention [-t bf16] [LENGTH]..       6240 and 32760 tokens unless given
**
** Of each the best of five short runs and one of a second, in turns, on normal values. A rate is
** 4 L L d operations a head over the whole time, the codes' making included.
*/
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../common/die.h"
#include "../../kernels/kernels.h"

enum { HEADS = 12, WIDE = 128, BATCH = 2, KINDS = 3 };

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Drawn from 65536 normal values, each the sum of twelve uniform ones. */
static tensor normal_values(int64_t n, int64_t width, tensor_type A)
{
    static float drawn[1 << 16];
    size_t count = (size_t)(n * width);
    float *x = new_bytes(count * sizeof *x);
    uint64_t state = 1;
    for (size_t i = 0; i < (12 << 16); i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        drawn[i / 12] += (float)(state >> 40) * 0x1p-24f - 0.5f;
    }
    for (size_t i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        x[i] = drawn[state >> 48];
    }
    tensor t = scratch(A, n, width);
    size_t mark = scratch_mark();
    copy(t, upload(tensor_of(x, F32, n, width), F32));
    device_wait();
    scratch_reset(mark);
    free(x);
    return t;
}

typedef struct {
    tensor y, q, k, v;
    attention_spec spec;
} operands;

static double time_of(const operands *o, double least)
{
    int n = 0;
    double start = seconds(), took;
    do {
        attention(o->y, o->q, o->k, o->v, &o->spec);
        if (++n % 4 == 0)
            device_wait();
    } while (seconds() - start < least);
    device_wait();
    took = seconds() - start;
    return took / n;
}

static void measure(int64_t L, tensor_type A)
{
    static const char *const names[KINDS] = {"16 bits", "int8", "fp8"};
    size_t mark = scratch_mark();
    double best[KINDS] = {1e9, 1e9, 1e9}, operations = 4.0 * (double)(L * L) * HEADS * WIDE * BATCH;
    tensor joined = normal_values(BATCH * L, 3 * HEADS * WIDE, A);
    int64_t D = HEADS * WIDE;
    operands o = {.y = scratch(A, BATCH * L, D),
                  .q = columns(joined, 0, D),
                  .k = columns(joined, D, D),
                  .v = columns(joined, 2 * D, D),
                  .spec = {.batch = BATCH, .heads = HEADS, .scale = 1 / sqrtf(WIDE)}};
    for (int round = 0; round < 5; round++)
        for (int kind = 0; kind < KINDS; kind++) {
            o.spec.in = (attention_operands)kind;
            double took = time_of(&o, 0.03);
            best[kind] = took < best[kind] ? took : best[kind];
        }
    for (int kind = 0; kind < KINDS; kind++) {
        o.spec.in = (attention_operands)kind;
        double kept = time_of(&o, 1);
        printf("| %lld | %s | %.3f | %.0f | %.3f | %.0f |\n", (long long)L, names[kind],
               best[kind] * 1e3, operations / best[kind] * 1e-12, kept * 1e3,
               operations / kept * 1e-12);
    }
    scratch_reset(mark);
}

int main(int argc, char **argv)
{
    int first = 1;
    tensor_type A = F16;
    program_name_set("attention");
    if (argc > 2 && strcmp(argv[1], "-t") == 0) {
        A = strcmp(argv[2], "bf16") == 0 ? BF16 : F16;
        first = 3;
    }
    device_open();
    A = operand_type(A);
    printf("%s, %s\n\n| tokens | operands | ms, best | TFLOP/s | ms, of a second | TFLOP/s |\n"
           "| --- | --- | --- | --- | --- | --- |\n",
           device_name(), type_name(A));
    if (first == argc) {
        measure(6240, A);
        measure(32760, A);
    }
    for (; first < argc; first++)
        measure(atoll(argv[first]), A);
    return 0;
}
