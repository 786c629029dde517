/*
** found.c: the headers of finished files, whatever is in them.
**
** The readers of streams die at a broken file; here a broken file is one that is to be made again.
*/
#include "found.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/box.h"
#include "../../common/die.h"
#include "../../common/openfile.h"
#include "../../common/recipe.h"

enum { MOST_HEADER = 100 << 20 };

/* Where the last tensor of a header ends. */
static int64_t end_of_data(const json_t *header)
{
    const char *name;
    json_t *entry_of;
    int64_t end = 0;
    json_object_foreach((json_t *)header, name, entry_of)
    {
        const json_t *last = json_array_get(json_object_get(entry_of, "data_offsets"), 1);
        if (json_integer_value(last) > end)
            end = json_integer_value(last);
    }
    return end;
}

/* The metadata of the document that is the whole file; NULL if it is none, or cut. */
static json_t *document_metadata(int fd, int64_t size)
{
    unsigned char length[8];
    uint64_t n = 0;
    if (size < 8 || pread(fd, length, 8, 0) != 8)
        return NULL;
    for (int i = 7; i >= 0; i--)
        n = n << 8 | length[i];
    if (n > MOST_HEADER || (int64_t)n > size - 8)
        return NULL;
    char *text = new_bytes(n);
    json_t *header = NULL, *texts = NULL;
    if (pread(fd, text, n, 8) == (ssize_t)n)
        header = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    if (json_is_object(header) && end_of_data(header) == size - 8 - (int64_t)n)
        texts = json_incref(json_object_get(header, "__metadata__"));
    json_decref(header);
    return texts;
}

found found_file(const char *path)
{
    found f = {0};
    struct stat s;
    box b;
    int fd = input_open(path);
    if (fd < 0)
        return f;
    f.there = true;
    if (fstat(fd, &s) == 0 && S_ISREG(s.st_mode))
        f.metadata = box_read(&b, fd) ? b.metadata : document_metadata(fd, s.st_size);
    close(fd);
    f.whole = json_is_object(f.metadata);
    f.recipe = json_string_value(json_object_get(f.metadata, RECIPE_KEY));
    return f;
}

void found_free(found *f)
{
    json_decref(f->metadata);
    *f = (found){0};
}

bool is_current(const char *path, const char *recipe)
{
    found f = found_file(path);
    bool current = f.recipe && strcmp(f.recipe, recipe) == 0;
    found_free(&f);
    return current;
}
