/*
** linear_upload.cu: a linear layer's parameters onto the device: rows joined, types converted.
*/
#include "linear.cuh"

/* n host vectors one behind the other as F32, with room for a copy of type `copy_type` behind. */
static tensor join_vectors(const char *name, int n, const tensor v[], const tensor w[],
                           tensor_type copy_type)
{
    int64_t count = 0, at = 0;
    if (!v || !v[0].data)
        return tensor{};
    for (int i = 0; i < n; i++) {
        if (!v[i].data || tensor_count(v[i]) != w[i].dim[0])
            die("linear_upload: %s %d is %s, but w is %s", name, i,
                v[i].data ? tensor_text(v[i]) : "absent", tensor_text(w[i]));
        count += w[i].dim[0];
    }
    size_t behind = copy_type == F32 ? 0 : type_size(copy_type);
    tensor both = scratch(U8, count * (4 + behind));
    tensor y = tensor_make(both.data, F32, 1, &count);
    for (int i = 0; i < n; at += w[i].dim[0], i++)
        device_upload(columns(y, at, w[i].dim[0]), reshape(v[i], 1, w[i].dim[0]));
    if (behind)
        copy(tensor_make((float *)both.data + count, copy_type, 1, &count), y);
    return y;
}

linear_weight linear_upload(int n, const tensor w[], const tensor scale[], const tensor b[],
                            tensor_type type)
{
    const char *op = "linear_upload";
    int64_t out = 0, at = 0;
    bool codes = is_codes(w[0].type);
    check_one(w[0].rank == 2, op, w[0], "a matrix");
    for (int i = 0; i < n; i++) {
        check_pair(w[i].rank == 2 && w[i].dim[1] == w[0].dim[1] &&
                       (codes ? w[i].type == w[0].type : !is_codes(w[i].type)),
                   op, w[i], w[0]);
        out += w[i].dim[0];
    }
    bool scales = scale && scale[0].data;
    if (codes && !is_weight(w[0], scales))
        die("%s: w is %s, and has %s", op, tensor_text(w[0]), scales ? "scales" : "no scales");
    if (codes)
        type = w[0].type;

    linear_weight l = {};
    l.w = scratch(type, out, w[0].dim[1]);
    for (int i = 0; i < n; at += w[i].dim[0], i++)
        device_upload(rows(l.w, at, w[i].dim[0]), w[i]);
    l.b = join_vectors("b", n, b, w, codes ? F32 : type);
    if (codes)
        l.scale = join_vectors("scale", n, scale, w, F32);
    return l;
}
