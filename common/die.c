/*
** die.c: messages on stderr, and what is undone when a program ends early.
*/
#include "die.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *name = "?";
static bool quiet;

enum { MAX_UNDO = 8 };
static struct {
    void (*undo)(void *);
    void *data;
} undos[MAX_UNDO];

void program_name_set(const char *argv0)
{
    const char *slash = strrchr(argv0, '/');
    name = slash ? slash + 1 : argv0;
}

const char *program_name(void) { return name; }

void quiet_set(bool q) { quiet = q; }

static void run_undos(void)
{
    for (int i = 0; i < MAX_UNDO; i++)
        if (undos[i].undo) {
            void (*undo)(void *) = undos[i].undo;
            undos[i].undo = NULL;
            undo(undos[i].data);
        }
}

/* One write: messages of several stages of a pipe do not mix. */
static void say(const char *kind, const char *format, va_list arguments, int error)
{
    char line[2048];
    int n = snprintf(line, sizeof line, "%s: %s", name, kind);
    n += vsnprintf(line + n, sizeof line - (size_t)n, format, arguments);
    if (n > (int)sizeof line - 200)
        n = (int)sizeof line - 200;
    if (error)
        n += snprintf(line + n, sizeof line - (size_t)n, ": %s", strerror(error));
    if (n > (int)sizeof line - 2)
        n = (int)sizeof line - 2;
    for (int i = 0; i < n; i++) /* a name from a file must not steer the terminal */
        if ((unsigned char)line[i] < 32 || line[i] == 127)
            line[i] = '?';
    line[n++] = '\n';
    fflush(stderr);
    if (write(2, line, (size_t)n) < 0)
        return;
}

/* The first thread to die says why, and the others wait for the end. */
static void alone(void)
{
    static atomic_flag dying = ATOMIC_FLAG_INIT;
    static _Thread_local bool mine;
    if (!mine && atomic_flag_test_and_set(&dying))
        for (;;)
            pause();
    mine = true;
}

void die(const char *format, ...)
{
    va_list a;
    alone();
    va_start(a, format);
    say("", format, a, 0);
    va_end(a);
    run_undos();
    _exit(1);
}

void die_errno(const char *format, ...)
{
    int error = errno;
    va_list a;
    alone();
    va_start(a, format);
    say("", format, a, error ? error : EIO);
    va_end(a);
    run_undos();
    _exit(1);
}

void usage_error(const char *format, ...)
{
    va_list a;
    va_start(a, format);
    say("", format, a, 0);
    va_end(a);
    fprintf(stderr, "%s: try '%s -h'\n", name, name);
    run_undos();
    _exit(2);
}

void warn(const char *format, ...)
{
    va_list a;
    va_start(a, format);
    if (!quiet)
        say("warning: ", format, a, 0);
    va_end(a);
}

void note(const char *format, ...)
{
    va_list a;
    va_start(a, format);
    if (!quiet)
        say("", format, a, 0);
    va_end(a);
}

static void on_signal(int number)
{
    run_undos();
    signal(number, SIG_DFL);
    raise(number);
}

void at_death(void (*undo)(void *), void *data)
{
    static bool handled;
    if (!handled) {
        handled = true;
        struct sigaction action = {.sa_handler = on_signal};
        int numbers[] = {SIGINT, SIGTERM, SIGHUP};
        for (int i = 0; i < 3; i++) {
            struct sigaction before;
            if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
                sigaction(numbers[i], &action, NULL);
        }
    }
    for (int i = 0; i < MAX_UNDO; i++)
        if (undos[i].undo && undos[i].data == data) {
            undos[i].undo = undo;
            return;
        }
    if (!undo)
        return;
    for (int i = 0; i < MAX_UNDO; i++)
        if (!undos[i].undo) {
            undos[i].data = data;
            undos[i].undo = undo;
            return;
        }
    die("too many things to undo");
}

void *new_bytes(unsigned long n)
{
    void *p = calloc(n ? n : 1, 1);
    if (!p)
        die("out of memory: cannot get %lu bytes", n);
    return p;
}

char *new_format(const char *format, ...)
{
    char *s;
    va_list a;
    va_start(a, format);
    if (vasprintf(&s, format, a) < 0)
        die("out of memory");
    va_end(a);
    return s;
}
