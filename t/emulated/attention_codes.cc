/*
** attention_codes.cc: kernels/cuda/attention_codes.cu lane by lane (cuda.h), and what takes its codes.
*/
#include "cuda.h"

#include "../../kernels/cuda/attention.cuh"

#include "attention.h"

#define ATTENTION_8BIT_CUH /* needs Hopper's headers: left out, and D is here */
constexpr int D = 128, device_capability = 80;

/* In place of kernels.h's, which are a device's where there is one. */
namespace lanes
{
std::vector<void *> made;
template <class... N> tensor room(tensor_type type, N... n)
{
    int64_t dim[] = {n...}, all = 1;
    for (int64_t d : dim)
        all *= d;
    made.push_back(malloc((size_t)all * type_size(type)));
    memset(made.back(), 0xff, (size_t)all * type_size(type));
    return tensor_make(made.back(), type, sizeof...(n), dim);
}
size_t all_made() { return made.size(); }
void free_from(size_t mark)
{
    for (; made.size() > mark; made.pop_back())
        free(made.back());
}
} // namespace lanes
#undef scratch
#define scratch lanes::room
#define scratch_mark lanes::all_made
#define scratch_reset lanes::free_from

#include "../../kernels/cuda/attention_codes.cu"

template <class T> void attention_int8(const attention_args &, const attention_codes &) { abort(); }
template <class T> void attention_fp8(const attention_args &, const attention_codes &) { abort(); }

void emulated_attention_8bit(uint16_t *y, const uint16_t *q, const uint16_t *k, const uint16_t *v,
                             int Lq, int Lk, attention_operands in, size_t shared_bytes, bool late)
{
    attention_args a = {};
    a.q = q, a.k = k, a.v = v, a.y = y;
    a.q_stride = a.k_stride = a.v_stride = a.y_stride = D;
    a.lq = Lq, a.lk = Lk, a.d = D, a.batch = 1, a.heads = 1;
    a.scale_log2e = (float)(1.4426950408889634 / sqrt(D));
    a.inverse_scale = (float)sqrt(D);
    a.in = in;
    lanes::shared_bytes = shared_bytes;
    lanes::late = late;
    attention_8bit<half_t>(a);
}
