/*
** pictures.c: convolutions, patches and frames against plain F64 loops (compare.h says how).
*/
#include "compare.h"
#include "suite.h"

static const tensor_type FLOATS[] = {F32, F16, BF16};

typedef struct {
    int64_t T, Y, X, C_in, C_out; /* of y */
    int kt, ky, kx, past;
    bool upsample, bias;
    bool
        halve; /* Y and X are of y; x is twice as high and wide, and kernels begin at their pixel */
} conv_case;

/* Input channel i of pixel (y, x) of frame t as a convolution sees it: past, zeros, upsampling. */
static double pixel(const conv_case *c, tensor x, tensor past, int64_t t, int64_t y, int64_t column,
                    int64_t i)
{
    int s = c->upsample ? 2 : 1, d = c->halve ? 2 : 1;
    if (y < 0 || y >= c->Y * d || column < 0 || column >= c->X * d || t < -c->past)
        return 0;
    int64_t row =
        ((t < 0 ? t + c->past : t) * (c->Y * d / s) + y / s) * (c->X * d / s) + column / s;
    return (double)at(t < 0 ? past : x, row, i);
}

static void compare_conv(tally *total, const conv_case *c, tensor y, tensor_type A, tensor x,
                         tensor past, tensor w, tensor b)
{
    tensor got = fetched(y);
    for (int64_t n = 0; n < tensor_rows(y) * c->C_out; n++) {
        int64_t o = n % c->C_out, p = n / c->C_out;
        int64_t t = p / c->X / c->Y, line = p / c->X % c->Y, column = p % c->X;
        double want = b.data ? (double)at(b, 0, o) : 0, size = fabs(want);
        int64_t k = 0, top = c->halve ? -line : c->ky / 2, left = c->halve ? -column : c->kx / 2;
        for (int64_t i = 0; i < c->C_in; i++)
            for (int dt = 0; dt < c->kt; dt++)
                for (int dy = 0; dy < c->ky; dy++)
                    for (int dx = 0; dx < c->kx; dx++, k++) {
                        double term =
                            (double)at(w, o, k) * pixel(c, x, past, t + dt - (c->kt - 1),
                                                        line + dy - top, column + dx - left, i);
                        want += term;
                        size += fabs(term);
                    }
        /* Upsampled, several taps fall on one pixel: their sum may be rounded to the type again. */
        double again = 0, root = sqrt((double)k);
        if (c->upsample && A != F32)
            again = 4 * half_unit(A) * 0x1p24 / (root * (root + 8));
        compare(total, at(got, p, o), want, size * (1 + again), (double)k, A);
    }
    free(got.data);
}

/* silu(rms_norm()) of the convolution's own F32 sums, of which `sums` has one rounding more. */
static void compare_normed(tally *total, const conv_case *c, tensor sums, tensor y, tensor in,
                           const tensor before[], const conv_weight *l)
{
    if (c->upsample || c->C_out % 8)
        return;
    tensor_type A = operand_type(l->w.type);
    tensor gamma = random_host(1, c->C_out, 1, F32);
    conv3d_norm_silu(y, in, c->past, before, l, upload(reshape(gamma, c->C_out), F32), 1e-6f);
    tensor got = fetched(y);
    for (int64_t p = 0; p < tensor_rows(y); p++) {
        double squares = 0;
        for (int64_t o = 0; o < c->C_out; o++)
            squares += (double)at(sums, p, o) * (double)at(sums, p, o);
        double scale = 1 / sqrt(squares / (double)c->C_out + 1e-6);
        for (int64_t o = 0; o < c->C_out; o++) {
            double v = (double)at(sums, p, o) * scale * (double)at(gamma, 0, o);
            double again = A == F32 ? 0 : half_unit(A) * 0x1p22; /* elsewhere than on Hopper */
            double size = (fabs(v) + 0.1) * (2 + fabs(v)) * (1 + again);
            compare(total, at(got, p, o), v / (1 + exp(-v)), size, (double)c->C_in, y.type);
        }
    }
    free(got.data);
}

static void run_conv(tally *t, const conv_case *c, tensor_type kept)
{
    size_t mark = scratch_mark();
    tensor_type A = operand_type(kept);
    int s = c->upsample ? 2 : 1, d = c->halve ? 2 : 1, taps = c->kt * c->ky * c->kx;
    int64_t Y = c->Y * d / s, X = c->X * d / s;
    tensor x = random_host(c->T * Y * X, c->C_in, 1, A);
    tensor past = c->past ? random_host(c->past * Y * X, c->C_in, 1, A) : (tensor){0};
    tensor w = random_host(c->C_out, c->C_in * taps, 1, kept);
    tensor b = c->bias ? random_host(1, c->C_out, 1, F32) : (tensor){0};
    tensor host = c->kt == 1 ? reshape(w, c->C_out, c->C_in, c->ky, c->kx)
                             : reshape(w, c->C_out, c->C_in, c->kt, c->ky, c->kx);
    conv_weight l = conv_upload(host, b, kept);
    tensor y = scratch(A, c->T, c->Y, c->X, c->C_out);
    tensor in = reshape(placed(x, A, 0), c->T, Y, X, c->C_in), before[2];
    for (int i = 0; i < c->past; i++) /* each somewhere else */
        before[i] = placed(rows(past, i * Y * X, Y * X), A, 0);
    tensor wide = scratch(F32, c->T, c->Y, c->X, c->C_out);
    if (c->halve) {
        conv_halve(y, in, &l);
        compare_conv(t, c, y, A, x, past, w, b);
        conv_halve(wide, in, &l);
        compare_conv(t, c, wide, A, x, past, w, b);
        scratch_reset(mark);
        return;
    }
    conv3d(y, in, c->past, before, &l, c->upsample);
    compare_conv(t, c, y, A, x, past, w, b);
    conv3d(wide, in, c->past, before, &l, c->upsample);
    compare_conv(t, c, wide, A, x, past, w, b);
    tensor once = fetched(wide);
    compare_normed(t, c, once, y, in, before, &l);
    conv3d_add(wide, in, c->past, before, &l, c->upsample);
    tensor twice = fetched(wide);
    for (int64_t i = 0; i < tensor_count(once); i++) {
        double value = (double)at(once, 0, i), size = c->C_in * c->kt * c->ky * c->kx;
        compare(t, at(twice, 0, i), 2 * value, size, size, F32);
    }
    free(once.data);
    free(twice.data);
    scratch_reset(mark);
}

START_TEST(convolutions)
{
    static const conv_case cases[] = {
        {.T = 3, .Y = 5, .X = 7, .C_in = 16, .C_out = 24, .kt = 3, .ky = 3, .kx = 3, .bias = true},
        {.T = 1,
         .Y = 6,
         .X = 9,
         .C_in = 96,
         .C_out = 32,
         .kt = 3,
         .ky = 3,
         .kx = 3,
         .past = 2,
         .bias = true},
        {.T = 2, .Y = 4, .X = 4, .C_in = 64, .C_out = 8, .kt = 3, .ky = 3, .kx = 3, .past = 1},
        {.T = 4,
         .Y = 6,
         .X = 5,
         .C_in = 32,
         .C_out = 64,
         .kt = 3,
         .ky = 1,
         .kx = 1,
         .past = 2,
         .bias = true},
        {.T = 2, .Y = 9, .X = 4, .C_in = 48, .C_out = 40, .kt = 1, .ky = 1, .kx = 1, .bias = true},
        {.T = 2,
         .Y = 8,
         .X = 12,
         .C_in = 48,
         .C_out = 24,
         .kt = 1,
         .ky = 3,
         .kx = 3,
         .upsample = true,
         .bias = true},
        {.T = 1,
         .Y = 2,
         .X = 2,
         .C_in = 8,
         .C_out = 8,
         .kt = 1,
         .ky = 3,
         .kx = 3,
         .upsample = true},
        {.T = 1,
         .Y = 20,
         .X = 33,
         .C_in = 32,
         .C_out = 3,
         .kt = 3,
         .ky = 3,
         .kx = 3,
         .past = 2,
         .bias = true},
        {.T = 1, .Y = 1, .X = 1, .C_in = 16, .C_out = 8, .kt = 3, .ky = 3, .kx = 3, .bias = true},
        {.T = 1, .Y = 24, .X = 31, .C_in = 384, .C_out = 16, .kt = 1, .ky = 3, .kx = 3},
        {.T = 2,
         .Y = 7,
         .X = 5,
         .C_in = 3,
         .C_out = 5,
         .kt = 3,
         .ky = 3,
         .kx = 3,
         .past = 2,
         .bias = true},
        {.T = 2, .Y = 7, .X = 6, .C_in = 5, .C_out = 7, .kt = 2, .ky = 5, .kx = 1, .past = 1},
        /* of these the CPU makes 2 x 2 outputs at a time: odd sizes, widths of no whole vector */
        {.T = 2,
         .Y = 9,
         .X = 13,
         .C_in = 40,
         .C_out = 56,
         .kt = 3,
         .ky = 3,
         .kx = 3,
         .past = 1,
         .bias = true},
        {.T = 3, .Y = 8, .X = 8, .C_in = 32, .C_out = 33, .kt = 3, .ky = 3, .kx = 3, .past = 2},
        {.T = 1,
         .Y = 20,
         .X = 26,
         .C_in = 384,
         .C_out = 32,
         .kt = 1,
         .ky = 3,
         .kx = 3,
         .upsample = true,
         .bias = true},
        {.T = 1, .Y = 9, .X = 17, .C_in = 35, .C_out = 400, .kt = 1, .ky = 3, .kx = 3},
        {.T = 1,
         .Y = 6,
         .X = 6,
         .C_in = 5,
         .C_out = 2,
         .kt = 3,
         .ky = 3,
         .kx = 5,
         .past = 2,
         .upsample = true},
        /* more patches than a card works on at a time, and sums of two lengths */
        {.T = 2,
         .Y = 130,
         .X = 150,
         .C_in = 8,
         .C_out = 16,
         .kt = 3,
         .ky = 1,
         .kx = 3,
         .past = 1,
         .bias = true},
        {.T = 1, .Y = 200, .X = 205, .C_in = 8, .C_out = 3, .kt = 1, .ky = 3, .kx = 3},
        {.T = 1, .Y = 4, .X = 5, .C_in = 8, .C_out = 8, .kt = 1, .ky = 3, .kx = 3, .halve = true},
        {.T = 2,
         .Y = 19,
         .X = 33,
         .C_in = 48,
         .C_out = 104,
         .kt = 1,
         .ky = 3,
         .kx = 3,
         .bias = true,
         .halve = true},
        {.T = 1, .Y = 3, .X = 2, .C_in = 5, .C_out = 3, .kt = 1, .ky = 3, .kx = 3, .halve = true},
        {.T = 1, .Y = 3, .X = 2, .C_in = 16, .C_out = 8, .kt = 1, .ky = 1, .kx = 1, .halve = true},
    };
    for (int type = 0; type < 3; type++) {
        tally t = {.name = type_name(FLOATS[type])};
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            run_conv(&t, &cases[i], FLOATS[type]);
        report(&t);
    }
}
END_TEST

/* ---- what only moves numbers: exact ---- */

static void patch_case(const int p[3], int64_t C, int64_t T, int64_t Y, int64_t X, tensor_type A)
{
    size_t mark = scratch_mark();
    int64_t t = T / p[0], y = Y / p[1], x = X / p[2], width = C * p[0] * p[1] * p[2];
    tensor host = random_host(C * T * Y, X, 1, A);
    tensor back = scratch(F32, C, T, Y, X);
    tensor tokens = placed(new_host(F32, t * y * x, width), A, 4);
    tensor latents = upload(reshape(host, C, T, Y, X), F32);
    patchify(tokens, latents, p);
    margins_untouched(tokens, 4, "patchify");
    tensor in = fetched(tokens);
    /* Tokens whose channel runs fastest, from those whose channel runs slowest. */
    tensor turned = new_host(F32, t * y * x, width);
    int64_t pixels = width / C;
    for (int64_t n = 0; n < t * y * x; n++)
        for (int64_t c = 0; c < C; c++)
            for (int64_t k = 0; k < pixels; k++) {
                int64_t dt = k / (p[1] * p[2]), dy = k / p[2] % p[1], dx = k % p[2];
                int64_t line = (c * T + n / x / y * p[0] + dt) * Y + n / x % y * p[1] + dy;
                float want = at(host, line, n % x * p[2] + dx);
                if (at(in, n, c * pixels + k) != want)
                    ck_abort_msg("token %d: %g instead of %g", (int)n,
                                 (double)at(in, n, c * pixels + k), (double)want);
                ((float *)turned.data)[n * width + k * C + c] = want;
            }
    for (int strided = 0; strided < 2; strided++) {
        unpatchify(back, placed(turned, strided ? A : F32, strided ? 8 : 0), p);
        tensor got = fetched(back);
        ck_assert_mem_eq(got.data, host.data, tensor_bytes(got));
    }
    scratch_reset(mark);
}

START_TEST(patches)
{
    for (int type = 0; type < 3; type++) {
        tensor_type A = operand_type(FLOATS[type]);
        patch_case((int[]){1, 2, 2}, 16, 3, 8, 10, A);
        patch_case((int[]){1, 2, 2}, 16, 1, 2, 2, A);
        patch_case((int[]){2, 1, 4}, 8, 4, 3, 8, A);
        patch_case((int[]){1, 1, 1}, 16, 2, 30, 52, A);
        patch_case((int[]){1, 14, 14}, 3, 2, 42, 28, A);
    }
}
END_TEST

START_TEST(frames_out_of_channels)
{
    for (int type = 0; type < 3; type++) {
        tensor_type A = operand_type(FLOATS[type]);
        size_t mark = scratch_mark();
        tensor host = random_host(3 * 5 * 4, 48, 1, A), y = scratch(A, 6, 5, 4, 24);
        split_frames(y, reshape(placed(host, A, 0), 3, 5, 4, 48));
        tensor got = fetched(y);
        for (int64_t t = 0; t < 6; t++)
            for (int64_t n = 0; n < 20; n++)
                for (int64_t c = 0; c < 24; c++)
                    if (at(got, t * 20 + n, c) != at(host, t / 2 * 20 + n, t % 2 * 24 + c))
                        ck_abort_msg("frame %d, pixel %d, channel %d", (int)t, (int)n, (int)c);
        scratch_reset(mark);
    }
}
END_TEST

/* The reference's arithmetic is F32; for every level both neighbours of its edge are tried. */
START_TEST(levels_of_frames)
{
    enum { N = 2 * 257 * 3 };
    size_t mark = scratch_mark();
    tensor host = new_host(F32, 257 * 2, 3), levels = new_host(U8, 257 * 2, 3);
    float *v = host.data;
    for (int i = 0; i < N; i++) {
        float edge = (float)(i / 6) / 127.5f - 1;
        v[i] = i % 6 == 0 ? edge : i % 6 < 3 ? nextafterf(edge, 2) : nextafterf(edge, -2);
        v[i] += i % 6 == 5 ? 0.5f : 0;
    }
    v[0] = -7, v[6] = -1.5f, v[12] = 1.5f, v[N - 1] = 1e30f, v[N - 2] = -INFINITY,
    v[N - 3] = INFINITY;
    tensor y = scratch(U8, 257, 2, 3);
    quantize_frames(y, reshape(placed(host, F32, 0), 257, 2, 3));
    download(reshape(levels, 257, 2, 3), y);
    for (int i = 0; i < N; i++) {
        float x = v[i] < -1 ? -1 : v[i] > 1 ? 1 : v[i], half = (x + 1) / 2, level = half * 255;
        if (((uint8_t *)levels.data)[i] != (uint8_t)level)
            ck_abort_msg("%.9g is level %d instead of %d", (double)v[i],
                         ((uint8_t *)levels.data)[i], (uint8_t)level);
    }
    scratch_reset(mark);
}
END_TEST

/* Each level as the reference's arithmetic in F32 has it; values are cut; other channels zeros. */
START_TEST(frames_of_levels)
{
    enum { N = 256 };
    for (int type = 0; type < 3; type++)
        for (int C = 3; C <= 8; C += 5) {
            size_t mark = scratch_mark();
            tensor_type A = operand_type(FLOATS[type]);
            tensor levels = new_host(U8, N, 3), values = new_host(F32, N, 3), y = scratch(A, N, C);
            tensor level = scratch(U8, N, 3), value = scratch(F32, N, 3);
            for (int i = 0; i < 3 * N; i++) {
                ((uint8_t *)levels.data)[i] = (uint8_t)(i / 3 + i % 3);
                ((float *)values.data)[i] = (float)(i - 384) / 256;
            }
            upload_into(level, levels);
            upload_into(value, values);
            for (int from = 0; from < 2; from++) {
                spread_frames(y, from ? value : level);
                tensor got = fetched(y);
                for (int i = 0; i < N * C; i++) {
                    int k = i % C < 3 ? i / C * 3 + i % C : 0; /* other channels have no value */
                    float v = ((float *)values.data)[k], want = v < -1 ? -1 : v > 1 ? 1 : v;
                    if (!from)
                        want = ((float)((uint8_t *)levels.data)[k] / 255.0f - 0.5f) / 0.5f;
                    want = i % C < 3 ? want : 0;
                    double room = A == F32 ? 0 : half_unit(A) * fabs((double)want);
                    if (fabs((double)at(got, i / C, i % C) - (double)want) > room)
                        ck_abort_msg("pixel %d, channel %d: %g instead of %g", i / C, i % C,
                                     (double)at(got, i / C, i % C), (double)want);
                }
                free(got.data);
            }
            scratch_reset(mark);
        }
}
END_TEST

TESTS(device_open, 120, convolutions, patches, frames_out_of_channels, levels_of_frames,
      frames_of_levels)
