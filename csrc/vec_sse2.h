/* Vectors of four lanes of 32 bits, with SSE2. vec_scalar.h says what each name means. Begins the instruction set,
 * MINER_VEC_ISA where the file that includes this has defined a larger one: that file ends with MINER_ISA_END. */
#ifndef MINER_VEC_H
#define MINER_VEC_H

#include "isa.h"
#include <stdint.h>
#ifndef MINER_VEC_ISA
#define MINER_VEC_ISA "sse2"
#endif
MINER_ISA_BEGIN(MINER_VEC_ISA)

#define LANES 4
typedef __m128i V;

MINER_INLINE V v_set1(uint32_t x) { return _mm_set1_epi32((int)x); }
MINER_INLINE V v_lane_numbers(void) { return _mm_set_epi32(3, 2, 1, 0); }
MINER_INLINE V v_add(V a, V b) { return _mm_add_epi32(a, b); }
MINER_INLINE V v_xor(V a, V b) { return _mm_xor_si128(a, b); }
MINER_INLINE V v_add_constant(V a, const uint32_t *x) { return v_add(a, v_set1(*x)); }
MINER_INLINE V v_xor3(V a, V b, V c) { return v_xor(a, v_xor(b, c)); }
MINER_INLINE V v_choose(V mask, V yes, V no) { return v_xor(no, _mm_and_si128(mask, v_xor(yes, no))); }
/* In SHA-256's next round b ^ c is this round's a ^ b: compilers compute it once for both. */
MINER_INLINE V v_majority(V a, V b, V c) { return v_xor(b, _mm_and_si128(v_xor(a, b), v_xor(b, c))); }
#define v_ror(x, n) _mm_or_si128(_mm_srli_epi32((x), (n)), _mm_slli_epi32((x), 32 - (n)))
#define v_shr(x, n) _mm_srli_epi32((x), (n))
#define v_shl(x, n) _mm_slli_epi32((x), (n))
MINER_INLINE V v_swap_bytes(V x)
{
    V halves = _mm_or_si128(_mm_srli_epi16(x, 8), _mm_slli_epi16(x, 8));
    return _mm_or_si128(_mm_srli_epi32(halves, 16), _mm_slli_epi32(halves, 16));
}
MINER_INLINE uint64_t v_at_most(V x, uint32_t limit)
{
    /* SSE2 compares signed numbers only: with both top bits flipped, the order is that of unsigned ones. */
    V top = v_set1(0x80000000), above = _mm_cmpgt_epi32(v_xor(x, top), v_xor(v_set1(limit), top));
    return (uint64_t)(unsigned)_mm_movemask_ps(_mm_castsi128_ps(above)) ^ 0xf;
}

#endif
