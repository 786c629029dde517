/*
** scratch.cu: kernels/cuda/scratch.cu as compute-sanitizer can see through it: every tensor has
** memory of its own, exactly as long as it is, which is new and not initialised each time.
**
** In one stack a kernel that reads beyond its operand reads another one, or what was left there by
** one before: neither is an error to the tool. Marks count tensors here, not bytes.
*/
#include <vector>

#include "../../kernels/cuda/common.cuh"

static struct {
    std::vector<void *> at;
    std::vector<size_t> bytes;
    size_t total;
} stack;

size_t scratch_mark(void) { return stack.at.size(); }

void scratch_reset(size_t mark)
{
    assert(mark <= stack.at.size());
    while (stack.at.size() > mark) {
        cuda_check(cudaFree(stack.at.back()), "free"); /* waits */
        stack.total -= stack.bytes.back();
        stack.at.pop_back();
        stack.bytes.pop_back();
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
    stack.at.push_back(t.data);
    stack.bytes.push_back(bytes);
    stack.total += bytes;
    device_count_bytes(stack.total);
    return t;
}
