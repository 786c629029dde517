/*
** attention.cu: checks the shapes and chooses the kernel, by the type, the width of a head and
** the card.
**
**   int8, fp8, d = 128, sm_90  attention_codes.cu, then attention_int8.cu or attention_fp8.cu
**   int8, d = 128, sm_80       attention_codes.cu, then attention_mma.cu
**   in 8 bits                  attention_rounded.cu, attention_plain.cu
**   F32                        attention_plain.cu
**   F16, BF16, d = 128, sm_90  attention_hopper.cu, or of few keys attention_few.cu, unless there is a
**                              bias or the causal mask
**   F16, BF16, d = 64, 128     attention_mma.cu
**   F16, BF16, one d > 128     attention_strips.cu, of 1024 keys and more on sm_90
**   F16, BF16, d <= 512        attention_wide.cu
*/
#include "attention.cuh"

#include <cmath>

template <class T> static void choose(const attention_args &a)
{
    if (a.d == 128 && device_capability == 90 && !a.bias && !a.causal)
        a.lk <= MOST_FEW_KEYS ? attention_few<T>(a) : attention_hopper<T>(a);
    else if (a.d == 64 || a.d == 128)
        attention_mma<T>(a);
    else
        attention_strips_takes(a) ? attention_strips<T>(a) : attention_wide<T>(a);
}

static void choose_8bit(const attention_args &a, tensor y)
{
    dispatch(y.type, [&](auto *t) {
        using T = ELEMENT(t);
        if constexpr (!std::is_same_v<T, float>)
            if (a.d == 128 && (device_capability == 90 || a.in != ATTENTION_FP8) &&
                (a.lk <= PV_MOST_KEYS || a.in != ATTENTION_INT8_PV))
                return attention_8bit<T>(a);
        attention_rounded<T>(a, y);
    });
}

static void check(tensor y, tensor q, tensor k, tensor v, const attention_spec *spec)
{
    check_attention(y, q, k, v, spec);
    check_one(tensor_width(q) / spec->heads <= 512, "attention", q, "of heads at most 512 wide");
    /* heads and sequences are dimensions of the grid; rows are counted in ints */
    assert(spec->scale > 0 && spec->heads <= 65535 && spec->batch <= 65535 &&
           tensor_rows(q) < INT32_MAX - 256 && tensor_rows(k) < INT32_MAX - 256);
}

void attention(tensor y, tensor q, tensor k, tensor v, const attention_spec *spec)
{
    check(y, q, k, v, spec);
    attention_args a = {};
    a.q = q.data, a.k = k.data, a.v = v.data, a.y = y.data;
    a.q_stride = q.stride, a.k_stride = k.stride, a.v_stride = v.stride, a.y_stride = y.stride;
    a.batch = spec->batch, a.heads = spec->heads;
    a.lq = (int)(tensor_rows(q) / a.batch), a.lk = (int)(tensor_rows(k) / a.batch);
    a.d = (int)(tensor_width(q) / a.heads);
    a.scale_log2e = (float)(spec->scale * 1.4426950408889634);
    a.inverse_scale = 1 / spec->scale;
    a.bias = (const float *)spec->bias.data;
    a.last = spec->last_key_count > 1 ? std::log(spec->last_key_count) / spec->scale : 0;
    a.causal = spec->causal;
    a.in = spec->in;
    if (a.lq == 0)
        return;
    if (a.lk == 0)
        return zero(y);
    if (q.type == F32)
        return spec->in == ATTENTION_16 ? attention_plain(a) : choose_8bit(a, y);
    check_one(a.d % 8 == 0 && chunks(q) && chunks(y), "attention", q, "of whole chunks of eight");
    check_one(chunks(k) && chunks(v), "attention", k, "of whole chunks of eight");
    if (spec->in != ATTENTION_16)
        return choose_8bit(a, y);
    if (q.type == F16)
        choose<half_t>(a);
    else if (q.type == BF16)
        choose<bf16_t>(a);
    else
        check_one(false, "attention", q, "F32, F16 or BF16");
}
