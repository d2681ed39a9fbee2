/* scrypt's two PBKDF2-HMAC-SHA256 steps (RFC 7914 section 6, one iteration) for LANES headers that differ in the nonce.
 * Include after a vec_*.h. All words here are SHA-256's: big-endian reads of the bytes. Salsa20 reads the same bytes
 * little-endian, so a kernel puts each word through v_swap_bytes on the way to ROMix and back. */
#ifndef MINER_PBKDF2_LANES_H
#define MINER_PBKDF2_LANES_H

#include "kernel.h"
#include "sha256_lanes.h"

/* HMAC's two states with the header as key, kept from the first step for the second. */
typedef struct {
    V inner[8], outer[8];
} pbkdf2_key;

static inline void pbkdf2_lanes_pad(V state[8], const V key[8], uint32_t pad)
{
    V words[16];
    for (int i = 0; i < 16; i++)
        words[i] = i < 8 ? v_xor(key[i], v_set1(pad)) : v_set1(pad);
    for (int i = 0; i < 8; i++)
        state[i] = v_set1(sha256_iv[i]);
    sha256_lanes_compress(state, words);
}

/* The outer hash of HMAC: 64 bytes of key, 32 of digest. */
static inline void pbkdf2_lanes_finish(V out[8], const V digest[8], const V outer[8])
{
    V words[16];
    for (int i = 0; i < 16; i++)
        words[i] = i < 8 ? digest[i] : v_set1(i == 8 ? 0x80000000 : i == 15 ? (64 + 32) * 8 : 0);
    for (int i = 0; i < 8; i++)
        out[i] = outer[i];
    sha256_lanes_compress(out, words);
}

/* blocks = PBKDF2(header, header, 1, 128). `nonce` is the message word: the header's last four bytes read big-endian,
 * so v_swap_bytes(nonce as a number). */
static void pbkdf2_lanes_expand(const miner_prepared *work, V nonce, pbkdf2_key *key, V blocks[32])
{
    V words[16], digest[8], salted[8];
    for (int i = 0; i < 8; i++)
        digest[i] = v_set1(work->midstate[i]);
    for (int i = 0; i < 16; i++)
        words[i] = v_set1(i < 3 ? work->words[16 + i] : i == 4 ? 0x80000000 : i == 15 ? 80 * 8 : 0);
    words[3] = nonce;
    sha256_lanes_compress(digest, words);           /* an HMAC key of more than 64 bytes is hashed first */
    pbkdf2_lanes_pad(key->inner, digest, 0x36363636);
    pbkdf2_lanes_pad(key->outer, digest, 0x5c5c5c5c);

    V first[16];
    for (int i = 0; i < 16; i++)
        first[i] = v_set1(work->words[i]);
    for (int i = 0; i < 8; i++)
        salted[i] = key->inner[i];
    sha256_lanes_compress(salted, first);
    words[5] = v_set1(0x80000000);
    words[15] = v_set1((64 + 80 + 4) * 8);
    for (uint32_t block = 0; block < 4; block++) {
        words[4] = v_set1(block + 1);
        for (int i = 0; i < 8; i++)
            digest[i] = salted[i];
        sha256_lanes_compress(digest, words);
        pbkdf2_lanes_finish(blocks + 8 * block, digest, key->outer);
    }
}

/* hash = PBKDF2(header, blocks, 1, 32), as eight words; swap32(hash[7]) holds its most significant 32 bits. */
static void pbkdf2_lanes_reduce(const pbkdf2_key *key, const V blocks[32], V hash[8])
{
    V words[16], digest[8];
    for (int i = 0; i < 8; i++)
        digest[i] = key->inner[i];
    sha256_lanes_compress(digest, blocks);
    sha256_lanes_compress(digest, blocks + 16);
    for (int i = 0; i < 16; i++)
        words[i] = v_set1(i == 0 ? 1 : i == 1 ? 0x80000000 : i == 15 ? (64 + 128 + 4) * 8 : 0);
    sha256_lanes_compress(digest, words);
    pbkdf2_lanes_finish(hash, digest, key->outer);
}

#endif
