/*
** spiece.c: what libsentencepiece believes of a model file without looking.
**
** A model's normalizer has a map from texts to texts, precompiled_charsmap: the length of a trie,
** the trie, and the texts that its leaves point into. The library (0.1.97, 0.2.0) follows it
** wherever it leads, out of the map too, so a file made for that reads memory or ends the program.
** Here the map is checked first, so that no step can leave it; everything else about a model the
** library checks itself.
**
** The trie is a double array (darts-clone, unit.h): a node's children stand at its base with the
** lowest eight bits exchanged by the next byte of the text, so it is enough that the 256 units
** around every base exist. Of the file's protocol buffers only what leads to the map is read:
** ModelProto.normalizer_spec (3) and .denormalizer_spec (5), NormalizerSpec.precompiled_charsmap
** (2), each as often as it comes.
*/
#include "spiece.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"

typedef struct {
    const uint8_t *at, *end;
} view;

typedef struct {
    uint64_t number;
    int wire;
    view bytes; /* of wire type 2 */
} field;

enum { VARINT, FIXED64, BYTES, FIXED32 = 5, NORMALIZER = 3, DENORMALIZER = 5, CHARSMAP = 2 };

static const char damaged[] = "its protocol buffers are damaged";

/* ---- protocol buffers ---- */

static bool read_varint(view *v, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 64 && v->at < v->end; shift += 7) {
        uint8_t byte = *v->at++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static bool skip(view *v, uint64_t n)
{
    if (n > (uint64_t)(v->end - v->at))
        return false;
    v->at += n;
    return true;
}

/* False for what is no field, groups included, which no model has. */
static bool read_field(view *v, field *f)
{
    uint64_t tag, n;
    if (!read_varint(v, &tag) || tag > UINT32_MAX)
        return false;
    f->number = tag >> 3;
    f->wire = (int)(tag & 7);
    switch (f->wire) {
    case VARINT: return read_varint(v, &n);
    case FIXED64: return skip(v, 8);
    case FIXED32: return skip(v, 4);
    case BYTES:
        if (!read_varint(v, &n))
            return false;
        f->bytes.at = v->at;
        f->bytes.end = v->at + (n <= (uint64_t)(v->end - v->at) ? n : 0);
        return skip(v, n);
    default: return false;
    }
}

/* ---- the map ---- */

static uint32_t u32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static const char *trie_fault(const uint8_t *trie, uint32_t units, uint64_t text_bytes)
{
    static const uint32_t is_value = 1u << 31, value_bits = is_value - 1, has_value = 1u << 8;
    for (uint32_t i = 0; i < units; i++) {
        uint32_t unit = u32(trie + 4 * (size_t)i);
        if (unit & is_value && i) /* the root is followed without a look at it */
            continue;
        uint32_t base = i ^ (unit >> 10 << ((unit & 1u << 9) >> 6));
        if ((base | 255) >= units)
            return "the trie of its character map leads out of it";
        if (unit & has_value && (u32(trie + 4 * (size_t)base) & value_bits) >= text_bytes)
            return "the trie of its character map points behind its texts";
    }
    return NULL;
}

static const char *map_fault(view map)
{
    size_t n = (size_t)(map.end - map.at);
    if (n == 0)
        return NULL;
    uint32_t trie_bytes = n < 4 ? 0 : u32(map.at);
    if (n < 4 || trie_bytes > n - 4)
        return "its character map is cut short";
    if (trie_bytes == 0 || trie_bytes % 4 || trie_bytes == n - 4 || map.end[-1])
        return "its character map is damaged";
    return trie_fault(map.at + 4, trie_bytes / 4, n - 4 - trie_bytes);
}

static const char *normalizer_fault(view v)
{
    field f;
    const char *fault = NULL;
    while (!fault && v.at < v.end) {
        if (!read_field(&v, &f))
            return damaged;
        if (f.number == CHARSMAP && f.wire == BYTES)
            fault = map_fault(f.bytes);
    }
    return fault;
}

const char *spiece_fault(const void *bytes, size_t n)
{
    view v = {bytes, (const uint8_t *)bytes + n};
    field f;
    const char *fault = NULL;
    while (!fault && v.at < v.end) {
        if (!read_field(&v, &f))
            return damaged;
        if ((f.number == NORMALIZER || f.number == DENORMALIZER) && f.wire == BYTES)
            fault = normalizer_fault(f.bytes);
    }
    return fault;
}

/* ---- what is in it ---- */

enum { PIECES = 1, PIECE_TEXT = 1, PIECE_SCORE = 2 };

const void *spiece_map(const void *bytes, size_t n, size_t *length)
{
    view v = {bytes, (const uint8_t *)bytes + n}, map = {0};
    for (field f; v.at < v.end && read_field(&v, &f);)
        for (field g; f.number == NORMALIZER && f.wire == BYTES && f.bytes.at < f.bytes.end &&
                      read_field(&f.bytes, &g);)
            if (g.number == CHARSMAP && g.wire == BYTES)
                map = g.bytes;
    *length = (size_t)(map.end - map.at);
    return *length ? map.at : NULL;
}

void spiece_pieces(const void *bytes, size_t n,
                   void (*take)(void *data, int32_t i, const char *text, size_t length,
                                float score),
                   void *data)
{
    view v = {bytes, (const uint8_t *)bytes + n};
    int32_t i = 0;
    for (field f; v.at < v.end && read_field(&v, &f);) {
        view chars = {0};
        uint32_t score = 0;
        if (f.number != PIECES || f.wire != BYTES)
            continue;
        for (field g; f.bytes.at < f.bytes.end && read_field(&f.bytes, &g);) {
            if (g.number == PIECE_TEXT && g.wire == BYTES)
                chars = g.bytes;
            if (g.number == PIECE_SCORE && g.wire == FIXED32)
                score = u32(f.bytes.at - 4);
        }
        float value;
        memcpy(&value, &score, 4);
        take(data, i++, (const char *)chars.at, (size_t)(chars.end - chars.at), value);
    }
}

/* ---- writing ---- */

static uint8_t *put_varint(uint8_t *to, uint64_t v)
{
    for (; v > 127; v >>= 7)
        *to++ = (uint8_t)(v | 0x80);
    *to++ = (uint8_t)v;
    return to;
}

static uint8_t *put_bytes(uint8_t *to, int field_number, const void *bytes, size_t n)
{
    to = put_varint(to, (uint64_t)field_number << 3 | BYTES);
    to = put_varint(to, n);
    if (n)
        memcpy(to, bytes, n);
    return to + n;
}

void *spiece_of_map(const void *map, size_t n, size_t *made)
{
    /* SentencePiece: its text (1), its score (2), its kind (3): UNKNOWN, NORMAL. TrainerSpec: a
     * unigram model (3). NormalizerSpec: no blank before a text (3), none removed (4), kept as they
     * are (5). */
    static const uint8_t unknown[] = {10, 5, '<', 'u', 'n', 'k', '>', 21, 0, 0, 0, 0, 24, 2};
    static const uint8_t zero[] = {10, 1, '0', 21, 0, 0, 0x80, 0xbf, 24, 1};
    static const uint8_t trainer[] = {24, 1}, flags[] = {24, 0, 32, 0, 40, 0};
    uint8_t *spec = new_bytes(n + 64), *to = spec;
    if (n)
        to = put_bytes(to, CHARSMAP, map, n);
    memcpy(to, flags, sizeof flags);
    size_t spec_bytes = (size_t)(to - spec) + sizeof flags;
    uint8_t *model = new_bytes(spec_bytes + 128);
    to = put_bytes(model, 1, unknown, sizeof unknown);
    to = put_bytes(to, 1, zero, sizeof zero);
    to = put_bytes(to, 2, trainer, sizeof trainer);
    to = put_bytes(to, NORMALIZER, spec, spec_bytes);
    *made = (size_t)(to - model);
    free(spec);
    return model;
}
