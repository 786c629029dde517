/*
** die-together: many threads die at one moment. One line must be said, and the status be 1.
*/
#include <pthread.h>

#include "../../common/die.h"

enum { THREADS = 32 };

static pthread_barrier_t all;

static void *end(void *number)
{
    pthread_barrier_wait(&all);
    die("out of memory in thread %d", *(int *)number);
}

int main(int argc, char **argv)
{
    static pthread_t thread[THREADS];
    static int number[THREADS];
    (void)argc;
    program_name_set(argv[0]);
    pthread_barrier_init(&all, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        number[i] = i;
        if (pthread_create(&thread[i], NULL, end, &number[i]) != 0)
            return 77;
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    return 0;
}
