/*
** die.h: messages to the user, and the only way a program ends early.
**
** die() is for the user's errors (exit 1) and usage_error() for the command line (exit 2); assert
** is for ours. A message is lower case, has no full stop and names the thing: "wan-denoise: cannot
** read context: ...". Nothing returns an error code, so equations stay equations. What must be
** undone when a program dies (a half written file, a child process) is registered with at_death().
*/
#ifndef DIE_H
#define DIE_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sets the name that messages begin with (the last component of argv[0]). */
void program_name_set(const char *argv0);
const char *program_name(void);

/* -q was given: warn() and note() are silent from now on; die() never is. */
void quiet_set(bool quiet);

void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* As die(), with ": " and strerror(errno) behind the message. */
void die_errno(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* Exit 2, with a second line that points to -h. */
void usage_error(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* "program: warning: ..." on stderr. */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "program: ..." on stderr. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Calls undo(data) if the program dies or is ended by SIGINT, SIGTERM or SIGHUP; cancel with
 * at_death(NULL, data). */
void at_death(void (*undo)(void *data), void *data);

/* Memory of zeros, and a text in new memory; they die when memory is out. */
void *new_bytes(unsigned long n);
char *new_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#ifdef __cplusplus
}
#endif

#endif
