/*
** layers.cu: layers that pass through the device: one crosses the bus while another computes.
**
** What a layer asks for goes to a stream and a stack of its own, so no op knows of it. Two fences
** keep the order. The ops that follow wait for the layer to be there. And a layer waits until the
** ops of the layer whose place it takes, the last but one, are done: all that was asked for when
** the last layer began.
**
** A layer that is to come again and again waits in pinned memory, as one piece, and crosses without
** the host's help; what points into it is moved by whoever uses it.
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

layer_away layer_park(size_t mark)
{
    tensor end = scratch(U8, 0);
    layer_away a = {scratch_at(mark), nullptr, 0};
    a.bytes = (size_t)((char *)end.data - (char *)a.was);
    if (a.bytes) {
        a.host = device_pin(a.bytes);
        cuda_check(cudaMemcpyAsync(a.host, a.was, a.bytes, cudaMemcpyDeviceToHost, stream),
                   "move a layer to the host");
        device_wait();
    }
    scratch_reset(mark);
    return a;
}

static ptrdiff_t cross(void *to, const layer_away *a)
{
    cuda_check(cudaMemcpyAsync(to, a->host, a->bytes, cudaMemcpyHostToDevice, stream),
               "bring a layer");
    return (char *)to - (char *)a->was;
}

ptrdiff_t layer_bring(const layer_away *a)
{
    assert(compute);
    return cross(scratch(U8, a->bytes).data, a);
}

ptrdiff_t layer_settle(const layer_away *a)
{
    ptrdiff_t by = cross(device_keep(a->bytes, "a layer that stays"), a);
    device_wait();
    cuda_check(cudaFreeHost(a->host), "give back pinned memory");
    return by;
}
