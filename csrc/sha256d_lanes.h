/* The sha256d search with LANES nonces side by side. Include after a vec_*.h, then SHA256D_KERNEL(name, features).
 *
 * The header's first 64 bytes are the midstate, the first three rounds of its second block are done once, and of the
 * hash only the most significant word is wanted. That is e after the second hash's round 60, so the compiler drops
 * what only rounds 57 to 63 would have read. */
#ifndef MINER_SHA256D_LANES_H
#define MINER_SHA256D_LANES_H

#include "sha256d_words.h"

/* Batches between two looks at the epoch: below a quarter of a millisecond even at 0.3 MH/s and one lane. */
enum { SHA256D_STOP_EVERY = 64 };

#define FIRST(a, b, c, d, e, f, g, h, i) SHA256_ROUND(a, b, c, d, e, f, g, h, sha256d_first_kw(x, w, i))
#define SECOND(a, b, c, d, e, f, g, h, i) SHA256_ROUND(a, b, c, d, e, f, g, h, sha256d_second_kw(w, i))

/* The most significant word of the hash, as a SHA-256 word. */
MINER_INLINE V sha256d_lanes_top(const sha256d_fixed *x, V nonce)
{
    V w[16];
    w[3] = nonce;
    /* The state after round 3, under the names that round 4 knows it by. */
    V a = v_add(x->e, nonce), b = x->f, c = x->g, d = x->h, e = v_add(x->a, nonce), f = x->b, g = x->c, h = x->d;
    SHA256_ROUNDS_4_TO_7(FIRST, 0);
    SHA256_ROUNDS_0_TO_7(FIRST, 8);
    SHA256_ROUNDS_0_TO_7(FIRST, 16);
    SHA256_ROUNDS_0_TO_7(FIRST, 24);
    SHA256_ROUNDS_0_TO_7(FIRST, 32);
    SHA256_ROUNDS_0_TO_7(FIRST, 40);
    SHA256_ROUNDS_0_TO_7(FIRST, 48);
    SHA256_ROUNDS_0_TO_7(FIRST, 56);

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
    SHA256_ROUNDS_0_TO_7(SECOND, 32);
    SHA256_ROUNDS_0_TO_7(SECOND, 40);
    SHA256_ROUNDS_0_TO_7(SECOND, 48);
    SHA256_ROUNDS_0_TO_4(SECOND, 56);
    return v_add(h, v_set1(sha256_iv[7]));      /* the e of round 60, position 4, is called h */
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

static size_t sha256d_lanes_scratch_size(uint32_t n)
{
    (void)n;
    return 0;
}

#define SHA256D_KERNEL(symbol, kernel_name, cpu_features)                                                       \
    const miner_kernel symbol = {                                                                               \
        .name = kernel_name, .algorithm = MINER_SHA256D, .lanes = LANES, .features = cpu_features,              \
        .scratch_size = sha256d_lanes_scratch_size, .scan = sha256d_lanes_scan,                                 \
    }

#endif
