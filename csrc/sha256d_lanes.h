/* The sha256d search with LANES nonces side by side. Include after a vec_*.h, then SHA256D_KERNEL(name, features). */
#ifndef MINER_SHA256D_LANES_H
#define MINER_SHA256D_LANES_H

#include "kernel.h"
#include "sha256_lanes.h"

/* Batches between two looks at the epoch: below a quarter of a millisecond even at 0.3 MH/s and one lane. */
enum { SHA256D_STOP_EVERY = 64 };

static uint64_t sha256d_lanes_scan(const miner_prepared *work, miner_scratch *s, uint32_t nonce, uint64_t batches,
                                   const miner_stop *stop, uint64_t *candidates)
{
    (void)s;
    *candidates = 0;
    for (uint64_t batch = 0; batch < batches; batch++, nonce += LANES) {
        if (batch % SHA256D_STOP_EVERY == 0 && miner_stopped(stop))
            return batch;
        V words[16], state[8];
        for (int i = 0; i < 16; i++)
            words[i] = v_set1(i < 3 ? work->words[16 + i] : i == 4 ? 0x80000000 : i == 15 ? 80 * 8 : 0);
        words[3] = v_swap_bytes(v_add(v_set1(nonce), v_lane_numbers()));
        for (int i = 0; i < 8; i++)
            state[i] = v_set1(work->midstate[i]);
        sha256_lanes_compress(state, words);
        for (int i = 0; i < 16; i++)
            words[i] = i < 8 ? state[i] : v_set1(i == 8 ? 0x80000000 : i == 15 ? 32 * 8 : 0);
        for (int i = 0; i < 8; i++)
            state[i] = v_set1(sha256_iv[i]);
        sha256_lanes_compress(state, words);
        uint64_t found = v_at_most(v_swap_bytes(state[7]), work->target_top);
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
