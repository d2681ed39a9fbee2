/* Vectors of sixteen lanes of 32 bits, with AVX-512. vec_scalar.h says what each name means. Begins the instruction
 * set: the file that includes this ends with MINER_ISA_END. */
#ifndef MINER_VEC_H
#define MINER_VEC_H

#include "isa.h"
#include <stdint.h>
#ifndef MINER_VEC_ISA
#define MINER_VEC_ISA "avx512f,avx512bw,avx512vl,avx512dq,avx2,bmi2"
#endif
MINER_ISA_BEGIN(MINER_VEC_ISA)

#define LANES 16
typedef __m512i V;

MINER_INLINE V v_set1(uint32_t x) { return _mm512_set1_epi32((int)x); }
MINER_INLINE V v_lane_numbers(void)
{
    return _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
}
MINER_INLINE V v_add(V a, V b) { return _mm512_add_epi32(a, b); }
MINER_INLINE V v_xor(V a, V b) { return _mm512_xor_si512(a, b); }
MINER_INLINE V v_xor3(V a, V b, V c) { return _mm512_ternarylogic_epi32(a, b, c, 0x96); }
MINER_INLINE V v_choose(V mask, V yes, V no) { return _mm512_ternarylogic_epi32(mask, yes, no, 0xca); }
MINER_INLINE V v_majority(V a, V b, V c) { return _mm512_ternarylogic_epi32(a, b, c, 0xe8); }
MINER_INLINE V v_swap_bytes(V x)
{
    __m128i order = _mm_set_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203);
    return _mm512_shuffle_epi8(x, _mm512_broadcast_i32x4(order));
}
/* Assembly, because gcc 12 would load the constant into a general register and broadcast it from there. */
MINER_INLINE V v_add_constant(V a, const uint32_t *x)
{
    V sum;
    __asm__("vpaddd %2%{1to16%}, %1, %0" : "=v"(sum) : "v"(a), "m"(*x));
    return sum;
}
#define v_ror(x, n) _mm512_ror_epi32((x), (n))
#define v_shr(x, n) _mm512_srli_epi32((x), (n))
MINER_INLINE uint64_t v_at_most(V x, uint32_t limit) { return _mm512_cmple_epu32_mask(x, v_set1(limit)); }

#endif
