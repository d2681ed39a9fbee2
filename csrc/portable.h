/* The hashes that hits are checked with, for search.c and selftest.c. */
#ifndef MINER_PORTABLE_H
#define MINER_PORTABLE_H

#include "kernel.h"

/* The header as a scan wants it. */
void miner_prepare(miner_prepared *work, const uint8_t header[80], const uint8_t target[32]);

/* scrypt of a header in memory of at least 128 * n bytes. 1, or 0 when stopped before the end. */
int miner_scrypt_portable_hash(const uint8_t header[80], uint32_t n, void *memory, const miner_stop *stop,
                               uint8_t out[32]);

/* N is one of 2, 4, 8, … 2^20. */
static inline int miner_valid_n(uint32_t n)
{
    return n >= 2 && n <= 1u << 20 && (n & (n - 1)) == 0;
}

#endif
