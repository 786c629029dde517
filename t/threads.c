/*
** threads.c: every op gives the same bytes again, and with any number of the CPU's threads.
**
** Shapes are such that each op has several pieces and uneven last ones.
*/
#include "compare.h"
#include "suite.h"

/* There only where the kernels are OpenMP's; elsewhere the ops are merely repeated. */
extern void omp_set_num_threads(int n) __attribute__((weak));

enum { RESULTS = 32 };

/* What all ops made, one tensor after the other, on the host. */
typedef struct {
    int n;
    const char *name[RESULTS];
    tensor made[RESULTS];
} results;

static void keep(results *r, const char *name, tensor y)
{
    ck_assert_int_lt(r->n, RESULTS);
    r->name[r->n] = name;
    r->made[r->n++] = fetched(y);
}

static void run_products(results *r, tensor_type A)
{
    tensor x = placed(random_host(700, 1544, 1, A), A, 8);
    for (int type = 0; type < 4; type++) {
        tensor_type kept = (tensor_type[]){F32, F16, BF16, I8}[type];
        if (operand_type(kept == I8 ? F16 : kept) != A)
            continue;
        tensor host = random_host(1096, 1544, 1, F32), w = new_host(kept, 1096, 1544);
        tensor scale = random_host(1, 1096, 1, F32);
        for (int64_t i = 0; kept == I8 && i < 1096 * 1544; i++)
            ((int8_t *)w.data)[i] = (int8_t)(100 * ((float *)host.data)[i]);
        if (kept != I8)
            host_convert(w, host);
        linear_weight l = uploaded(1, &w, kept == I8 ? &scale : NULL, &scale, kept);
        tensor y = scratch(A, 700, 1096);
        linear(y, x, &l);
        keep(r, "linear", y);
        linear_gelu(rows(y, 0, 50), rows(x, 0, 50), &l);
        keep(r, "linear_gelu", y);
    }
    tensor y = scratch(A, 700, 384), q = columns(x, 0, 384), k = columns(x, 384, 384);
    attention(y, q, k, columns(x, 768, 384),
              &(attention_spec){.batch = 1, .heads = 3, .scale = 0.1f});
    keep(r, "attention", y);
}

static void run_rows(results *r, tensor_type A)
{
    tensor x = placed(random_host(301, 1536, 1, F32), F32, 0), y = scratch(A, 301, 1536);
    tensor a = scratch(A, 301, 1536), g = upload(reshape(random_host(1, 1536, 1, F32), 1536), F32);
    tensor rope = upload(reshape(random_host(301, 128, 1, F32), 301, 64, 2), F32);
    copy(a, x);
    keep(r, "copy", a);
    rms_norm_rope(y, a, reshape(g, 2, 768), 1e-6f, rope);
    keep(r, "rms_norm_rope", y);
    rms_norm_silu(y, a, g, 1e-6f);
    keep(r, "rms_norm_silu", y);
    modulated_norm(y, x, g, g, 1e-6f);
    keep(r, "modulated_norm", y);
    mul_gelu(y, a, y);
    keep(r, "mul_gelu", y);
    add_relu(y, a, y);
    keep(r, "add_relu", y);
    add_gated(x, a, g);
    keep(r, "add_gated", x);
    linear_combination(x, 2, (tensor[]){x, x}, (double[]){0.3, 0.7});
    keep(r, "linear_combination", x);
}

static void run_inputs(results *r, tensor_type A)
{
    tensor x = placed(random_host(301, 1544, 1, A), A, 8), y = scratch(A, 301, 1544);
    tensor absmax = scratch(F32, 1, 1544), sums = scratch(F64, 2, 1544);
    tensor gram = scratch(F64, 520, 520);
    round_rows(y, x, ROWS_INT8);
    keep(r, "round_rows", y);
    zero(absmax);
    zero(sums);
    zero(gram);
    add_moments(absmax, rows(sums, 0, 1), rows(sums, 1, 1), x, 1);
    keep(r, "add_moments", sums);
    add_gram(gram, columns(x, 0, 520), 1);
    keep(r, "add_gram", gram);
}

static void run_pictures(results *r, tensor_type A)
{
    tensor x = reshape(placed(random_host(2 * 31 * 45, 64, 1, A), A, 0), 2, 31, 45, 64);
    tensor w = random_host(48, 64 * 27, 0.1f, F32), b = random_host(1, 48, 1, F32);
    conv_weight c = conv_upload(reshape(w, 48, 64, 3, 3, 3), b, A);
    tensor y = scratch(A, 2, 31, 45, 48), twice = scratch(A, 4, 31, 45, 32);
    conv3d(y, x, 0, NULL, &c, false);
    keep(r, "conv3d", y);
    split_frames(twice, x);
    keep(r, "split_frames", twice);
}

static void run_all(results *r, tensor_type A)
{
    size_t mark = scratch_mark();
    random_state = 5;
    run_products(r, A);
    run_rows(r, A);
    run_inputs(r, A);
    run_pictures(r, A);
    scratch_reset(mark);
}

START_TEST(same_bytes)
{
    static const int threads[] = {2, 3, 7, 1};
    tensor_type A = operand_type(F16);
    results first = {0};
    if (omp_set_num_threads)
        omp_set_num_threads(1);
    run_all(&first, A);
    for (int i = 0; i < 4; i++) {
        results again = {0};
        if (omp_set_num_threads)
            omp_set_num_threads(threads[i]);
        run_all(&again, A);
        ck_assert_int_eq(again.n, first.n);
        for (int k = 0; k < first.n; k++) {
            ck_assert_msg(
                memcmp(again.made[k].data, first.made[k].data, tensor_bytes(first.made[k])) == 0,
                "%s differs with %d threads", first.name[k], threads[i]);
            free(again.made[k].data);
        }
    }
    printf("# %d results of %s\n", first.n, device_name());
}
END_TEST

TESTS(device_open, 300, same_bytes)
