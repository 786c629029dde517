/*
** wan-check: what is a checkpoint? Which file is which part, in whose names, of what size and type,
** and what of it is missing.
**
** The library that opens models ends the program for what it cannot read, with a line that says
** why. So each part is looked at in a process of its own, and that line is kept: a part that is
** missing is a result here. Nothing is loaded: files are mapped, and headers read.
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/checkpoint/layout.h"
#include "../../common/die.h"
#include "../../common/program.h"
#include "wan-check.h"

static const char *model_path, *clip_path;
static const option options[] = {
    {'m', "model", OPTION_TEXT, &model_path, 0, 0, true},
    {'c', "clip", OPTION_TEXT, &clip_path, 0, 0, true},
    OPTIONS_END,
};

static const char *const names[PARTS] = {"transformer", "text", "vae", "clip"};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The path behind that of the model, if it begins so. */
static const char *below(const char *path, const char *model)
{
    size_t n = strlen(model);
    while (n && model[n - 1] == '/')
        n--;
    if (strncmp(path, model, n) == 0 && path[n] == '/')
        return path + n + strspn(path + n, "/");
    return base_name(path);
}

/* ---- what a part is ---- */

/* Bytes of each type of which there are any: "F32 5.6 GB, F16 12 kB". */
static void print_types(const weights *w)
{
    enum { MOST = 64 };
    const char *type[MOST];
    double bytes[MOST];
    int n = 0;
    for (int i = 0; i < weights_count(w); i++) {
        tensor t = weights_shape(w, i);
        const char *name = type_name(t.type);
        int k = 0;
        while (k < n && strcmp(type[k], name) != 0)
            k++;
        if (k == n && n < MOST) {
            type[n] = name;
            bytes[n++] = 0;
        }
        if (k < n)
            bytes[k] += (double)tensor_bytes(t);
    }
    for (int k = 0; k < n; k++)
        printf("%s%s %.0f", k ? " " : "", type[k], bytes[k]);
}

/* The i-th side of a tensor; 0 if there is none. */
static long long side(const weights *w, const char *name, int i)
{
    for (int k = 0; k < weights_count(w); k++)
        if (strcmp(weights_name(w, k), name) == 0) {
            tensor t = weights_shape(w, k);
            return i < t.rank ? (long long)t.dim[i] : 0;
        }
    return 0;
}

static long long blocks(const weights *w)
{
    long long most = -1, i;
    for (int k = 0; k < weights_count(w); k++)
        if (sscanf(weights_name(w, k), "blocks.%lld.", &i) == 1 && i > most)
            most = i;
    return most + 1;
}

/* A line: part, file, how many files, in whose names, blocks, width, width of its ffn, elements,
 * types with their bytes; tabs between. */
static void print_part(const char *path, model_part part)
{
    weights *w = model_find(path, part);
    double elements = 0;
    for (int i = 0; i < weights_count(w); i++)
        elements += (double)tensor_count(weights_shape(w, i));
    printf("%s\t%s\t%d\t%s\t%lld\t%lld\t%lld\t%.0f\t", names[part], below(weights_file(w), path),
           weights_files(w), weights_what(w), blocks(w),
           part == PART_TRANSFORMER ? side(w, "patch_embedding.weight", 0)
           : part == PART_TEXT      ? side(w, "token_embedding.weight", 1)
                                    : 0,
           part == PART_TRANSFORMER ? side(w, "blocks.0.ffn.0.weight", 0) : 0, elements);
    print_types(w);
    printf("\n");
    weights_close(w);
}

/* ---- a process for each ---- */

/* All that fd gives, as one line, at most size - 1 bytes. */
static void read_line(int fd, char *text, size_t size)
{
    size_t n = 0;
    char rest[512];
    for (ssize_t got; (got = read(fd, n + 1 < size ? text + n : rest,
                                  n + 1 < size ? size - 1 - n : sizeof rest)) > 0;)
        if (n + 1 < size)
            n += (size_t)got;
    text[n] = 0;
    char *last = text; /* warnings stand before it */
    for (char *p = text; (p = strchr(p, '\n')) && p[1];)
        last = ++p;
    memmove(text, last, strlen(last) + 1);
    text[strcspn(text, "\n")] = 0;
}

/* Prints the part's line, or "PART missing WHY"; false if that. */
static bool look(const char *path, model_part part)
{
    int errors[2], status;
    char said[2048];
    output_flush();
    if (pipe(errors) != 0)
        die_errno("cannot make a pipe");
    pid_t child = fork();
    if (child < 0)
        die_errno("cannot start a process");
    if (child == 0) {
        close(errors[0]);
        dup2(errors[1], STDERR_FILENO);
        close(errors[1]);
        print_part(path, part);
        _exit(fflush(stdout) == 0 ? 0 : 1);
    }
    close(errors[1]);
    read_line(errors[0], said, sizeof said);
    close(errors[0]);
    while (waitpid(child, &status, 0) < 0)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    const char *colon = strstr(said, ": ");
    /* The machine failed, not the checkpoint. */
    if (WIFSIGNALED(status) || strstr(said, "memory") || !colon)
        die("%s: %s", names[part], colon ? colon + 2 : "the process that looked at it was killed");
    printf("%s\tmissing\t%s\n", names[part], colon + 2);
    return false;
}

int main(int argc, char **argv)
{
    if (program_begin(argc, argv, options, usage) != argc)
        usage_error("unwanted operand '%s'", argv[argc - 1]);
    if (!model_path)
        usage_error("-m DIR or -m FILE is needed");
    if (access(model_path, R_OK) != 0)
        die_errno("cannot read %s", model_path);
    struct stat is;
    if (stat(model_path, &is) == 0 && !S_ISDIR(is.st_mode) && !S_ISREG(is.st_mode))
        die("%s is a pipe or a device: each part is looked for in it, which takes a file",
            model_path);
    bool whole = true;
    for (model_part part = PART_TRANSFORMER; part <= PART_VAE; part++)
        whole &= look(model_path, part);
    if (clip_path)
        whole &= look(clip_path, PART_CLIP);
    int status = program_end();
    return status ? status : !whole;
}
