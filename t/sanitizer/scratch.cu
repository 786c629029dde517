/*
** scratch.cu: kernels/cuda/scratch.cu as compute-sanitizer can see through it: every tensor has
** memory of its own, exactly as long as it is, which is new and not initialised each time.
**
** In one stack a kernel that reads beyond its operand reads another one, or what was left there by
** one before: neither is an error to the tool. Marks count tensors here, not bytes.
**
** With POISON in the environment memory begins as NaN of every type, so that what is read before it
** was written, by whatever means, shows in the results; without any tool.
*/
#include <cstdlib>
#include <vector>

#include "../../common/die.h"
#include "../../kernels/cuda/common.cuh"

struct stack {
    std::vector<void *> at;
    std::vector<size_t> bytes;
};
static stack stacks[STACKS], *now = stacks;
static size_t total; /* bytes of all */

void scratch_use(int which)
{
    now = &stacks[which];
    if (which != MAIN_STACK)
        scratch_reset(0);
}

size_t scratch_mark(void) { return now->at.size(); }

/* Layers that leave the device are one piece of the stack, which there is none of here. */
void *scratch_at(size_t mark)
{
    die("--memory is not for tensors that lie apart (mark %zu)", mark);
    return NULL;
}

void scratch_reset(size_t mark)
{
    assert(mark <= now->at.size());
    while (now->at.size() > mark) {
        cuda_check(cudaFree(now->at.back()), "free"); /* waits */
        total -= now->bytes.back();
        now->at.pop_back();
        now->bytes.pop_back();
    }
}

tensor scratch_tensor(tensor_type type, int rank, const int64_t *dim)
{
    device_open();
    tensor t = tensor_make(NULL, type, rank, dim);
    size_t bytes = tensor_bytes(t) ? tensor_bytes(t) : 1;
    cudaError_t e = cudaMalloc(&t.data, bytes);
    if (e == cudaErrorMemoryAllocation)
        out_of_memory(tensor_text(t), bytes);
    cuda_check(e, "get memory");
    if (getenv("POISON"))
        cuda_check(cudaMemsetAsync(t.data, 0xff, bytes, stream), "poison");
    now->at.push_back(t.data);
    now->bytes.push_back(bytes);
    total += bytes;
    device_count_bytes(total);
    return t;
}
