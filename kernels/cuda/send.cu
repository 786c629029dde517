/*
** send.cu: host memory to the device, as fast as the bus takes it.
**
** Host memory here is mostly a mapped file: pages that may not be there yet and that the bus cannot
** read by itself. So the bytes go through pinned buffers. One thread copies 6.7 GB/s out of the
** page cache and the bus takes 55, so a crew of threads takes pieces in turn, each with two buffers
** of its own: one fills while the other crosses.
** Small parameters lie side by side in one buffer: they wait for nothing that crosses.
** Floor: bytes over the bus. Measured: PERFORMANCE.md.
*/
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#include "common.cuh"

namespace
{

enum : size_t { BUFFER = 1 << 20, LEAST_PIECE = 256 << 10, ALIGN = 64 };
enum { MOST_THREADS = 12 }; /* of 16 cores: more do not help */

/* What a thread carries with: it writes one buffer while the other crosses. */
struct carrier {
    char *buffer[2];
    cudaEvent_t crossed[2];
    cudaStream_t way; /* of all that is in the buffer being written */
    size_t used;      /* of that buffer */
    int turn;
};

struct job {
    char *to;
    const char *from;
    size_t bytes, piece;
    std::atomic<size_t> taken{0}, done{0}; /* bytes */
    std::atomic<cudaError_t> error{cudaSuccess};
};

/* Never destroyed: its threads wait here when the program ends. */
struct crew {
    int threads; /* the caller's is one of them */
    carrier *each;
    std::mutex lock;
    std::condition_variable begin;
    std::atomic<unsigned> jobs{0};
    std::shared_ptr<job> last; /* one who wakes up late may find it done, and a newer one begun */
};

/* n <= BUFFER bytes. An error is returned: of several threads that see one, one is to say so. */
cudaError_t carry(carrier *c, void *to, const void *from, size_t n)
{
    cudaError_t e = cudaSuccess;
    if (c->way != stream || c->used + n > BUFFER) {
        c->turn ^= 1, c->used = 0, c->way = stream;
        e = cudaEventSynchronize(c->crossed[c->turn]);
    }
    char *at = c->buffer[c->turn] + c->used;
    c->used += (n + ALIGN - 1) / ALIGN * ALIGN;
    memcpy(at, from, n);
    if (e == cudaSuccess)
        e = cudaMemcpyAsync(to, at, n, cudaMemcpyHostToDevice, stream);
    return e == cudaSuccess ? cudaEventRecord(c->crossed[c->turn], stream) : e;
}

void carry_pieces(carrier *c, job *j)
{
    for (size_t at; (at = j->taken.fetch_add(j->piece)) < j->bytes;) {
        size_t n = j->bytes - at < j->piece ? j->bytes - at : j->piece;
        cudaError_t e = carry(c, j->to + at, j->from + at, n);
        if (e != cudaSuccess)
            j->error = e;
        j->done += n;
    }
}

/* While a model is loaded the next job is microseconds away, and waking up takes longer. */
void spin_for_job(const crew *w, unsigned seen)
{
    using clock = std::chrono::steady_clock;
    for (auto end = clock::now() + std::chrono::microseconds(200); clock::now() < end;) {
        if (w->jobs != seen)
            return;
        std::this_thread::yield();
    }
}

void work(crew *w, carrier *c)
{
    cudaSetDevice(device_number); /* where this fails, so will what follows */
    for (unsigned seen = 0;;) {
        spin_for_job(w, seen);
        std::unique_lock<std::mutex> hold(w->lock);
        w->begin.wait(hold, [&] { return w->jobs != seen; });
        seen = w->jobs;
        std::shared_ptr<job> j = w->last;
        hold.unlock();
        carry_pieces(c, j.get());
    }
}

crew *hire()
{
    int cores = (int)std::thread::hardware_concurrency();
    crew *w = new crew;
    w->threads = cores < 1 ? 1 : cores > MOST_THREADS ? MOST_THREADS : cores;
    w->each = new carrier[w->threads]();
    char *pinned = (char *)device_pin(w->threads * 2 * BUFFER);
    for (int i = 0; i < w->threads; i++)
        for (int k = 0; k < 2; k++, pinned += BUFFER) {
            w->each[i].buffer[k] = pinned;
            cuda_check(cudaEventCreateWithFlags(&w->each[i].crossed[k], cudaEventDisableTiming),
                       "make an event");
        }
    try {
        for (int i = 1; i < w->threads; i++)
            std::thread(work, w, w->each + i).detach();
    } catch (const std::system_error &) { /* the system has no more: those that are there do it */
    }
    return w;
}

void carry_together(crew *w, char *to, const char *from, size_t n)
{
    size_t piece = (n / w->threads + ALIGN - 1) / ALIGN * ALIGN;
    piece = piece < LEAST_PIECE ? LEAST_PIECE : piece > BUFFER ? BUFFER : piece;
    std::shared_ptr<job> j = std::make_shared<job>();
    j->to = to, j->from = from, j->bytes = n, j->piece = piece;
    {
        std::lock_guard<std::mutex> hold(w->lock);
        w->last = j;
        w->jobs++;
    }
    w->begin.notify_all();
    carry_pieces(w->each, j.get());
    while (j->done < n)
        std::this_thread::yield();
    cuda_check(j->error, "send");
}

} // namespace

void device_send(void *to, const void *from, size_t n)
{
    static crew *w = hire();
    if (n <= 2 * LEAST_PIECE)
        cuda_check(carry(w->each, to, from, n), "send");
    else
        carry_together(w, (char *)to, (const char *)from, n);
}
