/* scrypt's two PBKDF2-HMAC-SHA256 steps (RFC 7914 section 6; RFC 2104 for HMAC), with one iteration each, for LANES
 * headers that differ in the nonce alone. Include a vec_*.h first. Lane i of each vector belongs to header i. A word is
 * four bytes read big-endian, as SHA-256 reads them. Salsa20 reads its words little-endian, so a kernel swaps the bytes
 * of each word (v_swap_bytes) before ROMix and after it. */
#ifndef MINER_PBKDF2_LANES_H
#define MINER_PBKDF2_LANES_H

#include "kernel.h"
#include "sha256_lanes.h"

/* HMAC with the header as key: SHA-256's state after the block of key ^ ipad, and after that of key ^ opad. The first
 * step, pbkdf2_lanes_expand(), computes both; the second, pbkdf2_lanes_reduce(), starts from them. */
typedef struct {
    V inner[8], outer[8];
} pbkdf2_key;

/* state = SHA-256's state after one block: an HMAC key of 32 bytes, filled up with zeros, xored with `pad` (HMAC's ipad
 * or opad byte, four times). */
static inline void pbkdf2_lanes_pad(V state[8], const V key[8], uint32_t pad)
{
    V words[16];
    for (int i = 0; i < 16; i++)
        words[i] = i < 8 ? v_xor(key[i], v_set1(pad)) : v_set1(pad);
    for (int i = 0; i < 8; i++)
        state[i] = v_set1(sha256_iv[i]);
    sha256_lanes_compress(state, words);
}

/* out = HMAC's result: its outer hash, of 96 bytes. `outer` is the state after the 64 bytes of key ^ opad; the inner
 * hash's 32 bytes, `digest`, come after them. */
static inline void pbkdf2_lanes_finish(V out[8], const V digest[8], const V outer[8])
{
    V words[16];
    for (int i = 0; i < 16; i++)
        words[i] = i < 8 ? digest[i] : v_set1(i == 8 ? 0x80000000 : i == 15 ? (64 + 32) * 8 : 0);
    for (int i = 0; i < 8; i++)
        out[i] = outer[i];
    sha256_lanes_compress(out, words);
}

/* blocks = the 128 bytes of PBKDF2(password: header, salt: header, iterations: 1), as 32 words; *key = HMAC's states
 * for pbkdf2_lanes_reduce(). `nonce` is the header's last word: v_swap_bytes() of the nonce's number, because a header
 * has its nonce little-endian. */
static void pbkdf2_lanes_expand(const miner_prepared *work, V nonce, pbkdf2_key *key, V blocks[32])
{
    V words[16], digest[8], salted[8];
    for (int i = 0; i < 8; i++)
        digest[i] = v_set1(work->midstate[i]);
    for (int i = 0; i < 16; i++)
        words[i] = v_set1(i < 3 ? work->words[16 + i] : i == 4 ? 0x80000000 : i == 15 ? 80 * 8 : 0);
    words[3] = nonce;
    sha256_lanes_compress(digest, words);           /* HMAC hashes a key of over 64 bytes: the header has 80 */
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

/* hash = the 32 bytes of PBKDF2(password: header, salt: blocks, iterations: 1), as eight words; *key is what
 * pbkdf2_lanes_expand() made of the header. A hash is a little-endian number: its most significant 32 bits are
 * v_swap_bytes(hash[7]). */
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
