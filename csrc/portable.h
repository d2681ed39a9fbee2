/* What scans and checks begin with, for the kernels, search.c and selftest.c. */
#ifndef MINER_PORTABLE_H
#define MINER_PORTABLE_H

#include "kernel.h"

/* The header and the target as a scan wants them. */
void miner_prepare(miner_prepared *work, const uint8_t header[80], const uint8_t target[32]);

/* The portable hash of the header with its nonce replaced, in a scratch made for k: it is free between two scans. 1, or
 * 0 when stopped before the end; stop may be NULL. */
int miner_hash_nonce(const miner_kernel *k, const miner_scratch *s, const uint8_t header[80], uint32_t nonce,
                     const miner_stop *stop, uint8_t out[32]);

#endif
