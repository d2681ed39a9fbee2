/* The scan of kernels that hash STREAMS nonces side by side, each by instructions of its own for SHA-256. Include after
 * STREAMS and these are defined:
 *
 *   fixed                      what all nonces of a scan share
 *   prepare(fixed, work)       fills it in
 *   hash(fixed, nonce, tops)   tops[s]: the most significant word of the hash of nonce + s, less sha256_iv[7] */
#ifndef MINER_SHA256D_STREAMS_H
#define MINER_SHA256D_STREAMS_H

#include "sha256.h"
#include "sha256d.h"

static uint64_t sha256d_streams_scan(const miner_prepared *work, miner_scratch *scratch, uint32_t nonce,
                                     uint64_t batches, const miner_stop *stop, uint64_t *candidates)
{
    (void)scratch;
    fixed x;
    prepare(&x, work);
    *candidates = 0;
    for (uint64_t batch = 0; batch < batches; batch++, nonce += STREAMS) {
        uint32_t tops[STREAMS];
        uint64_t found = 0;
        if (batch % SHA256D_STOP_EVERY == 0 && miner_stopped(stop))
            return batch;
        hash(&x, nonce, tops);
        for (int s = 0; s < STREAMS; s++)
            found |= (uint64_t)(swap32(tops[s] + sha256_iv[7]) <= work->target_top) << s;
        if (found) {
            *candidates = found;
            return batch + 1;
        }
    }
    return batches;
}

#endif
