/* Hashes by the portable code: what hits, kernels and other people's shares are checked with. */
#include <string.h>

#include "portable.h"

int miner_hash_nonce(const miner_kernel *k, const miner_scratch *s, const uint8_t header[80], uint32_t nonce,
                     const miner_stop *stop, uint8_t out[32])
{
    uint8_t full[80];
    memcpy(full, header, 76);
    for (int i = 0; i < 4; i++)
        full[76 + i] = (uint8_t)(nonce >> (8 * i));
    return k->algorithm->hash(full, s, stop, out);
}

int miner_hash(const miner_algorithm *a, miner_parameters p, const uint8_t header[80], uint8_t out[32])
{
    const miner_kernel *const *portable = a->kernels;
    miner_scratch s;
    while (portable[1])
        portable++;
    int status = miner_scratch_alloc(&s, *portable, p);
    if (status != MINER_OK)
        return status;
    a->hash(header, &s, NULL, out);
    miner_scratch_free(&s);
    return MINER_OK;
}
