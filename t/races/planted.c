/*
** planted.c: a program with a data race, by which t/races/check shows that races are found: all
** threads add to one element. With an argument each adds to its own, and there is no race.
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
