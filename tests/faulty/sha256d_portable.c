/* The portable sha256d kernel, which on one CPU errs once in a million hashes: on the CPU whose number the environment's
 * MINER_FAULTY_CPU is. Built in place of csrc's own file of this name. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>

#define miner_sha256d_portable miner_sound_kernel
#include "../../csrc/sha256d_portable.c"
#undef miner_sha256d_portable

enum { ONE_IN = 1000000 };
static _Atomic uint64_t hashed;     /* on that CPU, by all threads */

static uint64_t faulty_scan(const miner_prepared *work, miner_scratch *s, uint32_t nonce, uint64_t batches,
                            const miner_stop *stop, uint64_t *candidates)
{
    const char *faulty = getenv("MINER_FAULTY_CPU");
    if (!faulty || atoi(faulty) != sched_getcpu())
        return sha256d_lanes_scan(work, s, nonce, batches, stop, candidates);
    uint64_t sound = ONE_IN - 1 - hashed % ONE_IN, scanned;
    if (sound > 0) {
        scanned = sha256d_lanes_scan(work, s, nonce, batches < sound ? batches : sound, stop, candidates);
    } else {
        scanned = sha256d_lanes_scan(work, s, nonce, 1, stop, candidates);
        *candidates ^= scanned;
    }
    hashed += scanned;
    return scanned;
}

_Static_assert(LANES == 1, "a batch is a hash");
SHA256D_KERNEL(miner_sha256d_portable, "portable", 0, LANES, faulty_scan);
