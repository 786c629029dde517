/*
** verify.c: finished files, read again to their ends.
**
** Each is looked at by a process of its own: what is broken ends that one with a line, and the next
** file is read all the same. As many are at work as there are processors.
*/
#include "verify.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/box.h"
#include "../../common/die.h"
#include "../../common/openfile.h"
#include "../../common/recipe.h"
#include "../../common/seal.h"
#include "../../common/text.h"
#include "about.h"
#include "found.h"
#include "measured.h"

static void check_mp4(const char *path)
{
    box b;
    int fd = input_open(path);
    if (fd < 0)
        die_errno("cannot read %s", path);
    if (!box_read(&b, fd))
        die("%s is not as it was made: the record at its end is missing or broken", path);
    digest now = box_digest(&b, fd, path);
    if (strcmp(now.hex, b.said.hex) != 0)
        die("%s is not as it was made: its digest is %s, not %s", path, now.hex, b.said.hex);
    box_free(&b);
    close(fd);
}

static void check_document(const char *path)
{
    enum { BLOCK = 1 << 20 };
    static char block[BLOCK];
    reader r;
    found f = found_file(path);
    if (!f.whole)
        die("%s is not as it was made: it is cut short or broken", path);
    found_free(&f);
    FILE *file = input_file(path);
    if (!file)
        die_errno("cannot read %s", path);
    reader_open(&r, file, path);
    if (!reader_next(&r))
        die("%s is not as it was made: it is empty", path);
    if (!seal_of(&r.d))
        die("%s does not say what its digest was", path);
    for (uint64_t left = r.length, n; left; left -= n)
        reader_bytes(&r, block, n = left < BLOCK ? left : BLOCK); /* the last piece compares */
    document_free(&r.d);
    fclose(file);
}

/* Is its recipe one of those that the experiment names for a file here? */
static void check_recipe(const char *path, const char *wanted)
{
    found f = found_file(path);
    if (!f.recipe || !strstr(wanted, f.recipe))
        die("%s is another file than the experiment names here", path);
    found_free(&f);
}

static void check_file(const char *path, const char *wanted)
{
    if (ends_with(path, ".mp4"))
        check_mp4(path);
    else if (ends_with(path, ".tsv"))
        measured_check(path);
    else if (ends_with(path, ".json"))
        about_check(path);
    else
        check_document(path);
    if (wanted)
        check_recipe(path, wanted);
}

/* Waits for one of those at work; 1 if it found something. */
static int wait_for_one(void)
{
    int status;
    return wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

int verify_list(void)
{
    char *path = NULL;
    size_t room = 0;
    int bad = 0, busy = 0, most;
    cpu_set_t set;
    most = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    while (getline(&path, &room, stdin) >= 0) {
        path[strcspn(path, "\n")] = 0;
        char *wanted = strchr(path, '\t');
        if (wanted)
            *wanted++ = 0;
        for (; busy >= most; busy--)
            bad += wait_for_one();
        fflush(NULL);
        pid_t child = fork();
        if (child < 0)
            die_errno("cannot start a process");
        if (child == 0) {
            check_file(path, wanted);
            _exit(0);
        }
        busy++;
        stats_add("files", 1);
    }
    for (; busy; busy--)
        bad += wait_for_one();
    free(path);
    return bad;
}
