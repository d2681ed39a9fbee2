/* scrypt, two sets of six hashes, two hashes to an AVX2 register.
 *
 * What bounds it: Salsa20/8 of six hashes is 552 operations, of which Zen 3 could do four a cycle (264 of them, shifts
 * and shuffles, two), 138 cycles; it takes 182 to 186 alone. Neither another order nor left shifts by the multiplier
 * (-4 to -10%) nor a fourth pair (-5%) brings that down. A hash in each lane needs no shuffles and is level with this
 * while the core has one thread (160 cycles for eight hashes by count, 214 taken: words go through memory), but where
 * two share it, it takes 300 to 390 for what this does in 245.
 *
 * From N = 2^14 on, where rows come from memory, hashes are 1.36 times as slow, for their N, as with N = 1024. Stores
 * past the cache bring 2% there, 4% at 2^16 and -18% at 2^10: not worth a second function. Keeping every second row
 * and computing the others again is half as many steps again, for six hashes at once: it has 0.72 of the rate at 2^14,
 * 0.76 at 2^16 and 0.79 at 2^18, with one CPU at work as with two. */
#include "isa.h"
#ifdef MINER_X86
#include <stddef.h>

#include "vec_avx2.h"

/* For romix_diagonals.h: to ^= (x + y) <<< left; a diagonal turned; a diagonal of two hashes to memory and back. */
#define SALSA_STEP(to, x, y, left, right)                                                                   \
    "vpaddd %[" x "], %[" y "], %[sum]\n\tvpslld $" left ", %[sum], %[high]\n\t"                            \
    "vpsrld $" right ", %[sum], %[sum]\n\tvpxor %[high], %[" to "], %[" to "]\n\t"                          \
    "vpxor %[sum], %[" to "], %[" to "]\n\t"
#define SALSA_TURN(x, order) "vpshufd $" order ", %[" x "], %[" x "]\n\t"

MINER_INLINE void register_store(V x, uint8_t *to, size_t stride)
{
    _mm_store_si128((__m128i *)to, _mm256_castsi256_si128(x));
    _mm_store_si128((__m128i *)(to + stride), _mm256_extracti128_si256(x, 1));
}

MINER_INLINE V register_load(uint8_t *const row[2], size_t at)
{
    __m128i one = _mm_load_si128((const __m128i *)(row[0] + at));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(one), _mm_load_si128((const __m128i *)(row[1] + at)), 1);
}

#include "romix_diagonals.h"
#include "scrypt_lanes.h"

SCRYPT_KERNEL(miner_scrypt_avx2, "avx2", MINER_CPU_AVX2);

MINER_ISA_END
#endif
