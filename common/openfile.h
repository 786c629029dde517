/*
** openfile.h: files that a user names, which may be named pipes. One is read and written like a
** file, but opening it waits for whoever has its other end, for ever: here for three seconds.
*/
#ifndef OPENFILE_H
#define OPENFILE_H

#include <jansson.h>
#include <stdio.h>

/* As open(path, O_RDONLY | O_CLOEXEC) and fopen(path, "rb"); die for a pipe to which nobody
 * writes. */
int input_open(const char *path);
FILE *input_file(const char *path);
/* As json_load_file(). */
json_t *input_json(const char *path, size_t flags, json_error_t *error);

/* As open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) and fopen(path, "wb"); die for a
 * pipe that nobody reads. */
int output_open(const char *path);
FILE *output_file(const char *path);
/* Dies if what is at path is a device, a pipe or a directory, which a finished file would
 * replace. */
void output_replaces(const char *path);

#endif
