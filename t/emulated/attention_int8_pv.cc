/*
** attention_int8_pv.cc: kernels/cuda/attention_int8_pv.cu lane by lane (cuda.h).
*/
#define __shared__
#include "cuda.h"

#include "../../kernels/cuda/attention_int8_pv.cu"

namespace
{
alignas(1024) uint4 shared[(256 << 10) / sizeof(uint4)];
}
