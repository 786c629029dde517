/*
** launch.c: starts the ranks of a program, feeds them, and sees that they end together.
**
** Not a scheduler: one machine, no restarts, and no rank is special but for what is shown of it.
** The hard idea is that no rank may wait for ever. One that waits for a message from a dead one
** would, inside a library that has no time limit; so the processes are watched from outside, each
** by a pipe that only it holds open, and all are killed when one has failed. Input goes to all
** ranks side by side, a block at a time: a rank whose pipe is full cannot keep the others hungry,
** for it has read as much as they need to get where it waits for them.
*/
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "die.h"
#include "program.h"

enum { BLOCK = 1 << 16 };
/* Seconds that rank 0 has to say itself why it failed, after another did; that the others have to
 * end after rank 0 has. */
static const double SAME_FAILURE = 1, LAST_ONES = 10;

typedef struct {
    pid_t pid;
    int feed;   /* our end of its standard input; -1: closed */
    int life;   /* a pipe that ends when it does */
    int errors; /* what it says on standard error, in memory; -1: the user sees it (rank 0) */
    size_t fed; /* bytes of the current block that it has */
    bool ended;
    int status; /* as waitpid() gives it */
} rank;

static rank *all;
static int count, running;
static int failed = -1;  /* the first rank that did */
static double until = 0; /* when we lose patience; 0: never */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- starting ---- */

/* In the child, number r: its place among the ranks. */
static void take_place(int r, int input, int errors, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before the line above */
        _exit(1);
    for (int i = 0; i < r; i++) { /* what the parent held when this one was made */
        close(all[i].feed);
        close(all[i].life);
    }
    if (dup2(input, STDIN_FILENO) < 0)
        die_errno("cannot start rank %d", r);
    close(input);
    if (r == 0)
        return;
    int null = open("/dev/null", O_WRONLY);
    if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(errors, STDERR_FILENO) < 0)
        _exit(1);
    close(null);
    program_mute();
}

/* Returns true in the child. */
static bool start(int r)
{
    int input[2], life[2];
    pid_t self = getpid();
    rank *it = &all[r];
    it->errors = r == 0 ? -1 : memfd_create("stderr", MFD_CLOEXEC);
    if ((r > 0 && it->errors < 0) || pipe2(input, O_CLOEXEC) || pipe2(life, O_CLOEXEC))
        die_errno("cannot make a pipe for rank %d", r);
    it->pid = fork();
    if (it->pid < 0)
        die_errno("cannot start rank %d", r);
    if (it->pid == 0) {
        close(input[1]);
        close(life[0]);
        take_place(r, input[0], it->errors, self);
        return true;
    }
    close(input[0]);
    close(life[1]);
    it->feed = input[1];
    it->life = life[0];
    fcntl(it->feed, F_SETFL, O_NONBLOCK);
    running++;
    return false;
}

static void kill_all(void *data)
{
    (void)data;
    for (int r = 0; r < count; r++)
        if (all[r].pid > 0 && !all[r].ended)
            kill(all[r].pid, SIGKILL);
}

/* ---- the input ---- */

static struct {
    char bytes[BLOCK];
    size_t n; /* bytes of the current block */
    bool ended;
} input;

static void stop_feeding(rank *it)
{
    if (it->feed >= 0)
        close(it->feed);
    it->feed = -1;
}

static bool hungry(const rank *it) { return it->feed >= 0 && it->fed < input.n; }

static bool any_hungry(void)
{
    for (int r = 0; r < count; r++)
        if (hungry(&all[r]))
            return true;
    return false;
}

static void read_block(void)
{
    ssize_t n = read(STDIN_FILENO, input.bytes, BLOCK);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n < 0)
        die_errno("cannot read standard input");
    input.n = (size_t)n;
    input.ended = n == 0;
    for (int r = 0; r < count; r++) {
        all[r].fed = 0;
        if (input.ended)
            stop_feeding(&all[r]);
    }
}

static void feed(rank *it)
{
    ssize_t n = write(it->feed, input.bytes + it->fed, input.n - it->fed);
    if (n >= 0)
        it->fed += (size_t)n;
    else if (errno != EINTR && errno != EAGAIN)
        stop_feeding(it); /* it reads no more: how it ends will tell */
}

/* ---- the end ---- */

static bool succeeded(const rank *it)
{
    return it->ended && WIFEXITED(it->status) && WEXITSTATUS(it->status) == 0;
}

static void collect(int r)
{
    rank *it = &all[r];
    while (waitpid(it->pid, &it->status, 0) < 0)
        if (errno != EINTR)
            die_errno("cannot wait for rank %d", r);
    it->ended = true;
    running--;
    stop_feeding(it);
    if (!succeeded(it) && failed < 0) {
        failed = r;
        /* rank 0 may be about to say the same; one that was killed said nothing */
        until = now() + (WIFEXITED(it->status) ? SAME_FAILURE : 0);
    } else if (r == 0 && failed < 0) {
        until = now() + LAST_ONES;
    }
}

/* Rank 0 has ended and not well, or somebody else has and rank 0 had time to say so. */
static bool over(void)
{
    return running == 0 || (all[0].ended && !succeeded(&all[0])) || (until > 0 && now() >= until);
}

/* Feeds and waits, until over(). */
static void watch(void)
{
    struct pollfd *p = new_bytes(sizeof *p * (unsigned long)(1 + 2 * count));
    while (!over()) {
        p[0] = (struct pollfd){.fd = input.ended || any_hungry() ? -1 : STDIN_FILENO,
                               .events = POLLIN};
        for (int r = 0; r < count; r++) {
            p[1 + 2 * r] = (struct pollfd){.fd = all[r].ended ? -1 : all[r].life, .events = POLLIN};
            p[2 + 2 * r] =
                (struct pollfd){.fd = hungry(&all[r]) ? all[r].feed : -1, .events = POLLOUT};
        }
        double left = until > 0 ? until - now() : -1;
        int wait = until <= 0 ? -1 : left <= 0 ? 0 : (int)(left * 1000) + 1;
        if (poll(p, (nfds_t)(1 + 2 * count), wait) < 0 && errno != EINTR)
            die_errno("cannot wait for the ranks");
        if (p[0].revents)
            read_block();
        for (int r = 0; r < count; r++) {
            if (p[2 + 2 * r].revents)
                feed(&all[r]);
            if (p[1 + 2 * r].revents)
                collect(r);
        }
    }
    free(p);
}

/* The last line that a rank said, without the program's name. */
static const char *last_line(const rank *it)
{
    static char text[1000];
    off_t size = lseek(it->errors, 0, SEEK_END);
    off_t from = size > (off_t)sizeof text - 1 ? size - ((off_t)sizeof text - 1) : 0;
    ssize_t n = pread(it->errors, text, sizeof text - 1, from);
    while (n > 0 && text[n - 1] == '\n')
        n--;
    text[n > 0 ? n : 0] = 0;
    char *line = strrchr(text, '\n');
    line = line ? line + 1 : text;
    size_t length = strlen(program_name());
    if (strncmp(line, program_name(), length) == 0 && strncmp(line + length, ": ", 2) == 0)
        line += length + 2;
    return line;
}

/* Ends as the ranks did. Rank 0 has said itself what it died of; for the others we do. */
static void __attribute__((noreturn)) finish(void)
{
    kill_all(NULL);
    int first = failed;
    for (int r = 0; r < count; r++)
        if (!all[r].ended)
            collect(r);
    at_death(NULL, all);
    if (WIFEXITED(all[0].status) && WEXITSTATUS(all[0].status) != 0)
        exit(WEXITSTATUS(all[0].status));
    if (first >= 0) {
        const rank *it = &all[first];
        if (WIFSIGNALED(it->status))
            die("rank %d of %d: ended by signal %d (%s)", first, count, WTERMSIG(it->status),
                strsignal(WTERMSIG(it->status)));
        const char *line = last_line(it);
        die("rank %d of %d: %s", first, count, *line ? line : "ended with no message");
    }
    for (int r = 0; r < count; r++)
        if (!succeeded(&all[r]))
            die("rank %d of %d did not end", r, count);
    exit(0);
}

/* The standard streams must be open, or the pipes made here would take their numbers. */
static void check_streams(void)
{
    if (fcntl(STDIN_FILENO, F_GETFD) < 0)
        die_errno("cannot read standard input");
    if (fcntl(STDOUT_FILENO, F_GETFD) < 0)
        die_errno("cannot write standard output");
    if (fcntl(STDERR_FILENO, F_GETFD) < 0 && open("/dev/null", O_WRONLY) != STDERR_FILENO)
        _exit(1);
}

int launch(int n)
{
    if (n <= 1)
        return 0;
    check_streams();
    fflush(NULL);
    all = new_bytes(sizeof *all * (unsigned long)n);
    count = n;
    at_death(kill_all, all);
    for (int r = 0; r < n; r++)
        if (start(r)) {
            at_death(NULL, all);
            return r;
        }
    int null = open("/dev/null", O_WRONLY); /* standard output is rank 0's: it closes it */
    if (null < 0 || dup2(null, STDOUT_FILENO) < 0)
        die_errno("cannot open /dev/null");
    watch();
    finish();
}
