/* Vectors of eight lanes of 32 bits, with AVX-512's rotates and ternary logic. vec_scalar.h says what each name means.
 * Begins the instruction set: the file that includes this ends with MINER_ISA_END. */
#ifndef MINER_VEC_H
#define MINER_VEC_H

#include "isa.h"
#include <stdint.h>
#ifndef MINER_VEC_ISA
#define MINER_VEC_ISA "avx512f,avx512bw,avx512vl,avx512dq,avx2,bmi2"
#endif
MINER_ISA_BEGIN(MINER_VEC_ISA)

#define LANES 8
typedef __m256i V;

MINER_INLINE V v_set1(uint32_t x) { return _mm256_set1_epi32((int)x); }
MINER_INLINE V v_lane_numbers(void) { return _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0); }
MINER_INLINE V v_add(V a, V b) { return _mm256_add_epi32(a, b); }
MINER_INLINE V v_xor(V a, V b) { return _mm256_xor_si256(a, b); }
MINER_INLINE V v_xor3(V a, V b, V c) { return _mm256_ternarylogic_epi32(a, b, c, 0x96); }
MINER_INLINE V v_choose(V mask, V yes, V no) { return _mm256_ternarylogic_epi32(mask, yes, no, 0xca); }
MINER_INLINE V v_majority(V a, V b, V c) { return _mm256_ternarylogic_epi32(a, b, c, 0xe8); }
MINER_INLINE V v_swap_bytes(V x)
{
    return _mm256_shuffle_epi8(x, _mm256_set_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203,
                                                   0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203));
}
/* Assembly, because gcc 12 would load the constant into a general register and broadcast it from there. */
MINER_INLINE V v_add_constant(V a, const uint32_t *x)
{
    V sum;
    __asm__("vpaddd %2%{1to8%}, %1, %0" : "=v"(sum) : "v"(a), "m"(*x));
    return sum;
}
#define v_ror(x, n) _mm256_ror_epi32((x), (n))
#define v_shr(x, n) _mm256_srli_epi32((x), (n))
MINER_INLINE uint64_t v_at_most(V x, uint32_t limit) { return _mm256_cmple_epu32_mask(x, v_set1(limit)); }

#endif
