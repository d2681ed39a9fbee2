/* Vectors of eight lanes of 32 bits, with AVX2. vec_scalar.h says what each name means. Begins the instruction set:
 * the file that includes this ends with MINER_ISA_END. */
#ifndef MINER_VEC_H
#define MINER_VEC_H

#include "isa.h"
#include <stdint.h>
MINER_ISA_BEGIN("avx2")

#define LANES 8
typedef __m256i V;

MINER_INLINE V v_set1(uint32_t x) { return _mm256_set1_epi32((int)x); }
MINER_INLINE V v_lane_numbers(void) { return _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0); }
MINER_INLINE V v_add(V a, V b) { return _mm256_add_epi32(a, b); }
MINER_INLINE V v_xor(V a, V b) { return _mm256_xor_si256(a, b); }
MINER_INLINE V v_xor3(V a, V b, V c) { return v_xor(a, v_xor(b, c)); }
MINER_INLINE V v_choose(V mask, V yes, V no) { return v_xor(no, _mm256_and_si256(mask, v_xor(yes, no))); }
/* In SHA-256's next round b ^ c is this round's a ^ b: compilers compute it once for both. */
MINER_INLINE V v_majority(V a, V b, V c) { return v_xor(b, _mm256_and_si256(v_xor(a, b), v_xor(b, c))); }
MINER_INLINE V v_swap_bytes(V x)
{
    return _mm256_shuffle_epi8(x, _mm256_set_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203,
                                                   0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203));
}
/* Assembly, because gcc 12 would load the constant into a general register and broadcast it from there. */
MINER_INLINE V v_add_constant(V a, const uint32_t *x)
{
    V broadcast;
    __asm__("vpbroadcastd %1, %0" : "=x"(broadcast) : "m"(*x));
    return v_add(a, broadcast);
}
#define v_ror(x, n) _mm256_or_si256(_mm256_srli_epi32((x), (n)), _mm256_slli_epi32((x), 32 - (n)))
#define v_shr(x, n) _mm256_srli_epi32((x), (n))
#define v_shl(x, n) _mm256_slli_epi32((x), (n))
MINER_INLINE uint64_t v_at_most(V x, uint32_t limit)
{
    V le = _mm256_cmpeq_epi32(_mm256_min_epu32(x, v_set1(limit)), x);
    return (uint64_t)(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(le));
}

#endif
