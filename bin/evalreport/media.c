/*
** media.c: base64 (RFC 4648) for what goes into the page, per cent signs (RFC 3986) for what is
** linked.
*/
#include "media.h"

#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/filemap.h"
#include "../../common/openfile.h"

static void put_base64(FILE *f, const unsigned char *at, size_t n)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        unsigned left = n - i < 3 ? (unsigned)(n - i) : 3;
        unsigned bits = (unsigned)at[i] << 16 | (left > 1 ? (unsigned)at[i + 1] << 8 : 0) |
                        (left > 2 ? at[i + 2] : 0);
        char four[4] = {digit[bits >> 18], digit[bits >> 12 & 63],
                        left > 1 ? digit[bits >> 6 & 63] : '=', left > 2 ? digit[bits & 63] : '='};
        fwrite(four, 1, 4, f);
    }
}

static void put_path(FILE *f, const char *path)
{
    for (; *path; path++) {
        unsigned char c = (unsigned char)*path;
        if ((c < 0x80 && strchr("-._~/", c)) || (c >= '0' && c <= '9') ||
            ((c | 32) >= 'a' && (c | 32) <= 'z'))
            putc(c, f);
        else
            fprintf(f, "%%%02X", c);
    }
}

int64_t put_video(FILE *f, const char *directory, const char *videos, const char *variant,
                  const char *name, bool linked)
{
    filemap m;
    char *link = strcmp(videos, ".") == 0 ? new_format("%s/%s.mp4", variant, name)
                                          : new_format("%s/%s/%s.mp4", videos, variant, name);
    char *path = new_format("%s/%s", directory, link);
    FILE *film = input_file(path);
    if (!film)
        die_errno("cannot read %s", path);
    filemap_open(&m, fileno(film), path);
    if (linked) {
        put_path(f, link);
    } else {
        fputs("data:video/mp4;base64,", f);
        put_base64(f, m.at, m.bytes);
    }
    int64_t bytes = (int64_t)m.bytes;
    filemap_close(&m);
    fclose(film);
    free(path);
    free(link);
    return bytes;
}
