/* A kernel proves itself on this very CPU before it may mine. */
#include <string.h>

#include "portable.h"
#include "sha256.h"

static uint8_t nibble(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void unhex(const char *hex, uint8_t out[80])
{
    for (int i = 0; i < 80; i++)
        out[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
}

/* The most significant 32 bits of the portable hash of `header` with this nonce. */
static uint32_t portable_top(const miner_kernel *k, const miner_scratch *s, const uint8_t header[80], uint32_t nonce)
{
    uint8_t hash[32];
    miner_hash_nonce(k, s, header, nonce, NULL, hash);
    return swap32(load_be32(hash + 28));
}

/* The candidates of the one batch that starts at nonce. */
static int scan_one(const miner_kernel *k, miner_scratch *s, const miner_prepared *work, uint32_t nonce,
                    uint64_t *found)
{
    const miner_epoch epoch = 0;
    const miner_stop never = { &epoch, 0 };
    return k->scan(work, s, nonce, 1, &never, found) == 1;
}

/* The known nonce is found in every lane, and nothing else. */
static int finds_block(const miner_kernel *k, miner_scratch *s, const uint8_t header[80])
{
    static const uint8_t zero[32] = { 0 };
    uint32_t nonce = swap32(load_be32(header + 76));
    miner_prepared work;
    miner_prepare(&work, header, zero);
    work.target_top = portable_top(k, s, header, nonce);
    if (work.target_top > 0x000fffff)
        return 0;                                       /* the portable code itself is broken */
    for (unsigned lane = 0; lane < k->lanes; lane++) {
        uint64_t found;
        if (!scan_one(k, s, &work, nonce - lane, &found) || found != (uint64_t)1 << lane)
            return 0;
    }
    return 1;
}

/* With the target at each lane's own hash, and just below it, the candidates are those the portable code names. */
static int agrees_with_portable(const miner_kernel *k, miner_scratch *s, const uint8_t header[80], uint32_t nonce)
{
    static const uint8_t zero[32] = { 0 };
    uint32_t top[64];
    miner_prepared work;
    miner_prepare(&work, header, zero);
    for (unsigned lane = 0; lane < k->lanes; lane++)
        top[lane] = portable_top(k, s, header, nonce + lane);
    for (unsigned at = 0; at < 2 * k->lanes; at++) {
        uint64_t expected = 0, found;
        work.target_top = top[at / 2] - at % 2;
        for (unsigned lane = 0; lane < k->lanes; lane++)
            expected |= (uint64_t)(top[lane] <= work.target_top) << lane;
        if (!scan_one(k, s, &work, nonce, &found) || found != expected)
            return 0;
    }
    return 1;
}

int miner_selftest(const miner_kernel *k)
{
    uint8_t header[80];
    miner_scratch s;
    unhex(k->algorithm->known_header, header);
    int status = miner_scratch_alloc(&s, k, k->algorithm->usual);
    if (status != MINER_OK)
        return status;
    int good = finds_block(k, &s, header);
    miner_scratch_free(&s);
    status = miner_scratch_alloc(&s, k, k->algorithm->quick);
    if (status != MINER_OK)
        return status;
    good = good && agrees_with_portable(k, &s, header, 0xfffffff0);     /* and past the end of the nonces */
    miner_scratch_free(&s);
    return good ? MINER_OK : MINER_ESELFTEST;
}
