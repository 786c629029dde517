/*
** transfer.cu: between host and device, and from type to type.
**
** What comes from the host crosses in its stored type (send.cu) and is converted on the device.
** Floor of a conversion: bytes read and written over the copy rate.
*/
#include "common.cuh"

enum : int64_t { PART = 16 << 20 };

/* In parts that lie above the top of the stack. */
static void send_converted(tensor y, tensor host)
{
    int64_t count = tensor_count(host), most = PART / type_size(host.type);
    tensor whole = reshape(y, count);
    size_t mark = scratch_mark();
    int64_t part = count < most ? count : most;
    tensor raw = scratch(host.type, part);
    for (int64_t at = 0; at < count; at += part) {
        int64_t n = count - at < part ? count - at : part;
        device_send(raw.data, (const char *)host.data + at * type_size(host.type),
                    n * type_size(host.type));
        copy(slice(whole, at, n), slice(raw, 0, n));
    }
    scratch_reset(mark);
}

void device_upload(tensor y, tensor host)
{
    assert(tensor_contiguous(y) && tensor_contiguous(host));
    check_pair(tensor_count(y) == tensor_count(host), "upload", y, host);
    if (host.type == y.type)
        device_send(y.data, host.data, tensor_bytes(y));
    else if (is_float(host.type) && is_float(y.type))
        send_converted(y, host);
    else { /* F64 and integers, which are small: by the host, as F32 */
        tensor f = host;
        f.type = F32;
        f.data = new_bytes(tensor_bytes(f));
        host_convert(f, host);
        device_upload(y, f);
        free(f.data);
    }
}

tensor upload(tensor host, tensor_type type)
{
    tensor y = scratch_tensor(type, host.rank, host.dim);
    device_upload(y, host);
    return y;
}

void upload_into(tensor y, tensor host)
{
    check_pair(y.type == host.type && tensor_count(y) == tensor_count(host), "upload", y, host);
    assert(tensor_contiguous(y) && tensor_contiguous(host));
    device_send(y.data, host.data, tensor_bytes(y));
}

void download(tensor host, tensor x)
{
    check_pair(host.type == x.type && tensor_count(host) == tensor_count(x), "download", host, x);
    assert(tensor_contiguous(host));
    size_t size = type_size(x.type), width = tensor_width(x) * size;
    if (tensor_contiguous(x))
        cuda_check(
            cudaMemcpyAsync(host.data, x.data, tensor_bytes(x), cudaMemcpyDeviceToHost, stream),
            "fetch a result");
    else
        cuda_check(cudaMemcpy2DAsync(host.data, width, x.data, x.stride * size, width,
                                     tensor_rows(x), cudaMemcpyDeviceToHost, stream),
                   "fetch a result");
    device_wait();
}

/* A thread an element, or a chunk of eight where both sides allow it. */
template <class Y, class X>
__global__ void convert(Y *y, const X *x, int64_t width, int64_t y_stride, int64_t x_stride,
                        int64_t n)
{
    int64_t i = blockIdx.x * (int64_t)blockDim.x + threadIdx.x;
    if (i < n)
        y[i / width * y_stride + i % width] =
            from_f32<Y>(to_f32(x[i / width * x_stride + i % width]));
}

template <class Y, class X>
__global__ void convert8(Y *y, const X *x, int64_t width, int64_t y_stride, int64_t x_stride,
                         int64_t n)
{
    int64_t i = (blockIdx.x * (int64_t)blockDim.x + threadIdx.x) * 8;
    if (i >= n)
        return;
    float v[8];
    load8(v, x + i / width * x_stride + i % width);
    store8(y + i / width * y_stride + i % width, v);
}

void copy(tensor y, tensor x)
{
    check_pair(tensor_rows(y) == tensor_rows(x) && tensor_width(y) == tensor_width(x), "copy", y,
               x);
    int64_t n = tensor_count(x), width = tensor_width(x);
    if (n == 0)
        return;
    if (y.type == x.type && tensor_contiguous(y) && tensor_contiguous(x)) {
        cuda_check(
            cudaMemcpyAsync(y.data, x.data, tensor_bytes(x), cudaMemcpyDeviceToDevice, stream),
            "copy");
        return;
    }
    if (y.type == x.type) {
        size_t size = type_size(x.type);
        cuda_check(cudaMemcpy2DAsync(y.data, y.stride * size, x.data, x.stride * size, width * size,
                                     tensor_rows(x), cudaMemcpyDeviceToDevice, stream),
                   "copy");
        return;
    }
    if (tensor_contiguous(y) && tensor_contiguous(x)) { /* as one row, and its odd end */
        y = reshape(y, n), x = reshape(x, n);
        int64_t even = n / 8 * 8;
        if (even && even < n) {
            copy(slice(y, 0, even), slice(x, 0, even));
            y = slice(y, even, n - even), x = slice(x, even, n - even);
            n -= even;
        }
        width = n;
    }
    dispatch(y.type, [&](auto *yt) {
        dispatch(x.type, [&](auto *xt) {
            using Y = ELEMENT(yt);
            using X = ELEMENT(xt);
            if constexpr (!std::is_same_v<X, Y>) {
                if (chunks(y) && chunks(x))
                    convert8<<<ceil_div(n, 8 * 256), 256, 0, stream>>>(
                        (Y *)y.data, (const X *)x.data, width, y.stride, x.stride, n);
                else
                    convert<<<ceil_div(n, 256), 256, 0, stream>>>((Y *)y.data, (const X *)x.data,
                                                                  width, y.stride, x.stride, n);
            }
        });
    });
    LAUNCHED("copy");
}

void zero(tensor y)
{
    size_t size = type_size(y.type);
    if (tensor_count(y) == 0)
        return;
    cuda_check(tensor_contiguous(y)
                   ? cudaMemsetAsync(y.data, 0, tensor_bytes(y), stream)
                   : cudaMemset2DAsync(y.data, y.stride * size, 0, tensor_width(y) * size,
                                       tensor_rows(y), stream),
               "clear");
}
