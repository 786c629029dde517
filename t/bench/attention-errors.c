/*
** attention-errors.c: relative L2 errors of attention in 8 bits against exact attention in F64, of
** 32 queries of one head 128 wide, operands being normal.
**
**     attention-errors KEYS DEVIATION [LOGIT]
**
** DEVIATION is that of logits. With LOGIT each query has a key of its own with that logit. Operands are
** F32 on the CPU and F16 on a GPU.
*/
#include "../../common/program.h"
#include "../attention8.h"

enum { QUERIES = 32, WIDE = 128 };

int main(int argc, char **argv)
{
    static const char *const names[] = {
        [ATTENTION_16] = "fp16",
        [ATTENTION_INT8] = "int8",
        [ATTENTION_FP8] = "fp8",
        [ATTENTION_INT8_PV] = "int8-pv",
    };
    program_name_set(argv[0]);
    int keys = argc > 2 ? atoi(argv[1]) : 0;
    float deviation = argc > 2 ? (float)atof(argv[2]) : 0;
    if (argc < 3 || argc > 4 || keys < QUERIES || !(deviation > 0))
        die("usage: attention-errors KEYS DEVIATION [LOGIT], of %d keys at least", QUERIES);
    device_open();
    tensor_type A = operand_type(F16);
    tensor q = normal_host(QUERIES, WIDE, 1, 0, A), k = normal_host(keys, WIDE, 1, 0, A);
    tensor v = normal_host(keys, WIDE, 1, 0, A), y = placed(new_host(F32, QUERIES, WIDE), A, 0);
    for (int i = 0; i < QUERIES * WIDE; i++)
        ((float *)q.data)[i] *= deviation;
    if (argc > 3)
        give_own(q, k, (float)atof(argv[3]));
    round_to(A, q);
    round_to(A, k);
    head exact = whole_head(q, k, v);
    double *right = new_bytes(QUERIES * WIDE * sizeof *right);
    attend(right, NULL, &exact, EXACT);
    tensor on[] = {placed(q, A, 0), placed(k, A, 0), placed(v, A, 0)};
    for (int in = ATTENTION_INT8; in <= ATTENTION_INT8_PV; in++) {
        attention_spec spec = {
            .batch = 1, .heads = 1, .scale = 1 / sqrtf(WIDE), .in = (attention_operands)in};
        attention(y, on[0], on[1], on[2], &spec);
        tensor got = fetched(y);
        double error = 0, all = 0;
        for (int i = 0; i < QUERIES * WIDE; i++) {
            double off = (double)((float *)got.data)[i] - right[i];
            error += off * off;
            all += right[i] * right[i];
        }
        printf("%s\t%.4f\n", names[in], sqrt(error / all));
    }
    head_free(&exact);
    free(right);
    return 0;
}
