/*
** box.c: the record at the end of an mp4, as whoever reads a file finds it. What is found must be
** found again when it is appended to the same bytes.
*/
#include "../../common/box.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

static char path[] = "/tmp/fuzz-box.XXXXXX";
static int file;

static void remove_file(void) { unlink(path); }

void fuzz_begin(void)
{
    file = mkstemp(path);
    if (file < 0)
        fuzz_broken("there are temporary files");
    atexit(remove_file);
}

void fuzz_target(const uint8_t *bytes, size_t n)
{
    box b, again;
    if (ftruncate(file, 0) != 0 || pwrite(file, bytes, n, 0) != (ssize_t)n)
        fuzz_broken("a temporary file can be written");
    if (!box_read(&b, file))
        return;
    if (b.before > n || !json_is_object(b.metadata))
        fuzz_broken("a box lies within its file");
    box_digest(&b, file, path);
    if (ftruncate(file, (off_t)b.before) != 0)
        fuzz_broken("a temporary file can be cut");
    box_append(path, b.metadata);
    if (!box_read(&again, file) || again.before != b.before ||
        !json_equal(again.metadata, b.metadata))
        fuzz_broken("a box that was appended is found");
    if (strcmp(box_digest(&again, file, path).hex, again.said.hex) != 0)
        fuzz_broken("its digest is that of the file");
    box_free(&again);
    box_free(&b);
}
