/* The portable SHA-256 and sha256d: what hits are checked with. */
#include <string.h>

#include "miner.h"
#include "vec_scalar.h"
#include "sha256_lanes.h"

void miner_sha256_compress(uint32_t state[8], const uint32_t words[16])
{
    sha256_lanes_compress(state, words);
}

static void compress_bytes(uint32_t state[8], const uint8_t block[64])
{
    uint32_t words[16];
    for (int i = 0; i < 16; i++)
        words[i] = load_be32(block + 4 * i);
    sha256_lanes_compress(state, words);
}

static void sha256(const uint8_t *data, size_t len, uint8_t out[32])
{
    uint32_t state[8];
    uint8_t tail[128] = { 0 };
    size_t rest = len % 64, padded = rest < 56 ? 64 : 128;
    memcpy(state, sha256_iv, sizeof state);
    for (size_t at = 0; at + 64 <= len; at += 64)
        compress_bytes(state, data + at);
    if (rest)
        memcpy(tail, data + len - rest, rest);
    tail[rest] = 0x80;
    store_be32(tail + padded - 8, (uint32_t)((uint64_t)len >> 29));
    store_be32(tail + padded - 4, (uint32_t)((uint64_t)len << 3));
    for (size_t at = 0; at < padded; at += 64)
        compress_bytes(state, tail + at);
    for (int i = 0; i < 8; i++)
        store_be32(out + 4 * i, state[i]);
}

void miner_sha256d(const uint8_t *data, size_t len, uint8_t out[32])
{
    uint8_t once[32];
    sha256(data, len, once);
    sha256(once, sizeof once, out);
}
