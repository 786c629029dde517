/*
** layers.cu: layers that pass through the device: one crosses the bus while another computes.
**
** What a layer asks for goes to a stream and a stack of its own, so no op knows of it. Two fences
** keep the order. The ops that follow wait for the layer to be there. And a layer waits until the
** ops of the layer whose place it takes, the last but one, are done: all that was asked for when
** the last layer began.
*/
#include "common.cuh"

static cudaStream_t way, compute;
static cudaEvent_t begun[2], arrived; /* begun: the ops that were asked for before layer i */

static void make_event(cudaEvent_t *e)
{
    cuda_check(cudaEventCreateWithFlags(e, cudaEventDisableTiming), "make an event");
}

void layer_begin(int i)
{
    assert(!compute);
    if (!way) {
        device_open();
        cuda_check(cudaStreamCreateWithFlags(&way, cudaStreamNonBlocking), "make a stream");
        make_event(&begun[0]), make_event(&begun[1]), make_event(&arrived);
    }
    cuda_check(cudaEventRecord(begun[i & 1], stream), "begin a layer");
    cuda_check(cudaStreamWaitEvent(way, begun[i == 0 ? 0 : (i - 1) & 1], 0), "begin a layer");
    compute = stream;
    stream = way;
    scratch_use(LAYER_STACKS + (i & 1));
}

void layer_end(void)
{
    assert(compute);
    stream = compute;
    compute = nullptr;
    cuda_check(cudaEventRecord(arrived, way), "end a layer");
    cuda_check(cudaStreamWaitEvent(stream, arrived, 0), "end a layer");
    scratch_use(MAIN_STACK);
}
