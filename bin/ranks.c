/*
** ranks.c: memory that all ranks share is made first, then the ranks, and each takes its place.
*/
#include "ranks.h"

#include "../common/launch.h"
#include "../kernels/kernels.h"

int ranks_start(int count)
{
    if (count == 1)
        return 0;
    void *shared = ranks_share(count);
    int rank = launch(count);
    ranks_join(rank, count, shared);
    return rank;
}
