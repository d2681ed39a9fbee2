/* What all scrypt kernels have in common. */
#ifndef MINER_SCRYPT_H
#define MINER_SCRYPT_H

#include "kernel.h"

extern const miner_algorithm miner_scrypt_algorithm;

/* N of RFC 7914: the first parameter, and the only one, for r and p are 1. */
#define SCRYPT_N(parameters) ((parameters).value[0])

/* scrypt of a header in plain C (see struct miner_algorithm). It takes 128 * N bytes of memory. */
int miner_scrypt_portable_hash(const uint8_t header[80], const miner_scratch *s, const miner_stop *stop,
                               uint8_t out[32]);

#endif
