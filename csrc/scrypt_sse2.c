/* scrypt, two sets of three hashes, one hash to an SSE register.
 *
 * Bound by the number of instructions: 1.22 million a hash. Two of seven are copies, for an SSE operation overwrites an
 * operand. With a hash in each lane it is 1.39 million, and that was 16% and 33% slower (medians of two runs on a busy
 * Zen 3). */
#include "isa.h"
#ifdef MINER_X86
#include <stddef.h>

#include "vec_sse2.h"

/* For romix_diagonals.h: to ^= (x + y) <<< left; a diagonal turned; a diagonal to memory and back. */
#define SALSA_STEP(to, x, y, left, right)                                                                   \
    "movdqa %[" x "], %[sum]\n\tpaddd %[" y "], %[sum]\n\tmovdqa %[sum], %[high]\n\t"                       \
    "pslld $" left ", %[high]\n\tpsrld $" right ", %[sum]\n\t"                                              \
    "pxor %[high], %[" to "]\n\tpxor %[sum], %[" to "]\n\t"
#define SALSA_TURN(x, order) "pshufd $" order ", %[" x "], %[" x "]\n\t"

MINER_INLINE void register_store(V x, uint8_t *to, size_t stride)
{
    (void)stride;
    _mm_store_si128((V *)to, x);
}

MINER_INLINE V register_load(uint8_t *const row[1], size_t at)
{
    return _mm_load_si128((const V *)(row[0] + at));
}

#include "romix_diagonals.h"
#include "scrypt_lanes.h"

SCRYPT_KERNEL(miner_scrypt_sse2, "sse2", MINER_CPU_SSE2);

MINER_ISA_END
#endif
