/* SHA-256's compression of LANES independent blocks, in the arithmetic of the vec_*.h included before this. */
#ifndef MINER_SHA256_LANES_H
#define MINER_SHA256_LANES_H

#include "sha256.h"

/* The four sigmas of FIPS 180-4, section 4.1.2. Where an instruction overwrites its operand and there is no rotate, two
 * chains of shifts, x >> 22 ^ x >> 13 ^ x >> 2 = ((x >> 9 ^ x) >> 11 ^ x) >> 2 and the same to the left, take as many
 * operations as three rotates but a third of the copies. */
#ifdef SHA256_SHIFT_CHAINS
#define SHA256_RIGHT(x, p, q, r) v_shr(v_xor(v_shr(v_xor(v_shr(x, (r) - (q)), x), (q) - (p)), x), p)
#define SHA256_LEFT(x, p, q, r) v_shl(v_xor(v_shl(v_xor(v_shl(x, (q) - (p)), x), (r) - (q)), x), 32 - (r))
#define SHA256_LEFT_TWO(x, q, r) v_shl(v_xor(v_shl(x, (r) - (q)), x), 32 - (r))
#define SHA256_SIGMA_A(x) v_xor(SHA256_RIGHT(x, 2, 13, 22), SHA256_LEFT(x, 2, 13, 22))
#define SHA256_SIGMA_E(x) v_xor(SHA256_RIGHT(x, 6, 11, 25), SHA256_LEFT(x, 6, 11, 25))
#define SHA256_SIGMA_0(x) v_xor(SHA256_RIGHT(x, 3, 7, 18), SHA256_LEFT_TWO(x, 7, 18))
#define SHA256_SIGMA_1(x) v_xor(SHA256_RIGHT(x, 10, 17, 19), SHA256_LEFT_TWO(x, 17, 19))
#else
#define SHA256_SIGMA_A(x) v_xor3(v_ror(x, 2), v_ror(x, 13), v_ror(x, 22))
#define SHA256_SIGMA_E(x) v_xor3(v_ror(x, 6), v_ror(x, 11), v_ror(x, 25))
#define SHA256_SIGMA_0(x) v_xor3(v_ror(x, 7), v_ror(x, 18), v_shr(x, 3))
#define SHA256_SIGMA_1(x) v_xor3(v_ror(x, 17), v_ror(x, 19), v_shr(x, 10))
#endif

/* One round; kw is K[i] + W[i]. Instead of moving eight variables along, the caller rotates their names. */
#define SHA256_ROUND(a, b, c, d, e, f, g, h, kw)                                                           \
    do {                                                                                                   \
        V t_ = v_add(v_add(v_add(h, kw), v_choose(e, f, g)), SHA256_SIGMA_E(e));                           \
        d = v_add(d, t_);                                                                                  \
        h = v_add(v_add(SHA256_SIGMA_A(a), v_majority(a, b, c)), t_);                                      \
    } while (0)

/* R(a, b, c, d, e, f, g, h, i) for eight rounds from i on, or some of them: each round's names are rotated by one. */
#define SHA256_ROUNDS_0_TO_7(R, i) R(a, b, c, d, e, f, g, h, (i) + 0); SHA256_ROUNDS_1_TO_7(R, i)
#define SHA256_ROUNDS_1_TO_7(R, i)      \
    R(h, a, b, c, d, e, f, g, (i) + 1); \
    R(g, h, a, b, c, d, e, f, (i) + 2); \
    R(f, g, h, a, b, c, d, e, (i) + 3); \
    SHA256_ROUNDS_4_TO_7(R, i)
#define SHA256_ROUNDS_4_TO_7(R, i)      \
    R(e, f, g, h, a, b, c, d, (i) + 4); \
    SHA256_ROUNDS_5_TO_7(R, i)
#define SHA256_ROUNDS_5_TO_7(R, i)      \
    R(d, e, f, g, h, a, b, c, (i) + 5); \
    R(c, d, e, f, g, h, a, b, (i) + 6); \
    R(b, c, d, e, f, g, h, a, (i) + 7)
#define SHA256_ROUNDS_0_TO_4(R, i)      \
    R(a, b, c, d, e, f, g, h, (i) + 0); \
    R(h, a, b, c, d, e, f, g, (i) + 1); \
    R(g, h, a, b, c, d, e, f, (i) + 2); \
    R(f, g, h, a, b, c, d, e, (i) + 3); \
    R(e, f, g, h, a, b, c, d, (i) + 4)

/* state: updated. words: the sixteen message words, lane by lane. */
static inline void sha256_lanes_compress(V state[8], const V words[16])
{
    V w[16];
    V a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 16; i++)
        w[i] = words[i];
    for (int i = 0; i < 64; i += 16) {
#define ROUND(a, b, c, d, e, f, g, h, j) \
    SHA256_ROUND(a, b, c, d, e, f, g, h, v_add(v_set1(sha256_k[i + (j)]), w[j]))
        if (i > 0)
            for (int j = 0; j < 16; j++)
                w[j] = v_add(v_add(w[j], w[(j + 9) & 15]),
                             v_add(SHA256_SIGMA_0(w[(j + 1) & 15]), SHA256_SIGMA_1(w[(j + 14) & 15])));
        SHA256_ROUNDS_0_TO_7(ROUND, 0);
        SHA256_ROUNDS_0_TO_7(ROUND, 8);
#undef ROUND
    }
    V sum[8] = { a, b, c, d, e, f, g, h };
    for (int i = 0; i < 8; i++)
        state[i] = v_add(state[i], sum[i]);
}

#endif
