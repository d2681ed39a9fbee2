/* Vectors of one lane of 32 bits, in plain C. Each vec_*.h defines LANES, the vector type V, and the v_ names, in which
 * sha256_lanes.h and what includes it are written. Arithmetic is lane by lane, modulo 2^32. A file includes exactly one
 * vec_*.h. */
#ifndef MINER_VEC_H
#define MINER_VEC_H

#include "isa.h"
#include <stdint.h>

#define LANES 1
typedef uint32_t V;

/* x in every lane. */
MINER_INLINE V v_set1(uint32_t x) { return x; }
/* i in lane i. */
MINER_INLINE V v_lane_numbers(void) { return 0; }
MINER_INLINE V v_add(V a, V b) { return a + b; }
MINER_INLINE V v_xor(V a, V b) { return a ^ b; }
/* a + *x; *x is an entry of a table of constants, so that an instruction can read it from memory. */
MINER_INLINE V v_add_constant(V a, const uint32_t *x) { return v_add(a, v_set1(*x)); }
MINER_INLINE V v_xor3(V a, V b, V c) { return a ^ b ^ c; }
/* SHA-256's Ch and Maj (FIPS 180-4 section 4.1.2), bit by bit: yes where mask is 1, no where it is 0; and what two or
 * three of a, b and c have. */
MINER_INLINE V v_choose(V mask, V yes, V no) { return no ^ (mask & (yes ^ no)); }
MINER_INLINE V v_majority(V a, V b, V c) { return (a & b) | (c & (a | b)); }
/* Each lane's four bytes in reverse order. */
MINER_INLINE V v_swap_bytes(V x) { return x << 24 | (x & 0xff00) << 8 | (x >> 8 & 0xff00) | x >> 24; }
/* Rotate and shift right by n bits. Macros: instructions have n in themselves, so compilers want a literal there. */
#define v_ror(x, n) ((x) >> (n) | (x) << (32 - (n)))
#define v_shr(x, n) ((x) >> (n))
/* Bit i of the result: whether lane i of x, unsigned, is <= limit. */
MINER_INLINE uint64_t v_at_most(V x, uint32_t limit) { return x <= limit; }

#endif
