/*
** linear_upload.cu: a linear layer's parameters onto the device: rows joined, types converted.
*/
#include "linear.cuh"

namespace
{

enum { MOST = 8 };

/* n host tensors one below the other; absent if the first is. */
tensor join(int n, const tensor t[], tensor_type type)
{
    int64_t high = 0, at = 0;
    if (!t[0].data)
        return tensor{};
    for (int i = 0; i < n; i++)
        high += tensor_rows(t[i]);
    tensor y = scratch(type, high, tensor_width(t[0]));
    for (int i = 0; i < n; at += tensor_rows(t[i++]))
        device_upload(rows(y, at, tensor_rows(t[i])), t[i]);
    return y;
}

/* The same of vectors, as F32, with room for a copy of type `copy_type` behind. */
tensor join_vectors(int n, const tensor v[], tensor_type copy_type)
{
    int64_t count = 0, at = 0;
    if (!v[0].data)
        return tensor{};
    for (int i = 0; i < n; i++)
        count += tensor_count(v[i]);
    size_t behind = copy_type == F32 ? 0 : type_size(copy_type);
    tensor both = scratch(U8, count * (int64_t)(4 + behind));
    tensor y = tensor_make(both.data, F32, 1, &count);
    for (int i = 0; i < n; at += tensor_count(v[i++]))
        device_upload(columns(y, at, tensor_count(v[i])), reshape(v[i], 1, tensor_count(v[i])));
    if (behind)
        copy(tensor_make((float *)both.data + count, copy_type, 1, &count), y);
    return y;
}

} // namespace

linear_weight linear_upload(int n, const stored w[], const tensor b[], tensor_type type)
{
    weight_parts p;
    parts_of(&p, "linear_upload", n, w, b);
    bool codes = is_codes(w[0].w.type);
    linear_weight l = {};
    l.w = join(n, p.w, codes ? w[0].w.type : type);
    l.b = join_vectors(n, p.b, codes ? F32 : type);
    l.scale = join_vectors(n, p.scale, F32);
    l.step = join(n, p.step, w[0].step.type);
    l.zero = join(n, p.zero, U4);
    return l;
}
