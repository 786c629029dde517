/*
** recode.c: a checkpoint with the linears of its blocks as codes of a kind that we read and nobody
** here writes, for benchmarks:
**
**     recode Q8_0|Q4_K FILE > model.gguf        recode F8_E4M3 FILE > model.safetensors
**
** Codes are near their weights, not the nearest: a group's scale is that of its extremes, and fp8 is
** rounded by the upper half of a float. Everything else is F32 in GGUF, as its makers have it, and
** as it was beside fp8.
*/
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/checkpoint/weights.h"
#include "../../common/die.h"
#include "../../common/stream.h"

enum { GGUF_ALIGNMENT = 32 };

static tensor_type to;

static tensor_type stored_type(const char *name, tensor t)
{
    bool linear = strncmp(name, "blocks.", 7) == 0 && t.rank == 2 && strstr(name, ".weight");
    return linear && t.dim[1] % type_block(to) == 0 ? to : type_block(to) > 1 ? F32 : t.type;
}

/* ---- blocks ---- */

static void put_f16(uint8_t *p, float v)
{
    uint16_t h = f16_of_f32(v);
    memcpy(p, &h, 2);
}

static int whole(float v, int most) { return v < 0 ? 0 : v > (float)most ? most : (int)lrintf(v); }

static void q8_0(uint8_t *b, const float *x)
{
    float most = 0;
    for (int i = 0; i < 32; i++)
        most = fmaxf(most, fabsf(x[i]));
    put_f16(b, most / 127);
    for (int i = 0; i < 32; i++)
        b[2 + i] = (uint8_t)(int8_t)lrintf(most > 0 ? x[i] * 127 / most : 0);
}

static void q4_k(uint8_t *b, const float *x)
{
    float range[8], least[8], d = 0, dmin = 0;
    int scale[8], offset[8];
    for (int j = 0; j < 8; j++) {
        float low = 0, high = 0;
        for (int i = 0; i < 32; i++) {
            low = fminf(low, x[32 * j + i]);
            high = fmaxf(high, x[32 * j + i]);
        }
        range[j] = (high - low) / 15;
        least[j] = -low;
        d = fmaxf(d, range[j] / 63);
        dmin = fmaxf(dmin, least[j] / 63);
    }
    memset(b, 0, 144);
    put_f16(b, d);
    put_f16(b + 2, dmin);
    for (int j = 0; j < 8; j++) {
        scale[j] = whole(d > 0 ? range[j] / d : 0, 63);
        offset[j] = whole(dmin > 0 ? least[j] / dmin : 0, 63);
        if (j < 4) {
            b[4 + j] |= (uint8_t)scale[j];
            b[8 + j] |= (uint8_t)offset[j];
        } else {
            b[8 + j] = (uint8_t)((scale[j] & 15) | (offset[j] & 15) << 4);
            b[j] |= (uint8_t)(scale[j] >> 4 << 6);
            b[4 + j] |= (uint8_t)(offset[j] >> 4 << 6);
        }
        for (int i = 0; i < 32; i++) {
            float step = d * (float)scale[j];
            float from = x[32 * j + i] + dmin * (float)offset[j];
            b[16 + j / 2 * 32 + i] |=
                (uint8_t)(whole(step > 0 ? from / step : 0, 15) << 4 * (j % 2));
        }
    }
}

/* ---- fp8 ---- */

static uint8_t fp8[1 << 16]; /* of a float's upper half */

static void make_fp8(void)
{
    float value[127];
    uint8_t codes[127];
    for (int i = 0; i < 127; i++)
        codes[i] = (uint8_t)i;
    host_widen(value, codes, F8_E4M3, 127);
    for (uint32_t h = 0; h < 1 << 15; h++) {
        float v = f32_of_bits(h << 16 | 0x8000);
        int i = 0;
        while (i < 126 && v > (value[i] + value[i + 1]) / 2)
            i++;
        fp8[h] = (uint8_t)i;
        fp8[h | 1 << 15] = (uint8_t)(i | 0x80);
    }
}

static float fp8_scale(const float *x, int64_t n)
{
    float most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(x[i]));
    return most > 0 ? most / 448 : 1;
}

/* ---- a tensor ---- */

/* Its codes, which the caller frees; *scale is set for fp8. */
static void *coded(tensor t, float *scale)
{
    int64_t n = tensor_count(t), block = type_block(to), size = (int64_t)type_size(to);
    float *x = new_bytes((size_t)n * 4);
    uint8_t *codes = new_bytes((size_t)(n / block * size));
    host_convert(tensor_of(x, F32, n), reshape(t, n));
    *scale = to == F8_E4M3 ? fp8_scale(x, n) : 1;
    float inverse = 1 / *scale;
#pragma omp parallel for
    for (int64_t i = 0; i < n / block; i++) {
        uint8_t *b = codes + i * size;
        if (to == Q8_0)
            q8_0(b, x + i * block);
        else if (to == Q4_K)
            q4_k(b, x + i * block);
        else
            *b = fp8[bits_of_f32(x[i] * inverse) >> 16];
    }
    free(x);
    return codes;
}

static void put(const void *from, size_t n)
{
    if (fwrite(from, 1, n, stdout) != n)
        die_errno("cannot write");
}

static void put_tensor(weights *w, int i)
{
    const char *name = weights_name(w, i);
    tensor t = weights_any(w, name);
    tensor s = tensor_make(NULL, stored_type(name, t), t.rank, t.dim);
    float scale;
    if (s.type == to) {
        s.data = coded(t, &scale);
    } else {
        s.data = new_bytes(tensor_bytes(s));
        host_convert(s, t);
    }
    put(s.data, tensor_bytes(s));
    free(s.data);
    weights_done(t);
}

/* ---- files ---- */

static void put_number(uint64_t v, size_t n) { put(&v, n); }

static void put_text(const char *s)
{
    put_number(strlen(s), 8);
    put(s, strlen(s));
}

static size_t padding(size_t n) { return (GGUF_ALIGNMENT - n % GGUF_ALIGNMENT) % GGUF_ALIGNMENT; }

/* ggml's numbers of types. */
static uint32_t ggml_type(tensor_type t)
{
    return t == F32 ? 0 : t == F16 ? 1 : t == BF16 ? 30 : t == Q8_0 ? 8 : 12;
}

static void write_gguf(weights *w)
{
    static const uint8_t zeros[GGUF_ALIGNMENT];
    size_t at = 24 + 8 + strlen("general.architecture") + 4 + 8 + 3, place = 0;
    put("GGUF\3\0\0\0", 8);
    put_number((uint64_t)weights_count(w), 8);
    put_number(1, 8);
    put_text("general.architecture");
    put_number(8, 4);
    put_text("wan");
    for (int i = 0; i < weights_count(w); i++) {
        const char *name = weights_name(w, i);
        tensor t = weights_shape(w, i);
        t = tensor_make(NULL, stored_type(name, t), t.rank, t.dim);
        put_text(name);
        put_number((uint64_t)t.rank, 4);
        for (int k = t.rank; k-- > 0;)
            put_number((uint64_t)t.dim[k], 8);
        put_number(ggml_type(t.type), 4);
        put_number(place, 8);
        place += tensor_bytes(t) + padding(tensor_bytes(t));
        at += 8 + strlen(name) + 4 + 8 * (size_t)t.rank + 4 + 8;
    }
    put(zeros, padding(at));
    for (int i = 0; i < weights_count(w); i++) {
        tensor t = weights_shape(w, i);
        t = tensor_make(NULL, stored_type(weights_name(w, i), t), t.rank, t.dim);
        put_tensor(w, i);
        put(zeros, padding(tensor_bytes(t)));
    }
}

static void write_safetensors(weights *w)
{
    document d = {0};
    writer out;
    for (int i = 0; i < weights_count(w); i++) {
        const char *name = weights_name(w, i);
        tensor t = weights_shape(w, i);
        tensor_type type = stored_type(name, t);
        document_add(&d, name, tensor_make(NULL, type, t.rank, t.dim));
        if (type != t.type) {
            char *scale = new_format("%s_scale", name);
            document_add(&d, scale, tensor_make(NULL, F32, 0, NULL));
            free(scale);
        }
    }
    writer_open(&out, stdout, "standard output");
    writer_header(&out, &d);
    for (int i = 0; i < d.entries; i++) {
        const char *name = d.entry[i].name;
        size_t n = strlen(name);
        bool is_scale = n > 13 && strcmp(name + n - 13, ".weight_scale") == 0;
        char *whose = new_format("%.*s", (int)(is_scale ? n - 6 : n), name);
        tensor t = weights_any(w, whose);
        float scale = 1;
        void *codes = is_scale || t.type != d.entry[i].t.type ? coded(t, &scale) : NULL;
        if (is_scale)
            writer_bytes(&out, &scale, 4);
        else
            writer_bytes(&out, codes ? codes : t.data, tensor_bytes(d.entry[i].t));
        free(codes);
        free(whose);
    }
    writer_end(&out);
    document_free(&d);
    writer_close(&out);
}

int main(int argc, char **argv)
{
    program_name_set(argv[0]);
    if (argc != 3 || !type_from_name(&to, argv[1]) || (to != Q8_0 && to != Q4_K && to != F8_E4M3))
        usage_error("usage: recode Q8_0|Q4_K|F8_E4M3 FILE > model");
    weights *w = weights_open(argv[2]);
    make_fp8();
    if (to == F8_E4M3)
        write_safetensors(w);
    else
        write_gguf(w);
    weights_close(w);
    if (fflush(stdout) != 0)
        die_errno("cannot write");
    return 0;
}
