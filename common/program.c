/*
** program.c: the options, the statistics and the progress that all filters have in common.
**
** The option table is the one description of a program's options: it drives getopt_long, holds the
** defaults, and is written into the stream's metadata as what was in effect.
*/
#include "program.h"
#include "openfile.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "die.h"

static bool wait_for_input;
static const char *stats_file;
static char stats_device[80];

enum { MAX_OPTIONS = 48, HELP = 1000, VERSION, QUIET, PROGRESS, STATS, WAIT, OWN };

/* ---- options ---- */

static double number(const option *o, const char *name, const char *text)
{
    char *end;
    errno = 0;
    double v = strtod(text, &end);
    if (end == text || *end || errno == ERANGE || !isfinite(v))
        usage_error("%s takes a number, not '%s'", name, text);
    if (o->kind == OPTION_INT && (v != floor(v) || fabs(v) > 0x1p53 || v != strtold(text, NULL)))
        usage_error("%s takes a whole number, not '%s'", name, text);
    if ((o->min != 0 || o->max != 0) && (v < o->min || v > o->max)) {
        if (o->max >= 0x1p52)
            usage_error("%s is at least %g, not %s", name, o->min, text);
        usage_error("%s is from %g to %g, not %s", name, o->min, o->max, text);
    }
    return v;
}

static void take(const option *o, const char *argument)
{
    char name[64];
    if (o->name)
        snprintf(name, sizeof name, "--%s", o->name);
    else
        snprintf(name, sizeof name, "-%c", o->letter);
    switch (o->kind) {
    case OPTION_FLAG: *(bool *)o->value = true; break;
    case OPTION_INT: *(int64_t *)o->value = (int64_t)number(o, name, argument); break;
    case OPTION_FLOAT: *(double *)o->value = number(o, name, argument); break;
    case OPTION_TEXT: *(const char **)o->value = argument; break;
    case OPTION_LIST: {
        option_list *list = o->value;
        list->text = realloc(list->text, (size_t)(list->n + 1) * sizeof *list->text);
        if (!list->text)
            die("out of memory");
        list->text[list->n++] = argument;
    }
    }
}

/* getopt's two forms of the table; returns the number of own options. */
static int getopt_tables(const option *table, char *letters, struct option *longs)
{
    static const struct option common[] = {
        {"help", no_argument, NULL, HELP},         {"version", no_argument, NULL, VERSION},
        {"quiet", no_argument, NULL, QUIET},       {"progress", no_argument, NULL, PROGRESS},
        {"stats", required_argument, NULL, STATS}, {"wait", no_argument, NULL, WAIT},
    };
    enum { COMMON = sizeof common / sizeof *common };
    memcpy(longs, common, sizeof common);
    letters += sprintf(letters, ":hq");
    int n = 0, l = COMMON;
    for (; table[n].value; n++) {
        int argument = table[n].kind == OPTION_FLAG ? no_argument : required_argument;
        if (table[n].letter)
            letters += sprintf(letters, "%c%s", table[n].letter, argument ? ":" : "");
        if (table[n].name)
            longs[l++] = (struct option){table[n].name, argument, NULL, OWN + n};
        if (l == MAX_OPTIONS - 1)
            die("the table of options is too long");
    }
    longs[l] = (struct option){0};
    return n;
}

/* A file that is opened while standard input or output is closed would be taken for it, and get
 * what is meant for the other. So there is something in each place, which can only fail. */
static void fill_descriptors(void)
{
    static const int flags[] = {O_WRONLY, O_RDONLY, O_RDONLY};
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", flags[fd]) != fd)
            _exit(1);
}

int program_begin(int argc, char **argv, const option *table, const char *usage)
{
    char letters[3 * MAX_OPTIONS];
    struct option longs[MAX_OPTIONS];
    fill_descriptors();
    program_name_set(argv[0]);
    signal(SIGPIPE, SIG_IGN);
    int own = getopt_tables(table, letters, longs), c;
    opterr = 0;
    while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        switch (c) {
        case 'h':
        case HELP: fputs(usage, stdout); exit(fflush(stdout) == 0 ? 0 : 1);
        case VERSION:
            printf("%s %s\n", program_name(), PROGRAM_VERSION);
            exit(fflush(stdout) == 0 ? 0 : 1);
        case 'q':
        case QUIET: quiet_set(true); continue;
        case PROGRESS: progress_show(true); continue;
        case STATS: stats_file = optarg; continue;
        case WAIT: wait_for_input = true; continue;
        case ':': usage_error("%s needs a value", argv[optind - 1]);
        case '?':
            if (optopt && optopt < HELP)
                usage_error("unknown option -%c", optopt);
            usage_error("unknown option or unwanted value: %s", argv[optind - 1]);
        }
        int i = c >= OWN ? c - OWN : 0;
        while (c < OWN && i < own && table[i].letter != c)
            i++;
        take(&table[i], optarg);
    }
    stats_phase("start");
    return optind;
}

bool program_waits(void) { return wait_for_input; }

void program_mute(void)
{
    quiet_set(true);
    progress_show(false);
    stats_file = NULL;
}

/* ---- statistics ---- */

enum { MAX_STATS = 64 };
typedef struct {
    char name[48];
    double value;
} stat_line;
static stat_line seconds[MAX_STATS], counts[MAX_STATS];
static double phase_since, program_since;
static int phase = -1;

double stats_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int stat_named(stat_line *list, const char *name)
{
    int i = 0;
    while (i < MAX_STATS - 1 && list[i].name[0] && strcmp(list[i].name, name) != 0)
        i++;
    snprintf(list[i].name, sizeof list[i].name, "%s", name);
    return i;
}

double stats_phase_began(void) { return phase >= 0 ? phase_since : stats_now(); }

void stats_phase(const char *name)
{
    double t = stats_now();
    if (program_since == 0)
        program_since = t;
    if (phase >= 0)
        seconds[phase].value += t - phase_since;
    phase_since = t;
    phase = name ? stat_named(seconds, name) : -1;
}

void stats_add(const char *name, double amount)
{
    counts[stat_named(counts, name)].value += amount;
}

void stats_set(const char *name, double amount) { counts[stat_named(counts, name)].value = amount; }

void stats_set_device(const char *text) { snprintf(stats_device, sizeof stats_device, "%s", text); }

static json_t *stats_json(const stat_line *list)
{
    json_t *o = json_object();
    for (int i = 0; i < MAX_STATS && list[i].name[0]; i++) {
        double v = list[i].value;
        bool whole = v == floor(v) && fabs(v) < 0x1p53;
        json_object_set_new(o, list[i].name, whole ? json_integer((json_int_t)v) : json_real(v));
    }
    return o;
}

static void stats_write(void)
{
    struct rusage use;
    stats_phase(NULL);
    if (getrusage(RUSAGE_SELF, &use) == 0) /* mapped weights that were touched are in it */
        stats_set("peak_resident_bytes", (double)use.ru_maxrss * 1024);
    json_t *all =
        json_pack("{s:s, s:s, s:o, s:o}", "program", program_name(), "version", PROGRAM_VERSION,
                  "seconds", stats_json(seconds), "counts", stats_json(counts));
    if (*stats_device)
        json_object_set_new(all, "device", json_string(stats_device));
    json_object_set_new(json_object_get(all, "seconds"), "total",
                        json_real(stats_now() - program_since));
    char *text = json_dumps(all, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    FILE *f = output_file(stats_file);
    if (!f || fprintf(f, "%s\n", text) < 0 || fclose(f) != 0)
        die_errno("cannot write %s", stats_file);
    free(text);
    json_decref(all);
}

void output_flush(void)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        die_errno("cannot write standard output");
}

int program_end(void)
{
    output_flush();
    if (close(STDOUT_FILENO) != 0)
        die_errno("cannot write standard output");
    if (stats_file)
        stats_write();
    return 0;
}
