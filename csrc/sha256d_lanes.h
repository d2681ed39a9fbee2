/* The sha256d search with LANES nonces side by side. Include after a vec_*.h.
 *
 * The header's first 64 bytes are the midstate, the first three rounds of its second block are done once, and of the
 * hash only the most significant word is wanted. That is e after the second hash's round 60, so the compiler drops
 * what only rounds 57 to 63 would have read. */
#ifndef MINER_SHA256D_LANES_H
#define MINER_SHA256D_LANES_H

#include "sha256d_words.h"

/* gcc 12 would otherwise work out words far ahead and then spill them: a fifth of the speed with sixteen registers. */
MINER_GCC_OPTIONS("no-tree-ter", "no-tree-reassoc")

#define FIRST(a, b, c, d, e, f, g, h, i) SHA256_ROUND(a, b, c, d, e, f, g, h, sha256d_first_kw(x, w, i))
#define SECOND(a, b, c, d, e, f, g, h, i) SHA256_ROUND(a, b, c, d, e, f, g, h, sha256d_second_kw(w, i))

/* Where a round takes many instructions, both hashes unrolled don't fit the first-level cache, and that costs more than
 * calls do. SHA256D_SHARE_ROUNDS makes one function of all stretches of sixteen rounds from round 32 on, and the last
 * leaves it early. */
#ifdef SHA256D_SHARE_ROUNDS
#define SHARED(a, b, c, d, e, f, g, h, i) \
    SHA256_ROUND(a, b, c, d, e, f, g, h, v_add(WORD(i) = SHA256D_FULL_WORD(i), k[i]))

/* k: the constants of these rounds. top: only the hash's most significant word is wanted, as state[7]. */
__attribute__((noinline)) static void sha256d_sixteen_rounds(V state[8], V w[16], const V k[16], int top)
{
    V a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
    SHA256_ROUNDS_0_TO_7(SHARED, 0);
    SHA256_ROUNDS_0_TO_4(SHARED, 8);
    if (top) {
        state[7] = h;
        return;
    }
    SHA256_ROUNDS_5_TO_7(SHARED, 8);
    state[0] = a, state[1] = b, state[2] = c, state[3] = d;
    state[4] = e, state[5] = f, state[6] = g, state[7] = h;
}

#define SIXTEEN_ROUNDS(i, top)                                                                  \
    do {                                                                                        \
        V s_[8] = { a, b, c, d, e, f, g, h };                                                   \
        sha256d_sixteen_rounds(s_, w, x->k + (i) - 32, top);                                    \
        a = s_[0], b = s_[1], c = s_[2], d = s_[3], e = s_[4], f = s_[5], g = s_[6], h = s_[7]; \
    } while (0)
#define FIRST_32_TO_63 SIXTEEN_ROUNDS(32, 0); SIXTEEN_ROUNDS(48, 0)
#define SECOND_32_TO_60 SIXTEEN_ROUNDS(32, 0); SIXTEEN_ROUNDS(48, 1)
#else
#define FIRST_32_TO_63                                                  \
    SHA256_ROUNDS_0_TO_7(FIRST, 32); SHA256_ROUNDS_0_TO_7(FIRST, 40);   \
    SHA256_ROUNDS_0_TO_7(FIRST, 48); SHA256_ROUNDS_0_TO_7(FIRST, 56)
#define SECOND_32_TO_60                                                 \
    SHA256_ROUNDS_0_TO_7(SECOND, 32); SHA256_ROUNDS_0_TO_7(SECOND, 40); \
    SHA256_ROUNDS_0_TO_7(SECOND, 48); SHA256_ROUNDS_0_TO_4(SECOND, 56)
#endif

/* The most significant word of the hash, as a SHA-256 word. */
MINER_INLINE V sha256d_lanes_top(const sha256d_fixed *x, V nonce)
{
    V w[16];
    w[0] = x->w16, w[1] = x->w17;
    w[3] = nonce;
    /* The state after round 3, under the names that round 4 knows it by. */
    V a = v_add(x->e, nonce), b = x->f, c = x->g, d = x->h, e = v_add(x->a, nonce), f = x->b, g = x->c, h = x->d;
    SHA256_ROUNDS_4_TO_7(FIRST, 0);
    SHA256_ROUNDS_0_TO_7(FIRST, 8);
    SHA256_ROUNDS_0_TO_7(FIRST, 16);
    SHA256_ROUNDS_0_TO_7(FIRST, 24);
    FIRST_32_TO_63;

    w[0] = v_add(a, x->midstate[0]), w[1] = v_add(b, x->midstate[1]);
    w[2] = v_add(c, x->midstate[2]), w[3] = v_add(d, x->midstate[3]);
    w[4] = v_add(e, x->midstate[4]), w[5] = v_add(f, x->midstate[5]);
    w[6] = v_add(g, x->midstate[6]), w[7] = v_add(h, x->midstate[7]);
    /* Round 0's results go where round 1 looks for them; the others have moved along by themselves. */
    h = v_add(w[0], x->second_a), d = v_add(w[0], x->second_e);
    a = v_set1(sha256_iv[0]), b = v_set1(sha256_iv[1]), c = v_set1(sha256_iv[2]);
    e = v_set1(sha256_iv[4]), f = v_set1(sha256_iv[5]), g = v_set1(sha256_iv[6]);
    SHA256_ROUNDS_1_TO_7(SECOND, 0);
    SHA256_ROUNDS_0_TO_7(SECOND, 8);
    SHA256_ROUNDS_0_TO_7(SECOND, 16);
    SHA256_ROUNDS_0_TO_7(SECOND, 24);
    SECOND_32_TO_60;
    return v_add(h, v_set1(sha256_iv[7]));      /* e of round 60 has become h */
}

static uint64_t sha256d_lanes_scan(const miner_prepared *work, miner_scratch *s, uint32_t nonce, uint64_t batches,
                                   const miner_stop *stop, uint64_t *candidates)
{
    sha256d_fixed x;
    sha256d_fix(&x, work);
    (void)s;
    *candidates = 0;
    V nonces = v_add(v_set1(nonce), v_lane_numbers());
    for (uint64_t batch = 0; batch < batches; batch++, nonces = v_add(nonces, v_set1(LANES))) {
        if (batch % SHA256D_STOP_EVERY == 0 && miner_stopped(stop))
            return batch;
        uint64_t found = v_at_most(v_swap_bytes(sha256d_lanes_top(&x, v_swap_bytes(nonces))), work->target_top);
        if (found) {
            *candidates = found;
            return batch + 1;
        }
    }
    return batches;
}

#endif
