/*
** byname.h: prompts of videos that do not say theirs, by the names of their files.
*/
#ifndef BYNAME_H
#define BYNAME_H

/* A text: a line for each video, its name (a file's, with or without directory and extension), a
** tab, its prompt. Dies for a line without a tab and for a name that comes twice. */
void byname_open(const char *path);
/* The prompt of the video in this file; NULL if there is none, or no list. */
const char *byname_prompt(const char *file);

#endif
