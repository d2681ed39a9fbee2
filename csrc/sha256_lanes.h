/* SHA-256's compression of LANES independent blocks, in the arithmetic of the vec_*.h included before this. */
#ifndef MINER_SHA256_LANES_H
#define MINER_SHA256_LANES_H

#include "sha256.h"

/* The six functions of FIPS 180-4, section 4.1.2. */
#define SHA256_SIGMA_A(x) v_xor3(v_ror(x, 2), v_ror(x, 13), v_ror(x, 22))
#define SHA256_SIGMA_E(x) v_xor3(v_ror(x, 6), v_ror(x, 11), v_ror(x, 25))
#define SHA256_SIGMA_0(x) v_xor3(v_ror(x, 7), v_ror(x, 18), v_shr(x, 3))
#define SHA256_SIGMA_1(x) v_xor3(v_ror(x, 17), v_ror(x, 19), v_shr(x, 10))

/* One round; kw is K[i] + W[i]. Instead of moving eight variables along, the caller rotates their names.
 * Sigma(e) is added last on the way to the new e: e is the newest value, and everything else is ready before it. */
#define SHA256_ROUND(a, b, c, d, e, f, g, h, kw)                                   \
    do {                                                                           \
        V t_ = v_add(v_add(h, kw), v_choose(e, f, g)), s_ = SHA256_SIGMA_E(e);     \
        V m_ = v_add(SHA256_SIGMA_A(a), v_majority(a, b, c));                      \
        d = v_add(v_add(d, t_), s_);                                               \
        h = v_add(v_add(t_, m_), s_);                                              \
    } while (0)

#define SHA256_EIGHT_ROUNDS(KW, i)                     \
    SHA256_ROUND(a, b, c, d, e, f, g, h, KW((i) + 0)); \
    SHA256_ROUND(h, a, b, c, d, e, f, g, KW((i) + 1)); \
    SHA256_ROUND(g, h, a, b, c, d, e, f, KW((i) + 2)); \
    SHA256_ROUND(f, g, h, a, b, c, d, e, KW((i) + 3)); \
    SHA256_ROUND(e, f, g, h, a, b, c, d, KW((i) + 4)); \
    SHA256_ROUND(d, e, f, g, h, a, b, c, KW((i) + 5)); \
    SHA256_ROUND(c, d, e, f, g, h, a, b, KW((i) + 6)); \
    SHA256_ROUND(b, c, d, e, f, g, h, a, KW((i) + 7))

/* state: updated. words: the sixteen message words, lane by lane. Not inlined: PBKDF2 calls it many times. */
static void sha256_lanes_compress(V state[8], const V words[16])
{
    V w[16];
    V a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 16; i++)
        w[i] = words[i];
    for (int i = 0; i < 64; i += 16) {
#define KW(j) v_add(v_set1(sha256_k[i + (j)]), w[j])
        if (i > 0)
            for (int j = 0; j < 16; j++)
                w[j] = v_add(v_add(w[j], w[(j + 9) & 15]),
                             v_add(SHA256_SIGMA_0(w[(j + 1) & 15]), SHA256_SIGMA_1(w[(j + 14) & 15])));
        SHA256_EIGHT_ROUNDS(KW, 0);
        SHA256_EIGHT_ROUNDS(KW, 8);
#undef KW
    }
    V sum[8] = { a, b, c, d, e, f, g, h };
    for (int i = 0; i < 8; i++)
        state[i] = v_add(state[i], sum[i]);
}

#endif
