/* Vectors of four lanes of 32 bits, with NEON. vec_scalar.h says what each name means. Every aarch64 CPU has NEON, so
 * there is no instruction set to begin or to end. */
#ifndef MINER_VEC_H
#define MINER_VEC_H

#include "isa.h"
#include <stdint.h>

#define LANES 4
typedef uint32x4_t V;

MINER_INLINE V v_set1(uint32_t x) { return vdupq_n_u32(x); }
MINER_INLINE V v_lane_numbers(void)
{
    static const uint32_t numbers[4] = { 0, 1, 2, 3 };
    return vld1q_u32(numbers);
}
MINER_INLINE V v_add(V a, V b) { return vaddq_u32(a, b); }
MINER_INLINE V v_add_constant(V a, const uint32_t *x) { return v_add(a, v_set1(*x)); }
MINER_INLINE V v_xor(V a, V b) { return veorq_u32(a, b); }
MINER_INLINE V v_xor3(V a, V b, V c) { return veorq_u32(a, veorq_u32(b, c)); }
MINER_INLINE V v_choose(V mask, V yes, V no) { return vbslq_u32(mask, yes, no); }
MINER_INLINE V v_majority(V a, V b, V c) { return vbslq_u32(veorq_u32(a, b), c, b); }
MINER_INLINE V v_swap_bytes(V x) { return vreinterpretq_u32_u8(vrev32q_u8(vreinterpretq_u8_u32(x))); }
#define v_ror(x, n) vsriq_n_u32(vshlq_n_u32((x), 32 - (n)), (x), (n))
#define v_shr(x, n) vshrq_n_u32((x), (n))
MINER_INLINE uint64_t v_at_most(V x, uint32_t limit)
{
    static const uint32_t bits[4] = { 1, 2, 4, 8 };
    return vaddvq_u32(vandq_u32(vcleq_u32(x, v_set1(limit)), vld1q_u32(bits)));
}

#endif
