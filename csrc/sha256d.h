/* What all sha256d kernels have in common. */
#ifndef MINER_SHA256D_H
#define MINER_SHA256D_H

#include "isa.h"
#include "kernel.h"

extern const miner_algorithm miner_sha256d_algorithm;

/* Batches between two looks at the epoch: below a quarter of a millisecond even at 0.3 MH/s and one lane. */
enum { SHA256D_STOP_EVERY = 64 };

/* Both blocks are padded with a 1 bit, zeros, and the length in bits of what was hashed. */
#define SHA256D_ONE_BIT 0x80000000u
#define SHA256D_FIRST_BITS (80u * 8)
#define SHA256D_SECOND_BITS (32u * 8)

static inline size_t sha256d_no_scratch(miner_parameters p)
{
    (void)p;
    return 0;
}

#define SHA256D_KERNEL(symbol, kernel_name, cpu_features, kernel_lanes, kernel_scan)                            \
    const miner_kernel symbol = {                                                                               \
        .name = kernel_name, .algorithm = &miner_sha256d_algorithm, .lanes = kernel_lanes,                      \
        .features = cpu_features,                                                                               \
        .scratch_size = sha256d_no_scratch, .scan = kernel_scan,                                                \
    }

#endif
