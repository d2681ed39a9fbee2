/* The C core of miner: proof-of-work search on CPUs. No Python, no sockets, no mutable globals, and no allocation
 * that the caller did not ask for by name. This file is the whole public API; kernel.h is for the kernels alone.
 *
 * Byte order: a header is the 80 bytes that are hashed (Bitcoin's serialisation; the nonce is little-endian at offset 76).
 * A hash and a target are 32 bytes, least significant byte first, the order in which SHA-256's digest is compared with
 * a block's target. A target is met when hash <= target. */
#ifndef MINER_H
#define MINER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { MINER_SHA256D = 0, MINER_SCRYPT = 1 } miner_algorithm;

/* What one thread computes with: an algorithm for one instruction set. Immutable, lives for ever. */
typedef struct miner_kernel miner_kernel;

/* Memory of one thread, see miner_scratch_alloc. */
typedef struct {
    void *memory;       /* 2 MiB aligned where the system allows; NULL if the kernel needs none */
    size_t size;        /* bytes */
    uint32_t n;         /* scrypt's N; 0 for sha256d */
    int huge;           /* 1 if the system was asked for huge pages and did not refuse */
} miner_scratch;

typedef struct {
    uint32_t nonce;
    uint8_t hash[32];   /* as computed by the portable code */
} miner_hit;

enum { MINER_OK = 0, MINER_STOPPED = 1, MINER_EINVAL = -1, MINER_ENOMEM = -2, MINER_ESELFTEST = -3 };

/* Kernels. */

/* Every kernel of an algorithm that this CPU and operating system can run (cpuid and xgetbv), fastest first by
 * expectation; the portable kernel is always there and last. Writes at most max, returns how many there are. */
size_t miner_kernels(miner_algorithm algorithm, const miner_kernel **out, size_t max);

/* The runnable kernel of that name, or NULL. */
const miner_kernel *miner_kernel_by_name(miner_algorithm algorithm, const char *name);

const char *miner_kernel_name(const miner_kernel *k);       /* "portable", "avx2", … */
unsigned miner_kernel_lanes(const miner_kernel *k);         /* nonces hashed side by side, 1 to 64 */

/* Known answers through the kernel itself, every lane. MINER_OK, MINER_ESELFTEST, or MINER_ENOMEM. */
int miner_selftest(const miner_kernel *k);

/* Scratch. */

/* Bytes that k takes for scrypt's N (a power of two, 2 to 2^20; 0 for sha256d), in whole pages. 0: none. SIZE_MAX: N is
 * not valid. */
size_t miner_scratch_size(const miner_kernel *k, uint32_t n);

/* Map that memory. MINER_OK, MINER_EINVAL or MINER_ENOMEM; after an error s holds nothing. */
int miner_scratch_alloc(miner_scratch *s, const miner_kernel *k, uint32_t n);

/* Have the system supply every page of it now, near the CPU of the calling thread. Otherwise a search would wait for
 * each page when it first writes there: some 10 ms for a huge page a lane, in which it does not look at the epoch. */
void miner_scratch_touch(miner_scratch *s);
void miner_scratch_free(miner_scratch *s);

/* Search. */

/* Scan `count` nonces from `first` on (first + count <= 2^32). Hits come in ascending order, each re-hashed by the
 * portable code. Returns early
 *   - when *epoch differs from my_epoch (new work: the counter only grows, so no restart is ever lost): MINER_STOPPED;
 *   - when the hit list might not take the next batch's hits: MINER_OK. So max_hits = lanes comes back with the first
 *     hit. A list shorter than the lanes is filled, and the nonces behind its last entry are left for the next call.
 * *hashes_done says how many nonces from `first` on are done, exactly: the next call starts at first + *hashes_done.
 * in: k, s (made for k), header, target, first, count, epoch; out: hits[0 .. *n_hits), n_hits, hashes_done. */
int miner_search(const miner_kernel *k, miner_scratch *s, const uint8_t header[80], const uint8_t target[32],
                 uint32_t first, uint64_t count, const _Atomic uint64_t *epoch, uint64_t my_epoch,
                 miner_hit *hits, size_t max_hits, size_t *n_hits, uint64_t *hashes_done);

/* One hash by the portable code, for checks. n: scrypt's N. MINER_OK, MINER_EINVAL or MINER_ENOMEM. */
void miner_sha256d(const uint8_t *data, size_t len, uint8_t out[32]);
int miner_scrypt(const uint8_t header[80], uint32_t n, uint8_t out[32]);

/* Measuring. */

/* Keep the CPU busy for as many of its clock's cycles, by additions each of which waits for the one before. 1, or 0
 * where the instruction set is not known and nothing was done. */
int miner_spin(uint64_t cycles);

/* What the clock shows that Python's time.perf_counter() reads. */
uint64_t miner_nanoseconds(void);

#ifdef __cplusplus
}
#endif
#endif
