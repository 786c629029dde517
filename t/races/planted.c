/*
** planted.c: a race, so that t/races/check shows that races are found: all threads count in one
** place. With an argument each has its own, and there is none.
*/
#include <stdio.h>

int main(int argc, char **argv)
{
    int counted[64] = {0}, spread = argc > 1, sum = 0;
    (void)argv;
#pragma omp parallel for
    for (int i = 0; i < 64; i++)
        counted[spread ? i : 0] += i;
    for (int i = 0; i < 64; i++)
        sum += counted[i];
    printf("%d\n", sum);
    return 0;
}
