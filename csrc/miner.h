/* The C core of miner: proof-of-work search on CPUs. No Python, no sockets, no mutable globals, and no allocation
 * that the caller did not ask for by name. This file is the whole public API, for C11 and C++11; kernel.h is for the
 * kernels alone.
 *
 * Byte order: a header is the 80 bytes that are hashed (Bitcoin's serialisation; the nonce is little-endian at offset
 * 76). A hash and a target are 32 bytes, least significant byte first: SHA-256's digest is read as a little-endian
 * number. A target is met when hash <= target. */
#ifndef MINER_H
#define MINER_H

#include <stddef.h>
#include <stdint.h>

/* A counter that the caller advances when there is new work. It only grows, so that no restart is ever lost. */
#ifdef __cplusplus
#include <atomic>
typedef std::atomic<uint64_t> miner_epoch;
static_assert(sizeof(miner_epoch) == sizeof(uint64_t), "an atomic number must look as it does in C");
extern "C" {
#else
#include <stdatomic.h>
typedef _Atomic uint64_t miner_epoch;
#endif

/* A proof of work, such as scrypt. Immutable, lives for ever. */
typedef struct miner_algorithm miner_algorithm;

/* What one thread computes with: an algorithm for one instruction set. Immutable, lives for ever. */
typedef struct miner_kernel miner_kernel;

/* An algorithm's parameters, in its own order (scrypt: N; sha256d has none). Values that it has no use for are 0. */
enum { MINER_PARAMETERS = 4 };
typedef struct {
    uint32_t value[MINER_PARAMETERS];
} miner_parameters;

/* Memory of one thread, see miner_scratch_alloc. */
typedef struct {
    void *memory;                   /* 2 MiB aligned where the system allows; NULL if the kernel needs none */
    size_t size;                    /* bytes */
    miner_parameters parameters;    /* those that a search with this memory hashes with */
    int huge;                       /* 1 if the system was asked for huge pages and did not refuse */
} miner_scratch;

typedef struct {
    uint32_t nonce;
    uint8_t hash[32];   /* as computed by the portable code */
} miner_hit;

/* What functions that can fail return: errors are negative. */
enum { MINER_OK = 0, MINER_STOPPED = 1, MINER_EINVAL = -1, MINER_ENOMEM = -2, MINER_ESELFTEST = -3 };

/* Algorithms. */

/* Every algorithm of this build. Writes at most max, returns how many there are. */
size_t miner_algorithms(const miner_algorithm **out, size_t max);

/* The algorithm of that name ("sha256d", "scrypt"), or NULL. */
const miner_algorithm *miner_algorithm_by_name(const char *name);

const char *miner_algorithm_name(const miner_algorithm *a);

/* Which parameters are valid, in words, as an error message has them after "scrypt takes …". */
const char *miner_algorithm_takes(const miner_algorithm *a);

/* The parameters that the self-test's known header was mined with: what its chains use. */
miner_parameters miner_algorithm_usual(const miner_algorithm *a);

/* One hash of a header by the portable code, for checks. MINER_OK, MINER_EINVAL (parameters) or MINER_ENOMEM. */
int miner_hash(const miner_algorithm *a, miner_parameters p, const uint8_t header[80], uint8_t out[32]);

/* SHA-256 of SHA-256 of len bytes, by the portable code. */
void miner_sha256d(const uint8_t *data, size_t len, uint8_t out[32]);

/* Kernels. */

/* Every kernel of an algorithm that this CPU and operating system can run (cpuid and xgetbv), fastest first by
 * expectation; the portable kernel is always there and last. Writes at most max, returns how many there are. */
size_t miner_kernels(const miner_algorithm *a, const miner_kernel **out, size_t max);

/* The algorithm's runnable kernel of that name, or NULL. */
const miner_kernel *miner_kernel_by_name(const miner_algorithm *a, const char *name);

/* Names of the algorithm's kernels on any CPU, whether this build has them or not, each followed by a space. */
const char *miner_kernels_everywhere(const miner_algorithm *a);

const char *miner_kernel_name(const miner_kernel *k);       /* "portable", "avx2", … */
unsigned miner_kernel_lanes(const miner_kernel *k);         /* nonces hashed side by side, 1 to 64 */

/* Known answers through the kernel itself, every lane. MINER_OK, MINER_ESELFTEST, or MINER_ENOMEM. */
int miner_selftest(const miner_kernel *k);

/* Scratch. */

/* Bytes of memory that one thread of k takes with these parameters, in whole pages. 0: none. SIZE_MAX: the algorithm
 * has no such parameters. */
size_t miner_scratch_size(const miner_kernel *k, miner_parameters p);

/* Map that memory. MINER_OK, MINER_EINVAL (parameters) or MINER_ENOMEM; after an error s holds nothing. */
int miner_scratch_alloc(miner_scratch *s, const miner_kernel *k, miner_parameters p);

/* Have the system supply every page of it now, near the CPU of the calling thread. Otherwise a search would wait for
 * each page when it first writes there: some 10 ms for a huge page a lane, in which it does not look at the epoch. */
void miner_scratch_touch(miner_scratch *s);

/* Unmap the memory. What holds nothing may be freed as well. */
void miner_scratch_free(miner_scratch *s);

/* Search. */

/* Scan `count` nonces from `first` on (first + count <= 2^32). Hits come in ascending order, each hashed again by the
 * portable code. Returns early
 *   - when *epoch differs from my_epoch: MINER_STOPPED;
 *   - when the hit list might not take the next batch's hits: MINER_OK. So max_hits = lanes comes back with the first
 *     hit. A list shorter than the lanes is filled, and the nonces behind its last entry are left for the next call.
 * MINER_EINVAL: the range or max_hits is wrong, or s was not made for k.
 * *hashes_done says how many nonces from `first` on are done, exactly: the next call starts at first + *hashes_done.
 * in: k, s (made for k), header, target, first, count, epoch; out: hits[0 .. *n_hits), n_hits, hashes_done. */
int miner_search(const miner_kernel *k, miner_scratch *s, const uint8_t header[80], const uint8_t target[32],
                 uint32_t first, uint64_t count, const miner_epoch *epoch, uint64_t my_epoch,
                 miner_hit *hits, size_t max_hits, size_t *n_hits, uint64_t *hashes_done);

/* Screening. A kernel says of each nonce one thing: whether the most significant 32 bits of its hash are at most the
 * target's. These two compare what it says of every nonce, hit or not, with what the portable code says. */

/* What a kernel said of a nonce, where the portable code says the opposite. */
typedef struct {
    uint32_t nonce;
    uint32_t target_top;    /* the target's most significant 32 bits */
    int hit;                /* what the kernel said: 1 at most the target, 0 above it */
} miner_mismatch;

/* The most significant 32 bits of the portable hashes of `count` nonces from `first` on (first + count <= 2^32).
 * MINER_OK; MINER_EINVAL: the range is wrong, or s was not made for k; MINER_STOPPED when *epoch differs from
 * my_epoch: then tops are of no use.
 * in: k, a kernel of the algorithm, s (made for k), header, first, count, epoch; out: tops[0 .. count). */
int miner_tops(const miner_kernel *k, const miner_scratch *s, const uint8_t header[80], uint32_t first, uint32_t count,
               const miner_epoch *epoch, uint64_t my_epoch, uint32_t *tops);

/* Have the kernel scan `count` nonces from `first` on (first + count <= 2^32), once with each target, and compare.
 * targets[] are their most significant 32 bits. MINER_OK; MINER_STOPPED when *epoch differs from my_epoch;
 * MINER_EINVAL: the range is wrong, or s was not made for k. *n_mismatches counts all, also those behind the `max` that
 * are told; *hashes_done counts each nonce once for each target. A batch whose targets are each top of its lanes, and
 * each top less 1, is compared in all 32 bits.
 * in: k, s (made for k), header, first, count, tops[0 .. count) by miner_tops, targets, epoch; out: the rest. */
int miner_compare(const miner_kernel *k, miner_scratch *s, const uint8_t header[80], uint32_t first, uint32_t count,
                  const uint32_t *tops, const uint32_t *targets, size_t n_targets, const miner_epoch *epoch,
                  uint64_t my_epoch, miner_mismatch *out, size_t max, size_t *n_mismatches, uint64_t *hashes_done);

/* Measuring. */

/* Keep the CPU busy for this many of its clock's cycles, by additions each of which waits for the one before. 1, or 0
 * where the instruction set is not known and nothing was done. */
int miner_spin(uint64_t cycles);

/* Nanoseconds of the clock that Python's time.perf_counter() reads. */
uint64_t miner_nanoseconds(void);

#ifdef __cplusplus
}
#endif
#endif
