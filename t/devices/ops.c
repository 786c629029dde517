/*
** ops.c: runs every op of kernels.h on the same operands and writes what each makes as a document,
** so that what one device makes can be compared with what another does:
**
**     build/cuda/t/devices/ops fp16 | tensor-diff --rel 5e-4 - FILE
**
** A tensor is named by its op; what is behind a full stop tells cases apart. TYPE is that of the
** weights; the operands are rounded to it whatever the device computes with. Sizes are the real
** models' widths, at few rows, odd where they may be.
*/
#include "../../common/stream.h"
#include "../codes.h"

enum { D = 1536, HEADS = 3, L = 301, MOST = 112 };

static tensor_type kept, A; /* of the weights; of the operands that meet them here */

static int made;
static document results;
static tensor result[MOST];

static void keep(const char *name, tensor y)
{
    if (made == MOST)
        die("more than %d results", MOST);
    result[made] = fetched(y);
    document_add(&results, name, result[made++]);
}

/* Operands [n, width] in rows that are wider, and room for a result of that kind. */
static tensor operand(int64_t n, int64_t width, float size)
{
    return placed(random_host(n, width, size, kept), A, 8);
}

static tensor room(tensor_type type, int64_t n, int64_t width)
{
    return placed(new_host(F32, n, width), type, 16);
}

static tensor stream_of(int64_t n, int64_t width) /* the residual stream: F32 */
{
    return placed(random_host(n, width, 3, F32), F32, 8);
}

static tensor vector(int64_t n, float size)
{
    return upload(reshape(random_host(1, n, size, F32), n), F32);
}

/* ---- memory ---- */

static void run_memory(void)
{
    static const tensor_type types[] = {F32, F16, BF16};
    tensor host = random_host(37, 40, 9, F32), small = new_host(kept, 37, 40);
    host_convert(small, host);
    tensor x = upload(small, kept), y = scratch(F32, 37, 40), z = room(F32, 37, 40);
    keep("upload", x);
    keep("upload.converted", upload(host, kept));
    upload_into(y, host);
    upload_into(rows(y, 3, 1), rows(host, 7, 1));
    keep("upload_into", y);
    tensor back = new_host(F32, 37, 24);
    download(back, columns(y, 8, 24));
    keep("download", upload(back, F32));
    tensor later = new_host(F32, 37, 40);
    download_start(later, y);
    download_finish();
    keep("download_start", upload(later, F32));
    for (int i = 0; i < 3; i++) {
        tensor w = room(types[i], 37, 40);
        copy(w, x);
        keep((const char *[]){"copy", "copy.f16", "copy.bf16"}[i], w);
    }
    copy(z, y);
    zero(columns(rows(z, 5, 11), 3, 7));
    keep("zero", z);
    for (int i = 0; i < 2; i++) {
        layer_begin(i);
        tensor layer = upload(host, F32);
        layer_end();
        keep(i ? "layer_end" : "layer_begin", layer);
    }
}

/* ---- products ---- */

static linear_weight weight(tensor_type type, int64_t out, int64_t in)
{
    tensor wide = random_host(out, in, type == I8 ? 127 : 1 / sqrtf((float)in), F32);
    tensor host = new_host(type, out, in), b = random_host(1, out, 1, F32);
    tensor scale = random_host(1, out, 1e-3f, F32);
    for (int64_t i = 0; i < out * in && type == I8; i++)
        ((int8_t *)host.data)[i] = (int8_t)rintf(((float *)wide.data)[i]);
    if (type != I8)
        host_convert(host, wide);
    return uploaded(1, &host, type == I8 ? &scale : NULL, &b, type);
}

static void run_products(void)
{
    tensor x = operand(L, D, 1), few = rows(x, 0, 21);
    linear_weight square = weight(kept, D, D), codes = weight(I8, 520, D);
    linear_weight narrow = weight(kept, 64, D), tall = weight(kept, 264, 2 * D);
    tensor y = room(A, L, D);
    linear(y, x, &square);
    keep("linear", y);
    linear(rows(y, 0, 21), few, &square);
    keep("linear.few", rows(y, 0, 21));
    linear_gelu(y, x, &square);
    keep("linear_gelu", y);
    y = room(F32, L, 64);
    linear(y, x, &narrow);
    keep("linear.f32", y);
    y = upload(random_host(L, D, 1, F32), F32);
    linear_add(y, x, &square, reshape(upload(random_host(1, D, 1, F32), F32), D));
    keep("linear_add", y);
    y = room(A, L, 264);
    linear(y, operand(L, 2 * D, 1), &tall);
    keep("linear.long", y);
    y = room(A, L, 520);
    linear(y, x, &codes);
    keep("linear.codes", y);
    linear_gelu(y, x, &codes);
    keep("linear_gelu.codes", y);
    y = room(F32, 21, 520);
    linear(y, few, &codes);
    keep("linear.codes_f32", y);
}

/* Every format of codes, with scales where it may have them; and rows in two formats. */
static void run_formats(void)
{
    enum { OUT = 136 };
    tensor x = operand(L, D, 1), y = room(A, L, OUT), scale = random_host(1, OUT, 1e-3f, F32);
    tensor b = random_host(1, OUT, 1, F32);
    for (int64_t i = 0; i < OUT; i++)
        ((float *)scale.data)[i] = fabsf(((float *)scale.data)[i]) + 1e-5f;
    for (int i = 0; i < CODE_TYPES; i++) {
        tensor codes = random_codes(CODES[i], OUT, D, 1e-3f);
        linear_weight l = uploaded(1, &codes, scaled_beside(CODES[i]) ? &scale : NULL, &b, kept);
        char name[32];
        snprintf(name, sizeof name, "linear.%s", type_name(CODES[i]));
        linear(y, x, &l);
        keep(name, y);
    }
    tensor first = random_codes(Q4_K, 96, D, 1e-3f), second = random_codes(Q6_K, 40, D, 1e-3f);
    tensor gate = vector(OUT, 1), sum = upload(random_host(L, OUT, 1, F32), F32);
    linear_weight below = uploaded(1, &second, NULL, NULL, kept);
    linear_weight l = uploaded(1, &first, NULL, NULL, kept);
    l.below = &below;
    linear(y, x, &l);
    keep("linear.two_formats", y);
    linear_gelu(y, x, &l);
    keep("linear_gelu.two_formats", y);
    linear_add(sum, x, &l, gate);
    keep("linear_add.two_formats", sum);
}

static void attend(const char *name, int64_t d, int64_t Lq, int64_t Lk, attention_spec spec)
{
    int64_t width = spec.heads * d;
    tensor q = operand(spec.batch * Lq, width, 2), k = operand(spec.batch * Lk, width, 2);
    tensor v = operand(spec.batch * Lk, width, 1), y = room(A, spec.batch * Lq, width);
    spec.scale = 1 / sqrtf((float)d);
    if (spec.bias.data) /* wanted: any */
        spec.bias = upload(random_host(spec.heads, Lq + Lk - 1, 3, F32), F32);
    attention(y, q, k, v, &spec);
    keep(name, y);
}

static void run_attention(void)
{
    tensor wanted = scratch(F32, 1);
    attend("attention", 128, L, L, (attention_spec){.batch = 2, .heads = HEADS});
    attend("attention.text", 128, L, 22,
           (attention_spec){.batch = 2, .heads = HEADS, .last_key_count = 491});
    attend("attention.most_text", 128, L, 128,
           (attention_spec){.batch = 2, .heads = HEADS, .last_key_count = 385});
    attend("attention.long_text", 128, L, 150,
           (attention_spec){.batch = 1, .heads = HEADS, .last_key_count = 363});
    attend("attention.bias", 64, 77, 77,
           (attention_spec){.batch = 1, .heads = HEADS, .bias = wanted});
    attend("attention.causal", 64, 77, 77,
           (attention_spec){.batch = 2, .heads = HEADS, .causal = true});
    attend("attention.wide", 384, 130, 130, (attention_spec){.batch = 1, .heads = 1});
    attend("attention.int8", 128, L, L,
           (attention_spec){.batch = 2, .heads = HEADS, .in = ATTENTION_INT8});
    attend("attention.fp8", 128, L, L,
           (attention_spec){.batch = 2, .heads = HEADS, .in = ATTENTION_FP8});
    attend("attention.fp8_64", 64, 200, 200,
           (attention_spec){.batch = 2, .heads = 3, .in = ATTENTION_FP8});
    attend("attention.int8_pv", 128, L, L,
           (attention_spec){.batch = 2, .heads = HEADS, .in = ATTENTION_INT8_PV});
    attend("attention.int8_pv_64", 64, 200, 200,
           (attention_spec){.batch = 2, .heads = 3, .in = ATTENTION_INT8_PV});
}

/* ---- rows and elements ---- */

static void run_norms(void)
{
    tensor x = operand(L, D, 2), stream = stream_of(L, D), y = room(A, L, D);
    tensor gamma = vector(D, 1), beta = vector(D, 1);
    tensor rope = upload(reshape(random_host(L, 128, 1, F32), L, 64, 2), F32);
    rms_norm(y, x, gamma, 1e-6f);
    keep("rms_norm", y);
    rms_norm(y, stream, gamma, 1e-6f);
    keep("rms_norm.stream", y);
    rms_norm_rope(y, x, reshape(gamma, 1, D), 1e-6f, rope);
    keep("rms_norm_rope", y);
    rms_norm_rope(y, x, reshape(gamma, 2, D / 2), 1e-6f, rope);
    keep("rms_norm_rope.two", y);
    rms_norm_silu(y, stream, gamma, 1e-24f);
    keep("rms_norm_silu", y);
    layer_norm(y, stream, gamma, beta, 1e-6f);
    keep("layer_norm", y);
    layer_norm(y, x, (tensor){0}, (tensor){0}, 1e-6f);
    keep("layer_norm.plain", y);
    modulated_norm(y, stream, gamma, beta, 1e-6f);
    keep("modulated_norm", y);
}

static void run_elements(void)
{
    tensor x = operand(L, D, 4), up = operand(L, D, 1), y = room(A, L, D);
    tensor stream = stream_of(L, D), flat[3];
    gelu(y, x);
    keep("gelu", y);
    silu(y, x);
    keep("silu", y);
    quick_gelu(y, x);
    keep("quick_gelu", y);
    exact_gelu(y, x);
    keep("exact_gelu", y);
    mul_gelu(y, x, up);
    keep("mul_gelu", y);
    add_relu(y, x, up);
    keep("add_relu", y);
    hadamard(y, x);
    keep("hadamard", y);
    add(stream, x);
    keep("add", stream);
    add_gated(stream, up, vector(D, 1));
    keep("add_gated", stream);
    for (int i = 0; i < 3; i++)
        flat[i] = upload(random_host(16, 1001, 2, F32), F32);
    linear_combination(flat[0], 3, flat, (double[]){0.3, -7.25, 6.5});
    keep("linear_combination", flat[0]);
    tensor bad = random_host(5, 1000, 1, F32), count = new_host(F32, 1, 1);
    ((float *)bad.data)[4999] = NAN;
    ((float *)bad.data)[77] = -INFINITY;
    *(float *)count.data = (float)count_nonfinite(placed(bad, A, 0));
    keep("count_nonfinite", upload(count, F32));
    tensor found = scratch(I64, 1), number = new_host(I64, 1, 1);
    nonfinite_count(found, placed(bad, A, 0));
    download(number, found);
    *(float *)count.data = (float)*(int64_t *)number.data;
    keep("nonfinite_count", upload(count, F32));
}

/* ---- inputs of products ---- */

/* Products of codes; where the device has none, what stands in for them. Of a norm's codes the scales
** alone: a last bit of the norm may make another code. */
static void run_codes(tensor x)
{
    linear_weight l = weight(I8, 520, D);
    tensor codes = scratch(I8, L, D), scale = scratch(F32, L), rounded = room(A, L, D);
    quantize_rows(codes, scale, x, false);
    keep("quantize_rows", codes);
    keep("quantize_rows.scale", reshape(scale, 1, L));
    layer_norm_codes(codes, scale, A, stream_of(L, D), vector(D, 1), vector(D, 1), 1e-6f, false);
    keep("layer_norm_codes", reshape(scale, 1, L));
    modulated_norm_codes(codes, scale, A, stream_of(L, D), vector(D, 1), vector(D, 1), 1e-6f, true);
    keep("modulated_norm_codes", reshape(scale, 1, L));
    quantize_rows(codes, scale, x, false);
    round_rows(rounded, x, ROWS_INT8);
    bool here = linear_takes_codes(&l, I8);
    tensor y = room(F32, L, 520), gate = vector(520, 1);
    here ? linear_codes(y, codes, scale, &l) : linear(y, rounded, &l);
    keep("linear_codes", y);
    here ? linear_codes_gelu(y, codes, scale, &l) : linear_gelu(y, rounded, &l);
    keep("linear_codes_gelu", y);
    here ? linear_codes_add(y, codes, scale, &l, gate) : linear_add(y, rounded, &l, gate);
    keep("linear_codes_add", y);
}

static void run_inputs(void)
{
    static const char *const names[] = {"round_rows", "round_rows.int4", "round_rows.fp8"};
    static const row_codes codes[] = {ROWS_INT8, ROWS_INT4, ROWS_FP8};
    tensor x = operand(L, D, 3), y = room(A, L, D), narrow = columns(x, 8, 264);
    for (int i = 0; i < 3; i++) {
        round_rows(y, x, codes[i]);
        keep(names[i], y);
    }
    run_codes(x);
    tensor absmax = scratch(F32, 1, D), sums = scratch(F64, 2, D), gram = scratch(F64, 264, 264);
    zero(absmax);
    zero(sums);
    zero(gram);
    add_moments(absmax, rows(sums, 0, 1), rows(sums, 1, 1), x, 2);
    keep("add_moments", absmax);
    keep("add_moments.sums", sums);
    add_gram(gram, narrow, 2);
    keep("add_gram", gram);
}

/* ---- latents and pictures ---- */

static void convolve(const char *name, int64_t T, int64_t Y, int64_t X, int64_t in, int64_t out,
                     int kt, int k, int past, bool upsample)
{
    int64_t s = upsample ? 2 : 1, taps = (int64_t)kt * k * k;
    float size = 1 / sqrtf((float)(in * taps));
    tensor w = reshape(random_host(out, in * taps, size, kept), out, in, kt, k, k);
    conv_weight c = conv_upload(w, random_host(1, out, 1, F32), kept);
    tensor x = reshape(placed(random_host(T * Y * X, in, 1, kept), A, 0), T, Y, X, in);
    tensor before[2], y = scratch(A, T, s * Y, s * X, out), sum;
    for (int i = 0; i < past; i++)
        before[i] = placed(random_host(Y * X, in, 1, kept), A, 0);
    conv3d(y, x, past, before, &c, upsample);
    keep(name, y);
    sum = upload(reshape(random_host(T * s * Y, s * X * out, 1, F32), T, s * Y, s * X, out), F32);
    conv3d_add(sum, x, past, before, &c, upsample);
    char added[64];
    snprintf(added, sizeof added, "conv3d_add%s", name + strlen("conv3d"));
    keep(added, sum);
    if (upsample || out % 8)
        return;
    tensor gamma = upload(reshape(random_host(1, out, 1, F32), out), F32);
    conv3d_norm_silu(y, x, past, before, &c, gamma, 1e-6f);
    snprintf(added, sizeof added, "conv3d_norm_silu%s", name + strlen("conv3d"));
    keep(added, y);
}

static void run_pictures(void)
{
    int patch[] = {1, 2, 2};
    tensor latents = upload(reshape(random_host(16, 3 * 6 * 10, 3, kept), 16, 3, 6, 10), F32);
    tensor tokens = room(A, 3 * 3 * 5, 64), back = scratch(F32, 16, 3, 6, 10);
    patchify(tokens, latents, patch);
    keep("patchify", tokens);
    unpatchify(back, tokens, patch);
    keep("unpatchify", back);
    tensor wide = room(A, 3 * 2 * 4, 368), pooled = scratch(A, 3, 2, 4, 64);
    unfold(wide, reshape(rows(reshape(latents, 16 * 3, 60), 0, 9), 3, 3, 6, 10), 5, 2, 1);
    keep("unfold", wide);
    max_pool(pooled, reshape(placed(random_host(180, 64, 3, kept), A, 0), 3, 6, 10, 64), 3, 2);
    keep("max_pool", pooled);
    convolve("conv3d", 1, 13, 19, 192, 96, 3, 3, 2, false);
    convolve("conv3d.first", 2, 9, 20, 16, 384, 3, 3, 0, false);
    convolve("conv3d.upsample", 1, 9, 11, 96, 48, 1, 3, 0, true);
    convolve("conv3d.time", 1, 9, 11, 64, 128, 3, 1, 2, false);
    convolve("conv3d.head", 1, 17, 33, 96, 3, 3, 3, 1, false);
    tensor half = reshape(random_host(96, 64 * 9, 0.05f, kept), 96, 64, 3, 3);
    conv_weight halve = conv_upload(half, random_host(1, 96, 1, F32), kept);
    tensor whole = placed(random_host(18 * 34, 64, 1, kept), A, 0),
           halved = scratch(A, 1, 9, 17, 96);
    conv_halve(halved, reshape(whole, 1, 18, 34, 64), &halve);
    keep("conv_halve", halved);
    tensor x = placed(random_host(3 * 5 * 7, 64, 1, kept), A, 0), y = scratch(A, 6, 5, 7, 32);
    split_frames(y, reshape(x, 3, 5, 7, 64));
    keep("split_frames", y);
    tensor picture = upload(reshape(random_host(5 * 7, 3, 1.2f, F32), 1, 5, 7, 3), F32);
    tensor levels = scratch(U8, 1, 5, 7, 3);
    quantize_frames(levels, picture);
    keep("quantize_frames", levels);
    tensor spread = scratch(A, 35, 8);
    spread_frames(spread, reshape(levels, 35, 3));
    keep("spread_frames", spread);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        tensor_type type;
    } types[] = {{"fp32", F32}, {"fp16", F16}, {"bf16", BF16}};
    writer out;
    int t = 0;
    program_name_set(argv[0]);
    while (argc == 2 && t < 3 && strcmp(argv[1], types[t].name) != 0)
        t++;
    if (argc != 2 || t == 3)
        die("usage: ops fp32|fp16|bf16");
    device_open();
    kept = types[t].type;
    A = operand_type(kept);
    run_memory();
    run_products();
    run_formats();
    run_attention();
    run_norms();
    run_elements();
    run_inputs();
    run_pictures();
    writer_open(&out, stdout, "standard output");
    writer_header(&out, &results);
    for (int i = 0; i < made; i++)
        writer_tensor(&out, result[i]);
    writer_end(&out);
    writer_close(&out);
    document_free(&results);
    return 0;
}
