/* scrypt(N, r = 1, p = 1) in plain C (RFC 7914): the kernel for any CPU, and the hash that hits are checked with. */
#include <string.h>

#include "portable.h"
#include "scrypt.h"
#include "vec_scalar.h"
#include "pbkdf2_lanes.h"

/* Steps of ROMix between two looks at the epoch: a quarter of a millisecond at 2 us a step. */
enum { STOP_EVERY = 128 };

#define ROL(x, n) ((x) << (n) | (x) >> (32 - (n)))
#define QUARTER(a, b, c, d)   \
    x[b] ^= ROL(x[a] + x[d], 7);  \
    x[c] ^= ROL(x[b] + x[a], 9);  \
    x[d] ^= ROL(x[c] + x[b], 13); \
    x[a] ^= ROL(x[d] + x[c], 18)

/* block = Salsa20/8(block ^ other) */
static inline void salsa20_8(uint32_t block[16], const uint32_t other[16])
{
    uint32_t x[16];
    for (int i = 0; i < 16; i++)
        x[i] = block[i] ^= other[i];
    for (int i = 0; i < 4; i++) {
        QUARTER(0, 4, 8, 12);
        QUARTER(5, 9, 13, 1);
        QUARTER(10, 14, 2, 6);
        QUARTER(15, 3, 7, 11);
        QUARTER(0, 1, 2, 3);
        QUARTER(5, 6, 7, 4);
        QUARTER(10, 11, 8, 9);
        QUARTER(15, 12, 13, 14);
    }
    for (int i = 0; i < 16; i++)
        block[i] += x[i];
}

static inline void block_mix(uint32_t x[32])
{
    salsa20_8(x, x + 16);
    salsa20_8(x + 16, x);
}

/* 1, or 0 when stopped. stop may be NULL. */
static int romix(uint32_t x[32], uint32_t n, uint32_t *rows, const miner_stop *stop)
{
    for (uint32_t i = 0; i < n; i++) {
        if (i % STOP_EVERY == 0 && stop && miner_stopped(stop))
            return 0;
        memcpy(rows + (size_t)i * 32, x, 128);
        block_mix(x);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (i % STOP_EVERY == 0 && stop && miner_stopped(stop))
            return 0;
        const uint32_t *row = rows + (size_t)(x[16] & (n - 1)) * 32;
        for (int j = 0; j < 32; j++)
            x[j] ^= row[j];
        block_mix(x);
    }
    return 1;
}

/* The hash as SHA-256 words; nonce is a message word. */
static int hash_words(const miner_prepared *work, uint32_t nonce, uint32_t n, uint32_t *rows, const miner_stop *stop,
                      uint32_t hash[8])
{
    pbkdf2_key key;
    uint32_t x[32];
    pbkdf2_lanes_expand(work, nonce, &key, x);
    for (int i = 0; i < 32; i++)
        x[i] = swap32(x[i]);
    if (!romix(x, n, rows, stop))
        return 0;
    for (int i = 0; i < 32; i++)
        x[i] = swap32(x[i]);
    pbkdf2_lanes_reduce(&key, x, hash);
    return 1;
}

int miner_scrypt_portable_hash(const uint8_t header[80], const miner_scratch *s, const miner_stop *stop,
                               uint8_t out[32])
{
    static const uint8_t any_target[32] = { 0 };
    miner_prepared work;
    uint32_t hash[8];
    miner_prepare(&work, header, any_target);
    if (!hash_words(&work, work.words[19], SCRYPT_N(s->parameters), s->memory, stop, hash))
        return 0;
    for (int i = 0; i < 8; i++)
        store_be32(out + 4 * i, hash[i]);
    return 1;
}

static uint64_t scan(const miner_prepared *work, miner_scratch *s, uint32_t nonce, uint64_t batches,
                     const miner_stop *stop, uint64_t *candidates)
{
    *candidates = 0;
    for (uint64_t batch = 0; batch < batches; batch++) {
        uint32_t hash[8];
        if (!hash_words(work, swap32(nonce + (uint32_t)batch), SCRYPT_N(s->parameters), s->memory, stop, hash))
            return batch;
        if (swap32(hash[7]) <= work->target_top) {
            *candidates = 1;
            return batch + 1;
        }
    }
    return batches;
}

static size_t scratch_size(miner_parameters p)
{
    return (size_t)SCRYPT_N(p) * 128;
}

const miner_kernel miner_scrypt_portable = {
    .name = "portable", .algorithm = &miner_scrypt_algorithm, .lanes = 1, .features = 0,
    .scratch_size = scratch_size, .scan = scan,
};
