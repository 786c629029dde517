/*
** fault KIND COMMAND...: runs the command with something wrong.
**
**   closed-stdin, closed-stdout    the descriptor is not open
**   read-error                     every read of standard input fails (EIO)
**   broken-pipe                    standard output is a pipe that nobody reads
**   full                           standard output is a full disk
**   cut BYTES                      standard input ends after so many of its bytes
**   memory KILOBYTES               so many of addresses, until it asks for more (ulimit -Sv)
**   kill MILLISECONDS              it is killed (SIGKILL) after that time
**
** Ends as the command does; with 128 and the signal's number if one killed it.
*/
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what)
{
    perror(what);
    exit(99);
}

static void become(char **argv)
{
    execvp(argv[0], argv);
    fail(argv[0]);
}

static void replace(int fd, const char *path, int flags)
{
    int other = open(path, flags);
    if (other < 0 || dup2(other, fd) < 0)
        fail(path);
    close(other);
}

static void nobody_reads(void)
{
    int ends[2];
    if (pipe(ends) != 0 || dup2(ends[1], 1) < 0)
        fail("pipe");
    close(ends[0]);
    close(ends[1]);
}

static int status_of(pid_t child)
{
    int status;
    if (waitpid(child, &status, 0) != child)
        fail("waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The command reads a pipe, to which we write the first n bytes of our input. */
static int cut(long n, char **argv)
{
    int ends[2];
    char byte[1];
    if (pipe(ends) != 0)
        fail("pipe");
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[0], 0);
        close(ends[0]);
        close(ends[1]);
        become(argv);
    }
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    while (n-- > 0 && read(0, byte, 1) == 1 && write(ends[1], byte, 1) == 1)
        ;
    close(ends[1]);
    return status_of(child);
}

static int kill_after(long milliseconds, char **argv)
{
    struct timespec t = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    pid_t child = fork();
    if (child == 0)
        become(argv);
    nanosleep(&t, NULL);
    kill(child, SIGKILL);
    return status_of(child);
}

int main(int argc, char **argv)
{
    const char *kind = argc > 2 ? argv[1] : "";
    long number = argc > 3 ? atol(argv[2]) : 0;
    char **command = argv + (number > 0 || (argc > 2 && strcmp(argv[2], "0") == 0) ? 3 : 2);
    struct rlimit limit = {(rlim_t)number << 10, RLIM_INFINITY};
    if (strcmp(kind, "cut") == 0)
        return cut(number, command);
    if (strcmp(kind, "kill") == 0)
        return kill_after(number, command);
    if (strcmp(kind, "closed-stdin") == 0)
        close(0);
    else if (strcmp(kind, "closed-stdout") == 0)
        close(1);
    else if (strcmp(kind, "read-error") == 0)
        replace(0, "/proc/self/mem", O_RDONLY);
    else if (strcmp(kind, "broken-pipe") == 0)
        nobody_reads();
    else if (strcmp(kind, "full") == 0)
        replace(1, "/dev/full", O_WRONLY);
    else if (strcmp(kind, "memory") != 0 || setrlimit(RLIMIT_AS, &limit) != 0)
        fail("fault: what?");
    become(command);
}
