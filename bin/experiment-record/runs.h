/*
** runs.h: the records of runs that pipelines/begin-run and end-run leave, as JSON.
*/
#ifndef RUNS_H
#define RUNS_H

#include <jansson.h>

/* All of DIRECTORY/runs, in the order in which they began, as wan-experiment(5) describes them:
 * [{"stage": .., "begun": .., "seconds": .., "return_code": .., "machine": {}, "programs": {}}].
 * seconds and return_code are null for a run that was interrupted. No runs: []. */
json_t *runs_read(const char *directory);

/* The lines of PATH, key and value with a tab between them, as an object; {} if there is no such
 * file. What looks like a number, true or false becomes one. */
json_t *lines_read(const char *path);
/* What pipelines/machine found out, taken out of lines; null for what it did not. */
json_t *machine_of(json_t *lines);

#endif
