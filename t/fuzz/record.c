/*
** record.c: what tensor-info --json says of a video, of which all but the form is the video's own
** words; and the same as the reason why there is none.
*/
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/record.h"
#include "fuzz.h"

static char directory[] = "/tmp/record.XXXXXX", path[sizeof directory + 20];

static void remove_link(void)
{
    unlink(path);
    rmdir(directory);
}

/* A link to the file in memory that holds each input: a name that ends as it must. */
void fuzz_begin(void)
{
    if (!mkdtemp(directory))
        fuzz_broken("there are temporary directories");
    snprintf(path, sizeof path, "%s/video.json", directory);
    if (symlink(fuzz_path("", 0), path) != 0)
        fuzz_broken("there are links");
    atexit(remove_link);
}

void fuzz_target(const uint8_t *bytes, size_t n)
{
    fuzz_path(bytes, n);
    fuzz_file(".fault", bytes, n);
    record r = record_read(directory, n && bytes[n - 1] % 2 ? "video" : "lost");
    for (int i = 0; i < r.keys; i++)
        if (!record_get(&r, r.key[i].key))
            fuzz_broken("a key that is there is found");
    record_free(&r);
}
