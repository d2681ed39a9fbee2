/* What an algorithm and a kernel are, for the files that write one and for those that run them. Not public. */
#ifndef MINER_KERNEL_H
#define MINER_KERNEL_H

#include "miner.h"

/* A header made ready once for a whole scan. */
typedef struct {
    uint32_t words[20];         /* the header as SHA-256's message words (each read big-endian); words[19] is the
                                   header's own nonce, and a scan puts each of its nonces in its place */
    uint32_t midstate[8];       /* SHA-256 state after words[0..15] */
    uint32_t target_top;        /* the target's most significant 32 bits; a lane is a candidate when its hash's
                                   most significant 32 bits are <= this */
} miner_prepared;

/* When to give up: *epoch != mine. */
typedef struct {
    const miner_epoch *epoch;
    uint64_t mine;
} miner_stop;

static inline int miner_stopped(const miner_stop *stop)
{
    return atomic_load_explicit(stop->epoch, memory_order_relaxed) != stop->mine;
}

/* An entry of algorithms.c. */
struct miner_algorithm {
    const char *name;
    const miner_kernel *const *kernels;         /* fastest first by expectation, the portable one last, then NULL */
    const char *everywhere;                     /* names of its kernels for any CPU, a space behind each */
    int (*valid)(miner_parameters p);
    const char *takes;                          /* what is valid, in words */

    /* The portable hash of a header, with the parameters of a scratch that is as large as the portable kernel's. 1, or
     * 0 when stopped before the end; stop may be NULL. */
    int (*hash)(const uint8_t header[80], const miner_scratch *s, const miner_stop *stop, uint8_t out[32]);

    /* For the self-test: a header in hex whose hash, with the usual parameters, starts with twelve zero bits or more;
     * and parameters that make a hash quick. */
    const char *known_header;
    miner_parameters usual, quick;
};

/* All algorithms, then NULL. */
extern const miner_algorithm *const miner_algorithm_table[];

struct miner_kernel {
    const char *name;
    const miner_algorithm *algorithm;
    unsigned lanes;                             /* L, 1 to 64 */
    uint32_t features;                          /* MINER_CPU_* bits, all of which the CPU must have */

    /* Scratch bytes for parameters that are valid; 0 if none is needed. */
    size_t (*scratch_size)(miner_parameters p);

    /* Hash `batches` batches of L nonces each, from `nonce` on (arithmetic mod 2^32: the caller masks what lies beyond
     * its range). Returns behind the first batch that has a candidate, or when stopped; the return value is the number
     * of batches hashed completely. *candidates: bit i is lane i of the last of these batches, and 0 if none was a
     * candidate. Must look at stop at least every quarter of a millisecond on a slow CPU, for scrypt with a large N
     * inside the hash. */
    uint64_t (*scan)(const miner_prepared *work, miner_scratch *s, uint32_t nonce, uint64_t batches,
                     const miner_stop *stop, uint64_t *candidates);
};

/* One bit for each instruction set extension that a kernel may ask for. */
enum {
    MINER_CPU_SSE2 = 1 << 0, MINER_CPU_SSE41 = 1 << 1, MINER_CPU_AVX2 = 1 << 2, MINER_CPU_SHANI = 1 << 3,
    MINER_CPU_AVX512 = 1 << 4 /* F, BW, VL and DQ, with zmm state enabled by the system */,
    MINER_CPU_NEON = 1 << 5, MINER_CPU_ARMV8_SHA2 = 1 << 6
};

#endif
