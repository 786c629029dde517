/*
** config.h: a model's config.json, whose keys are the official ones whatever library wrote it.
**
** It is the metadata's "config", or the config.json beside the weights' file. Its sizes must agree
** with the weights, and its other settings with what these programs compute.
*/
#ifndef CONFIG_H
#define CONFIG_H

#include "layout.h"

typedef struct config config;

/* Never NULL: a file without a config.json has an empty one. Dies for one that cannot be read, or
 * whose settings are impossible for this part. needed: it must be there. */
config *config_open(const weights *w, model_part part, bool needed);
/* The same for the config.json in a directory, without weights. */
config *config_in(const char *directory, model_part part);
bool config_there(const config *c);
const char *config_from(const config *c); /* where it was found, or looked for: for messages */
/* Its number `key` (or "section.key"), or `otherwise` if there is none. */
double config_number(const config *c, const char *key, double otherwise);
int64_t config_whole(const config *c, const char *key, int64_t otherwise, int64_t least,
                     int64_t most);
bool config_has(const config *c, const char *key);
const char *config_text(const config *c, const char *key); /* NULL if there is none */
/* Its n numbers `key`; false if there is no such key. */
bool config_numbers(const config *c, const char *key, double *to, int n);
/* Dies if the number `key` is there and is not `have`. */
void config_agree(const config *c, const char *key, int64_t have);
/* All of it as JSON, by official keys: for the metadata. Free it; NULL if there is none. */
char *config_json(const config *c);
void config_close(config *c);

#endif
