/*
** prompts.h: lines of text as sequences of token ids.
*/
#ifndef PROMPTS_H
#define PROMPTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tokens.h"

typedef struct {
    char *text; /* as given */
    int32_t *ids;
    int64_t n;
} prompt;

/* How text becomes ids. */
typedef struct {
    tokens *pieces;     /* NULL: the text is ids, separated by blanks */
    int64_t most;       /* text_len: a longer prompt is cut, keeping its end token */
    int64_t vocabulary; /* every id must be below it; 0: any */
} prompt_rules;

/* The ids of a text; `where` ("line 3") names it in messages. Takes `text`, which was malloced. */
prompt prompt_of(const prompt_rules *rules, char *text, size_t bytes, const char *where);
/* A list of prompts, or some lines of one, in its order. */
typedef struct {
    FILE *file;
    size_t line;  /* the number of the last line read, */
    size_t given; /* how many were not blank */
    FILE *of;     /* the whole list, if `file` has some of its lines: line counts there; or NULL */
    const char *name; /* its name; NULL: none */
} prompt_list;

/* The next line that is not blank, without its line end; dies if it is not text. NULL at the end;
 * dies if the whole list is blank. The caller frees the line. */
char *prompt_line(prompt_list *list, size_t *bytes);
/* The same as ids; false at the end. */
bool prompt_read(prompt *p, const prompt_rules *rules, prompt_list *list);
void prompt_free(prompt *p);

#endif
