/*
** tile_map.cu: makes tensor maps (CUtensorMap), which describe device memory to Hopper's copy engine
** (TMA). The driver's cuTensorMapEncodeTiled makes them. It is looked up at run time, so that
** programs are not linked with the driver, and start on machines without it.
*/
#include "hopper.cuh"

using encode_function = CUresult (*)(CUtensorMap *, CUtensorMapDataType, cuuint32_t, void *,
                                     const cuuint64_t *, const cuuint64_t *, const cuuint32_t *,
                                     const cuuint32_t *, CUtensorMapInterleave, CUtensorMapSwizzle,
                                     CUtensorMapL2promotion, CUtensorMapFloatOOBfill);

static encode_function find_encode()
{
    void *entry = nullptr;
    cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
#if CUDART_VERSION >= 12050
    cuda_check(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &entry, 12000,
                                                cudaEnableDefault, &found),
               "find cuTensorMapEncodeTiled");
#else
    cuda_check(cudaGetDriverEntryPoint("cuTensorMapEncodeTiled", &entry, cudaEnableDefault, &found),
               "find cuTensorMapEncodeTiled");
#endif
    if (found != cudaDriverEntryPointSuccess || !entry)
        die("the driver has no cuTensorMapEncodeTiled: it is older than CUDA 12");
    return (encode_function)entry;
}

CUtensorMap tile_map(tensor_type type, const void *data, int rank, const int64_t dim[],
                     const int64_t stride[], const int box[])
{
    static const encode_function encode = find_encode();
    size_t across = box[0] * type_size(type);
    assert(rank <= 5 && (across == 128 || across == 64));
    cuuint64_t dims[5], strides[5];
    cuuint32_t boxes[5], steps[5];
    for (int i = 0; i < rank; i++) {
        dims[i] = (cuuint64_t)dim[i];
        boxes[i] = (cuuint32_t)box[i];
        steps[i] = 1;
        if (i + 1 < rank)
            strides[i] = (cuuint64_t)stride[i];
    }
    CUtensorMap map;
    /* A copy does not depend on the meaning of the bits: BF16 is copied as F16, all codes as U8. */
    CUresult r = encode(&map,
                        type == F32            ? CU_TENSOR_MAP_DATA_TYPE_FLOAT32
                        : type_size(type) == 1 ? CU_TENSOR_MAP_DATA_TYPE_UINT8
                                               : CU_TENSOR_MAP_DATA_TYPE_FLOAT16,
                        (cuuint32_t)rank, (void *)data, dims, strides, boxes, steps,
                        CU_TENSOR_MAP_INTERLEAVE_NONE,
                        across == 128 ? CU_TENSOR_MAP_SWIZZLE_128B : CU_TENSOR_MAP_SWIZZLE_64B,
                        CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    if (r != CUDA_SUCCESS)
        die("cannot describe %s to the copy engine (error %d)", shape_text(rank, dim), (int)r);
    return map;
}
