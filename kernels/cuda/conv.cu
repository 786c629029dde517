/*
** conv.cu: a convolution's checks, and the choice of the kernel, by type and channels.
*/
#include "conv.cuh"

/* All 16-byte loads of these kernels fit. */
static bool whole_chunks(const conv_args &a)
{
    bool whole = a.c_in == a.c && (uintptr_t)a.x % 16 == 0;
    for (int i = 0; i < a.past_frames; i++)
        whole = whole && (uintptr_t)a.past[i] % 16 == 0;
    return whole;
}

static bool hopper_takes(const conv_args &a)
{
    return device_capability == 90 && whole_chunks(a) && a.ky <= 3 && a.kx <= 3 &&
           (!a.up || a.phases) && !a.down;
}

static void check(const char *op, tensor y, tensor x, int before, const tensor past[],
                  const conv_weight *c, int up, int down)
{
    tensor w = c->w;
    check_convolution(op, y, x, before, past, w, 1 << up, 1 << down);
    check_pair(y.type == x.type || y.type == F32, op, y, x);
    check_pair(w.type == x.type && w.dim[4] == ceil_div(x.dim[3], 8) * 8, op, w, x);
    check_one(before <= MOST_PAST, op, w, "of at most two frames more than x");
    /* frames are a dimension of the grid; pixels and a row of the weight are counted in ints */
    assert(y.dim[0] <= 65535 && y.dim[1] * y.dim[2] < INT32_MAX / 16 &&
           tensor_count(w) / w.dim[0] < INT32_MAX / 16);
}

/* On Hopper 16-bit operands go straight to y F32, or to a sum with it; elsewhere by way of a y of
** their own type. up and down are 1 where pictures are doubled and halved; gamma may be absent. */
static void convolve(const char *op, tensor y, tensor x, int before, const tensor past[],
                     const conv_weight *w, int up, int down, bool add_to, tensor gamma, float eps)
{
    check(op, y, x, before, past, w, up, down);
    if (gamma.data)
        check_pair(gamma.type == F32 && tensor_count(gamma) == y.dim[3], op, gamma, y);
    if (tensor_count(y) == 0)
        return;
    conv_args a = {};
    a.x = x.data, a.w = w->w.data, a.y = y.data;
    for (int i = 0; i < before; i++)
        a.past[i] = past[i].data;
    a.b = (const float *)w->b.data;
    a.wide = y.type == F32, a.add = add_to;
    a.frames = (int)y.dim[0], a.height = (int)y.dim[1], a.width = (int)y.dim[2];
    a.past_frames = before;
    a.c_in = (int)x.dim[3], a.c = (int)w->w.dim[4], a.c_out = (int)y.dim[3];
    a.kt = w->kt, a.ky = w->ky, a.kx = w->kx;
    a.k = a.kt * a.ky * a.kx * a.c;
    a.up = up, a.down = down;
    a.top = down ? 0 : a.ky / 2, a.left = down ? 0 : a.kx / 2;
    if (conv_phases_follow(w, a.c_in))
        a.phases = (const char *)a.w + tensor_bytes(w->w);
    bool hopper = x.type != F32 && hopper_takes(a), normed = hopper && a.c_out <= MOST_NORMED;
    if (normed)
        a.gamma = (const float *)gamma.data, a.eps = eps;
    if (hopper) {
        x.type == F16 ? conv_hopper<half_t>(a) : conv_hopper<bf16_t>(a);
        if (gamma.data && !normed)
            rms_norm_silu(y, y, gamma, eps);
        return;
    }

    size_t mark = scratch_mark();
    tensor own = add_to || y.type != x.type ? scratch_tensor(x.type, y.rank, y.dim) : y;
    a.y = own.data;
    if (x.type == F32)
        conv_plain<float>(a);
    else if (x.type == F16)
        whole_chunks(a) ? conv_mma<half_t>(a) : conv_plain<half_t>(a);
    else if (x.type == BF16)
        whole_chunks(a) ? conv_mma<bf16_t>(a) : conv_plain<bf16_t>(a);
    else
        check_one(false, op, x, "F32, F16 or BF16");
    if (add_to)
        add(y, own);
    else if (own.data != y.data)
        copy(y, own);
    if (gamma.data)
        rms_norm_silu(y, y, gamma, eps);
    scratch_reset(mark);
}

void conv3d(tensor y, tensor x, int before, const tensor past[], const conv_weight *w,
            bool upsample)
{
    convolve("conv3d", y, x, before, past, w, upsample, 0, false, {}, 0);
}

void conv3d_add(tensor y, tensor x, int before, const tensor past[], const conv_weight *w,
                bool upsample)
{
    check_one(y.type == F32, "conv3d_add", y, "F32");
    convolve("conv3d_add", y, x, before, past, w, upsample, 0, true, {}, 0);
}

void conv3d_norm_silu(tensor y, tensor x, int before, const tensor past[], const conv_weight *w,
                      tensor gamma, float eps)
{
    check_pair(y.type == x.type, "conv3d_norm_silu", y, x);
    convolve("conv3d_norm_silu", y, x, before, past, w, 0, 0, false, gamma, eps);
}

void conv_halve(tensor y, tensor x, const conv_weight *w)
{
    check_one(w->kt == 1, "conv_halve", w->w, "of one frame");
    convolve("conv_halve", y, x, 0, nullptr, w, 0, 1, false, {}, 0);
}
