/*
** vectorised.h: loops compiled for more than one processor.
*/
#ifndef VECTORISED_H
#define VECTORISED_H

/* A function of one row, compiled for AVX-512, for AVX2 and for any x86-64; the loader chooses, so
 * binaries stay portable. (By feature: a clone for arch=haswell runs on that maker's alone.) All
 * give the same bits: products and sums are not contracted, and sums are of lanes that do not
 * depend on the processor. Not under a sanitizer, whose memory is set up after the choice. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) &&       \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define VECTORISED __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define VECTORISED
#endif

/* Before a loop of a known, small number of turns, whose arrays are to be registers. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* For what such loops call: a clone does not vectorise over a call. */
#define INLINE static inline __attribute__((always_inline))

#endif
