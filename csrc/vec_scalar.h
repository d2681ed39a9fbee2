/* A vector of one lane: the names that sha256_lanes.h and its users write their arithmetic in, for plain C.
 * vec_sse2.h, vec_avx2.h, vec_avx512.h and so on give the same names for more lanes. A file includes exactly one. */
#ifndef MINER_VEC_H
#define MINER_VEC_H

#include "isa.h"
#include <stdint.h>

#define LANES 1
typedef uint32_t V;

MINER_INLINE V v_set1(uint32_t x) { return x; }
MINER_INLINE V v_lane_numbers(void) { return 0; }
MINER_INLINE V v_add(V a, V b) { return a + b; }
MINER_INLINE V v_xor(V a, V b) { return a ^ b; }
/* x is in a table of constants. */
MINER_INLINE V v_add_constant(V a, const uint32_t *x) { return v_add(a, v_set1(*x)); }
MINER_INLINE V v_xor3(V a, V b, V c) { return a ^ b ^ c; }
MINER_INLINE V v_choose(V mask, V yes, V no) { return no ^ (mask & (yes ^ no)); }
MINER_INLINE V v_majority(V a, V b, V c) { return (a & b) | (c & (a | b)); }
MINER_INLINE V v_swap_bytes(V x) { return x << 24 | (x & 0xff00) << 8 | (x >> 8 & 0xff00) | x >> 24; }
/* Macros, because the count must be a constant in every compiler's eyes. */
#define v_ror(x, n) ((x) >> (n) | (x) << (32 - (n)))
#define v_shr(x, n) ((x) >> (n))
/* Bit i: lane i of x is <= limit, unsigned. */
MINER_INLINE uint64_t v_at_most(V x, uint32_t limit) { return x <= limit; }

#endif
