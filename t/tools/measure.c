/*
** measure FILE COMMAND...: runs the command and writes to FILE how many milliseconds of processors'
** time it took and how many kilobytes of memory it had at most: "12 3456". Ends as the command does;
** with 128 and the signal's number if one killed it.
*/
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static double milliseconds(struct timeval t)
{
    return 1e3 * (double)t.tv_sec + 1e-3 * (double)t.tv_usec;
}

int main(int argc, char **argv)
{
    struct rusage use;
    int status;
    if (argc < 3) {
        fprintf(stderr, "usage: measure FILE COMMAND...\n");
        return 2;
    }
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &use) != child) {
        perror("measure");
        return 2;
    }
    FILE *f = fopen(argv[1], "w");
    if (!f ||
        fprintf(f, "%.0f %ld\n", milliseconds(use.ru_utime) + milliseconds(use.ru_stime),
                use.ru_maxrss) < 0 ||
        fclose(f) != 0) {
        perror(argv[1]);
        return 2;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
