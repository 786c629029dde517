/*
** locate.c: finds what a text encoder needs beside its weights: the tokenizer and text_len.
**
** The official layout has google/umt5-xxl/, diffusers' has tokenizer/ beside text_encoder/, and
** ComfyUI's single file has spiece.model as a tensor. A tokenizer.json beside a spiece.model
** decides.
*/
#include "locate.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/checkpoint/config.h"
#include "../../common/die.h"
#include "../../common/filemap.h"
#include "../../common/openfile.h"

static bool is_directory(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (is_directory(path))
        return new_format("%s", path);
    return slash ? new_format("%.*s", (int)(slash - path), path) : new_format(".");
}

int64_t text_len_of(const char *model)
{
    char *directory = directory_of(model);
    config *c = config_in(directory, PART_TEXT);
    int64_t most = config_whole(c, "text_len", 512, 2, 65536);
    config_close(c);
    free(directory);
    return most;
}

static bool is_there(const char *path) { return access(path, F_OK) == 0; }

/* A tokenizer.json, or a model and the tokenizer.json beside it. */
static tokens *tokens_at(const char *path)
{
    size_t n = strlen(path);
    filemap file;
    if (n > 5 && strcmp(path + n - 5, ".json") == 0)
        return tokens_open(NULL, 0, path, path);
    int fd = input_open(path);
    if (fd < 0)
        die_errno("cannot read %s", path);
    filemap_open(&file, fd, path);
    close(fd);
    char *directory = directory_of(path), *json = new_format("%s/tokenizer.json", directory);
    tokens *t = tokens_open(file.at, file.bytes, path, is_there(json) ? json : NULL);
    filemap_close(&file);
    free(json);
    free(directory);
    return t;
}

/* The tokenizer in the first subdirectory that has one; NULL if none has. */
static tokens *tokens_in(const char *directory, const char *const subdirectories[])
{
    static const char *const names[] = {"spiece.model", "tokenizer.json"};
    tokens *t = NULL;
    for (int i = 0; subdirectories[i]; i++)
        for (int k = 0; k < 2 && !t; k++) {
            char *path = new_format("%s/%s%s", directory, subdirectories[i], names[k]);
            if (is_there(path))
                t = tokens_at(path);
            free(path);
        }
    return t;
}

/* The tokenizer that is stored in a file of weights; NULL if there is none. */
static tokens *tokens_within(weights *w)
{
    if (!weights_has(w, "spiece_model"))
        return NULL;
    tensor inside = weights_any(w, "spiece_model");
    return tokens_open(inside.data, tensor_bytes(inside), weights_path(w), NULL);
}

tokens *tokens_find(const char *model, const char *named, weights *open(void))
{
    static const char *const of_model[] = {"google/umt5-xxl/", "tokenizer/",          "",
                                           "../tokenizer/",    "../google/umt5-xxl/", NULL};
    static const char *const of_name[] = {"", NULL};
    if (named && !is_directory(named))
        return tokens_at(named);
    tokens *t = named                  ? tokens_in(named, of_name)
                : !is_directory(model) ? tokens_within(open())
                                       : NULL;
    char *directory = directory_of(model);
    if (!t && !named)
        t = tokens_in(directory, of_model);
    if (!t && !named && is_directory(model))
        t = tokens_within(open());
    if (!t && named)
        die("cannot find tokenizer.json or spiece.model in %s", named);
    if (!t)
        die("cannot find google/umt5-xxl/spiece.model, tokenizer/spiece.model or spiece.model in "
            "%s: --tokenizer FILE names it",
            directory);
    free(directory);
    return t;
}
