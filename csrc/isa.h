/* The instruction set of one kernel file, set inside the file: MINER_ISA_BEGIN("avx2") after the last system header,
 * MINER_ISA_END at the end of the file. The rest of the library stays runnable on every CPU. */
#ifndef MINER_ISA_H
#define MINER_ISA_H

#if defined(__x86_64__) || defined(_M_X64)
#define MINER_X86 1
#include <immintrin.h>
#endif
#if defined(__aarch64__)
#define MINER_ARM64 1
#include <arm_neon.h>
#endif

#define MINER_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define MINER_ISA_BEGIN(isa) MINER_PRAGMA(clang attribute push(__attribute__((target(isa))), apply_to = function))
#define MINER_ISA_END MINER_PRAGMA(clang attribute pop)
#else
#define MINER_ISA_BEGIN(isa) MINER_PRAGMA(GCC push_options) MINER_PRAGMA(GCC target(isa))
#define MINER_ISA_END MINER_PRAGMA(GCC pop_options)
#endif

/* For the rest of the file, options of gcc's optimiser: a kernel switches off a pass that makes it slower. */
#if defined(__GNUC__) && !defined(__clang__)
#define MINER_GCC_OPTIONS(...) MINER_PRAGMA(GCC optimize(__VA_ARGS__))
#else
#define MINER_GCC_OPTIONS(...)
#endif

#define MINER_INLINE static inline __attribute__((always_inline))

#endif
