/* scrypt(N, 1, 1) with two sets of nonces side by side. PBKDF2 of a set is here, a hash in each 32-bit lane; ROMix is
 * in a romix_*.h. Include a vec_*.h, a romix_*.h and this file in that order; then SCRYPT_KERNEL(symbol, name,
 * features).
 *
 * A set is LANES hashes, or the first SCRYPT_HASHES of them. The other lanes go through PBKDF2 alone, and what they
 * give is not used: with six hashes in eight lanes this costs 0.5%. */
#ifndef MINER_SCRYPT_LANES_H
#define MINER_SCRYPT_LANES_H

#include "kernel.h"
#include "pbkdf2_lanes.h"
#include "scrypt.h"
#include "scrypt_rows.h"

#ifndef SCRYPT_HASHES
#define SCRYPT_HASHES LANES
#endif

static size_t scrypt_lanes_scratch_size(miner_parameters p)
{
    return SETS * SCRYPT_HASHES * scrypt_stride(SCRYPT_N(p));
}

/* One batch. 1 and its candidates, or 0 when stopped. */
static int scrypt_lanes_batch(const miner_prepared *work, const miner_scratch *s, uint32_t nonce,
                              const miner_stop *stop, uint64_t *candidates)
{
    const uint64_t hashed = ((uint64_t)1 << SCRYPT_HASHES) - 1;
    V blocks[SETS][32], hash[8];
    pbkdf2_key key[SETS];
    for (uint32_t k = 0; k < SETS; k++) {
        V nonces = v_add(v_set1(nonce + k * SCRYPT_HASHES), v_lane_numbers());
        pbkdf2_lanes_expand(work, v_swap_bytes(nonces), &key[k], blocks[k]);
        for (int i = 0; i < 32; i++)
            blocks[k][i] = v_swap_bytes(blocks[k][i]);
    }
    if (!scrypt_romix(blocks, s->memory, SCRYPT_N(s->parameters), stop))
        return 0;
    *candidates = 0;
    for (unsigned k = 0; k < SETS; k++) {
        for (int i = 0; i < 32; i++)
            blocks[k][i] = v_swap_bytes(blocks[k][i]);
        pbkdf2_lanes_reduce(&key[k], blocks[k], hash);
        *candidates |= (v_at_most(v_swap_bytes(hash[7]), work->target_top) & hashed) << k * SCRYPT_HASHES;
    }
    return 1;
}

static uint64_t scrypt_lanes_scan(const miner_prepared *work, miner_scratch *s, uint32_t nonce, uint64_t batches,
                                  const miner_stop *stop, uint64_t *candidates)
{
    *candidates = 0;
    for (uint64_t batch = 0; batch < batches; batch++, nonce += SETS * SCRYPT_HASHES) {
        if (!scrypt_lanes_batch(work, s, nonce, stop, candidates))
            return batch;
        if (*candidates)
            return batch + 1;
    }
    return batches;
}

#define SCRYPT_KERNEL(symbol, kernel_name, cpu_features)                                                        \
    const miner_kernel symbol = {                                                                               \
        .name = kernel_name, .algorithm = &miner_scrypt_algorithm, .lanes = SETS * SCRYPT_HASHES,               \
        .features = cpu_features,                                                                               \
        .scratch_size = scrypt_lanes_scratch_size, .scan = scrypt_lanes_scan,                                   \
    }

#endif
