/*
** frames.c: the frames of the current document, what made them, and cells of a table.
*/
#include "frames.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "csv.h"
#include "die.h"

void grey_of(uint8_t *grey, const uint8_t *rgb, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        grey[i] = (uint8_t)((9798 * rgb[3 * i] + 19235 * rgb[3 * i + 1] + 3735 * rgb[3 * i + 2] +
                             (1 << 14)) >>
                            15);
}

const char *document_called(const reader *r)
{
    static char text[320];
    const char *file = metadata_get(&r->d, "file");
    int n = snprintf(text, sizeof text, "document %d", r->documents);
    if (file)
        snprintf(text + n, sizeof text - (size_t)n, " (%.255s)", file);
    return text;
}

tensor frames_shape(const reader *r)
{
    tensor t = document_tensor(&r->d, "frames", r->name, U8, 4, (int64_t[]){-1, -1, -1, 3});
    if (tensor_count(t) == 0)
        die("the frames of %s of %s are empty: %s", document_called(r), r->name, tensor_text(t));
    if (t.dim[1] > FRAMES_MOST_SIDE || t.dim[2] > FRAMES_MOST_SIDE)
        die("the frames of %s of %s are %lldx%lld: a side is at most %d", document_called(r),
            r->name, (long long)t.dim[2], (long long)t.dim[1], FRAMES_MOST_SIDE);
    return t;
}

void frames_begin(reader *r)
{
    char block[1 << 16];
    for (uint64_t left = document_find(&r->d, "frames")->begin, n; left; left -= n)
        reader_bytes(r, block, n = left < sizeof block ? left : sizeof block);
}

const char *document_variant(const document *d)
{
    static char text[64];
    const char *variant = metadata_get(d, "variant"), *denoise = metadata_get(d, "wan-denoise");
    if (variant || !denoise)
        return variant;
    json_t *options = json_loads(denoise, 0, NULL);
    const char *format = json_string_value(json_object_get(options, "format"));
    if (!format) /* versions before 0.2 */
        format = json_string_value(json_object_get(options, "dtype"));
    snprintf(text, sizeof text, "%s", format ? format : "");
    json_decref(options);
    return *text ? text : NULL;
}

void print_cell(const char *text)
{
    for (const char *p = text ? text : ""; *p; p++)
        putchar((unsigned char)*p < ' ' || *p == 0x7f ? ' ' : *p);
    putchar('\t');
}

void print_number(double x, char end)
{
    csv_figure(stdout, x);
    putchar(end);
}

double document_fps(const reader *r, double absent)
{
    const char *text = metadata_get(&r->d, "fps");
    if (!text)
        return absent;
    char *end;
    double rate = strtod(text, &end);
    if (end == text || *end || !isfinite(rate) || rate < 0.01 || rate > 1000)
        die("fps of %s is '%s', not a number from 0.01 to 1000", document_called(r), text);
    return rate;
}
