/*
** linear_codes.cu: products of 8-bit codes by 8-bit codes, which tensor cores make at least twice as
** fast as those of 16 bits: on Hopper of I8 (linear_hopper.cu) and e4m3 (linear_e4m3.cu), on older
** cards of I8 (linear_int8_mma.cu), with the same bits.
*/
#include "linear.cuh"

namespace
{

/* The copy engine (TMA) counts strides in 16 bytes. */
bool sixteens(tensor t)
{
    return t.stride * type_size(t.type) % 16 == 0 && (uintptr_t)t.data % 16 == 0;
}

/* y = or += one part's product. */
void product(const char *op, tensor y, tensor codes, tensor scale, const linear_weight *l,
             const float *gate, bool gelu, bool add)
{
    check_codes_product(op, y, codes, scale, l, tensor{});
    check_one(is_float(y.type) && chunks(y), op, y, "of floats, in whole chunks");
    check_pair(!add || y.type == F32, op, y, codes);
    check_pair(linear_takes_codes(l, codes.type) && sixteens(codes), op, codes, l->w);
    check_one(tensor_rows(codes) <= INT32_MAX / 2, op, codes, "of fewer rows");
    if (tensor_rows(codes) == 0)
        return;
    product_ends e = {(const float *)l->scale.data, (const float *)l->b.data, gate, gelu, add,
                      (const float *)scale.data};
    if (device_capability != 90)
        linear_int8_mma(y, codes, l->w, e);
    else if (codes.type == I8)
        linear_int8(y, codes, l->w, e);
    else
        linear_e4m3(y, codes, l->w, l->step, e);
}

/* The rows that are stored in one way make so many columns of y. */
void each_part(const char *op, tensor y, tensor codes, tensor scale, const linear_weight *l,
               tensor gate, bool gelu, bool add)
{
    int64_t at = 0;
    check_pair(!gate.data || (gate.type == F32 && tensor_count(gate) == tensor_width(y)), op, gate,
               y);
    for (; l; at += l->w.dim[0], l = l->below)
        product(op, l->below || at ? columns(y, at, l->w.dim[0]) : y, codes, scale, l,
                gate.data ? (const float *)gate.data + at : nullptr, gelu, add);
    check_one(at == tensor_width(y), op, y, "as wide as w has rows");
}

} // namespace

bool linear_takes_codes(const linear_weight *l, tensor_type codes)
{
    for (; l; l = l->below)
        if ((device_capability != 90 && codes != I8) || !codes_meet(l, codes) || !sixteens(l->w) ||
            l->w.dim[0] % 8 != 0)
            return false;
    return true;
}

void linear_codes(tensor y, tensor codes, tensor scale, const linear_weight *l)
{
    each_part("linear_codes", y, codes, scale, l, tensor{}, false, false);
}

void linear_codes_gelu(tensor y, tensor codes, tensor scale, const linear_weight *l)
{
    each_part("linear_codes_gelu", y, codes, scale, l, tensor{}, true, false);
}

void linear_codes_add(tensor y, tensor codes, tensor scale, const linear_weight *l, tensor gate)
{
    each_part("linear_codes_add", y, codes, scale, l, gate, false, true);
}
