/*
** process.c: a child process with one pipe to or from it, or none.
**
** There is no shell, and no pair of pipes in both directions, which could deadlock. The hard part:
** every error of the child must become one line of this program. A child that cannot be started
** reports its errno through another pipe, which a successful exec closes. If a child dies half way,
** our write fails; then its own message is shown: its stderr is kept in a file in memory.
*/
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "die.h"

static void kill_child(void *data)
{
    const process *p = data;
    if (p->pid > 0)
        kill(p->pid, SIGKILL);
}

/* In the child: never returns. in and out are descriptors, or -1 for /dev/null. */
static void __attribute__((noreturn))
become(const char *const argv[], int in, int out, int errors, int report, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* the parent died before prctl() */
        _exit(1);
    signal(SIGPIPE, SIG_DFL); /* we ignore it; SIGHUP stays as it is, for nohup */
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (dup2(in < 0 ? null : in, 0) >= 0 && dup2(out < 0 ? null : out, 1) >= 0 &&
        dup2(errors, 2) >= 0)
        execvp(argv[0], (char *const *)argv);
    int error = errno;
    if (write(report, &error, sizeof error) < 0)
        _exit(126);
    _exit(127);
}

/* Waits until the child has executed argv[0], which closes the pipe, or reports that it could
 * not. */
static void check_started(process *p, int report)
{
    int error;
    ssize_t n;
    while ((n = read(report, &error, sizeof error)) < 0 && errno == EINTR)
        ;
    close(report);
    if (n <= 0)
        return;
    waitpid(p->pid, NULL, 0);
    p->pid = 0;
    if (error == ENOENT)
        die("%s not found: it must be installed and in PATH", p->name);
    errno = error;
    die_errno("cannot start %s", p->name);
}

/* Which end of a pipe the child has. */
typedef enum { NO_PIPE, ITS_STDIN, ITS_STDOUT } piped;

static void start(process *p, const char *const argv[], piped end, int out)
{
    int ends[2] = {-1, -1}, report[2];
    *p = (process){.name = argv[0], .pipe = -1};
    p->errors = memfd_create("stderr", MFD_CLOEXEC);
    if (p->errors < 0 || (end != NO_PIPE && pipe2(ends, O_CLOEXEC)) || pipe2(report, O_CLOEXEC))
        die_errno("cannot make a pipe for %s", p->name);
    if (end == ITS_STDOUT) /* if that is not allowed, it stays at 64 KB */
        fcntl(ends[0], F_SETPIPE_SZ, 1 << 20);
    pid_t self = getpid();
    p->pid = fork();
    if (p->pid < 0)
        die_errno("cannot start %s", p->name);
    if (p->pid == 0)
        become(argv, end == ITS_STDIN ? ends[0] : -1, end == ITS_STDOUT ? ends[1] : out, p->errors,
               report[1], self);
    close(report[1]);
    if (end != NO_PIPE)
        close(end == ITS_STDIN ? ends[0] : ends[1]);
    p->pipe = end == ITS_STDIN ? ends[1] : ends[0];
    check_started(p, report[0]);
    at_death(kill_child, p);
}

void process_feed(process *p, const char *const argv[], int out) { start(p, argv, ITS_STDIN, out); }

void process_collect(process *p, const char *const argv[]) { start(p, argv, ITS_STDOUT, -1); }

void process_run(process *p, const char *const argv[], int out, const char *what)
{
    start(p, argv, NO_PIPE, out);
    p->output = what;
}

/* The beginning of its stderr. */
static char *said(const process *p)
{
    static char text[1 << 14];
    ssize_t n = pread(p->errors, text, sizeof text - 1, 0);
    text[n < 0 ? 0 : n] = 0;
    return text;
}

/* The first line that is not empty, without "[h264 @ 0x55d0] " before it; "" if there is none.
 * ffmpeg prints the cause first and then, in newer versions, its many consequences. A banner before
 * it, "ffmpeg version" and lines that begin with two spaces, is skipped. */
static const char *first_line(char *text)
{
    if (strncmp(text, "ffmpeg version ", 15) == 0)
        do
            text += strcspn(text, "\n");
        while (strncmp(text, "\n  ", 3) == 0 && *++text);
    char *line = text + strspn(text, "\r\n \t");
    line[strcspn(line, "\r\n")] = 0;
    for (char *end; *line == '[' && (end = strstr(line, "] ")) &&
                    memmem(line, (size_t)(end - line), " @ ", 3);)
        line = end + 2;
    return line;
}

/* Dies if the child had no room to write: then our disk is at fault, not its input. The child's
 * message has strerror()'s text. */
static void check_room(const process *p, const char *text)
{
    static const int causes[] = {ENOSPC, EDQUOT, EFBIG};
    for (size_t i = 0; p->output && i < sizeof causes / sizeof *causes; i++)
        if (strstr(text, strerror(causes[i])))
            die("cannot write %s: %s", p->output, strerror(causes[i]));
}

static int end_status(process *p)
{
    int status = 0;
    if (p->pipe >= 0)
        close(p->pipe);
    p->pipe = -1;
    while (waitpid(p->pid, &status, 0) < 0)
        if (errno != EINTR)
            die_errno("cannot wait for %s", p->name);
    p->pid = 0;
    at_death(NULL, p);
    return status;
}

const char *process_finish(process *p)
{
    int status = end_status(p);
    char *text = said(p);
    if (WIFSIGNALED(status))
        die("%s: ended by signal %d (%s)", p->name, WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status)) {
        check_room(p, text);
        const char *line = first_line(text);
        if (*line)
            die("%s: %s", p->name, line);
        die("%s: ended with status %d and no message", p->name, WEXITSTATUS(status));
    }
    close(p->errors);
    return text;
}

void process_write(process *p, const void *from, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t now = write(p->pipe, (const char *)from + done, n - done);
        if (now >= 0) {
            done += (size_t)now;
        } else if (errno == EPIPE) {
            process_finish(p);
            die("%s: ended before it had read all", p->name);
        } else if (errno != EINTR) {
            die_errno("cannot write to %s", p->name);
        }
    }
}

size_t process_read(process *p, void *to, size_t n)
{
    size_t got = 0;
    while (got < n) {
        ssize_t now = read(p->pipe, (char *)to + got, n - got);
        if (now == 0)
            break;
        if (now > 0)
            got += (size_t)now;
        else if (errno != EINTR)
            die_errno("cannot read from %s", p->name);
    }
    return got;
}
