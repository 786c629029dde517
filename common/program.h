/*
** program.h: shared by all programs: options, --stats, --progress.
**
** A program has one table of its own options and calls program_begin(); that handles the common
** ones (-h --version -q --progress --stats --wait). usage[] is made from the SYNOPSIS of the man
** page when the program is built.
*/
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "stream.h"

#define PROGRAM_VERSION "0.1.0"

typedef enum { OPTION_FLAG, OPTION_INT, OPTION_FLOAT, OPTION_TEXT, OPTION_LIST } option_kind;

/* The values of an option that may be given several times. */
typedef struct {
    int n;
    const char **text;
} option_list;

/* letter 0: long form only; name NULL: short form only. value points to a bool, int64_t, double,
** const char * or option_list, which holds the default. min and max bound numbers (both 0: any). */
typedef struct {
    char letter;
    const char *name;
    option_kind kind;
    void *value;
    double min, max;
    bool hidden; /* not in the provenance (file names of this machine, say) */
} option;

#define OPTIONS_END                                                                                \
    {                                                                                              \
        .value = NULL                                                                              \
    }

/* Parses the options; returns the index of the first operand. Wrong usage: exit 2. Ignores SIGPIPE,
** so that a closed pipe gives a message. */
int program_begin(int argc, char **argv, const option *table, const char *usage);
/* Passes on what was printed, or dies and says why: after each document, since a later call would
** no longer know. */
void output_flush(void);
/* Closes stdout, writes --stats, returns the exit status 0: `return program_end();`. Dies if
** output was lost. */
int program_end(void);
bool program_waits(void); /* --wait was given */
/* Turns off warnings, notes, --progress and --stats: another process prints them (launch.h). */
void program_mute(void);

/* ---- --stats FILE: {"program": .., "seconds": {phase: s, .., "total": s}, "counts": {..}} ---- */

/* The time from here on belongs to the phase `name`; NULL: to none. */
void stats_phase(const char *name);
/* Seconds of a monotonic clock: now, and when the phase began. */
double stats_now(void);
double stats_phase_began(void);
/* Counts: "documents", "weight_loads", "weight_bytes.F16"; figures: "peak_device_bytes". */
void stats_add(const char *name, double amount);
void stats_set(const char *name, double amount);
/* The device that was used. */
void stats_set_device(const char *text);

/* ---- --progress: a bar on a terminal, lines elsewhere, on stderr (progress.c) ---- */

/* done of total of the current document; if what is "load", of the loading before it. */
void progress(const char *what, int64_t done, int64_t total);
/* The number of the current document, from 1; readers of streams set it. */
void progress_document(int number);
void progress_show(bool on);

#endif
