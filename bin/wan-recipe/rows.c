/*
** rows.c: lines of wanted videos.
*/
#include "rows.h"

#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/digest.h"

enum { FIELDS = 3 + STAGES };

bool row_read(row *r, FILE *f, const char *where)
{
    char *line = NULL, *field[FIELDS];
    size_t room = 0;
    if (getline(&line, &room, f) < 0) {
        free(line);
        return false;
    }
    line[strcspn(line, "\n")] = 0;
    int n = 0;
    for (char *at = line; at && n < FIELDS; n++) {
        field[n] = at;
        if ((at = strchr(at, '\t')))
            *at++ = 0;
    }
    if (n < FIELDS)
        die("%s has a line of %d fields where %d are needed", where, n, FIELDS);
    *r = (row){
        new_format("%s", field[0]), new_format("%s", field[1]), new_format("%s", field[2]), {0}};
    for (int s = 0; s < STAGES; s++) {
        if (!is_digest(field[3 + s]))
            die("%s has '%s' for a recipe", where, field[3 + s]);
        r->recipe[s] = new_format("%s", field[3 + s]);
    }
    free(line);
    return true;
}

void row_print(const row *r, FILE *f)
{
    fprintf(f, "%s\t%s\t%s", r->name, r->number, r->seed);
    for (int s = 0; s < STAGES; s++)
        fprintf(f, "\t%s", r->recipe[s]);
    putc('\n', f);
}

void row_free(row *r)
{
    free(r->name);
    free(r->number);
    free(r->seed);
    for (int s = 0; s < STAGES; s++)
        free(r->recipe[s]);
}

char *row_file(const row *r, stage s, const char *text_directory, const char *directory)
{
    switch (s) {
    case TEXT: return new_format("%s/%s.safetensors", text_directory, r->number);
    case LATENTS: return new_format("%s/%s.latents.safetensors", directory, r->name);
    case FRAMES: return new_format("%s/%s.frames.safetensors", directory, r->name);
    default: return new_format("%s/%s.mp4", directory, r->name);
    }
}
