/* The message words of sha256d's two last blocks, LANES nonces side by side. Include after a vec_*.h.
 *
 * Only the nonce differs between the hashes of one scan, and most of both blocks is padding, so sums and sigmas of
 * constant words are done once a scan, or by the compiler. */
#ifndef MINER_SHA256D_WORDS_H
#define MINER_SHA256D_WORDS_H

#include "sha256_lanes.h"
#include "sha256d.h"

/* What all nonces of a scan share, in every lane. The first block: w[0..2] are the header's words 16 to 18, w[3] is the
 * nonce, w[4] the one bit, w[15] the length, the others are 0. The second: w[0..7] are the first digest, w[8] the one
 * bit, w[15] the length. */
typedef struct {
    V midstate[8];
    V a, b, c, d, e, f, g, h;   /* the first block's state after round 3, but for the nonce, to be added to a and e */
    V second_a, second_e;       /* the second block's after round 0, but for the digest's first word */
    V kw16, kw17, w16, w17;     /* K + W, and W, of the first block's round 16, and 17 */
    V part18, part19, part31, part32;   /* those terms of the first block's words that don't differ */
    V k[32];                    /* the constants of rounds 32 to 63 */
} sha256d_fixed;

MINER_INLINE uint32_t sha256d_ror(uint32_t x, int n) { return x >> n | x << (32 - n); }
MINER_INLINE uint32_t sha256d_s0(uint32_t x) { return sha256d_ror(x, 7) ^ sha256d_ror(x, 18) ^ x >> 3; }
MINER_INLINE uint32_t sha256d_s1(uint32_t x) { return sha256d_ror(x, 17) ^ sha256d_ror(x, 19) ^ x >> 10; }

/* One round for one lane; s[] is a to h, kw is K + W. */
static inline void sha256d_one_round(uint32_t s[8], uint32_t kw)
{
    uint32_t t = s[7] + kw + (s[6] ^ (s[4] & (s[5] ^ s[6])))
                 + (sha256d_ror(s[4], 6) ^ sha256d_ror(s[4], 11) ^ sha256d_ror(s[4], 25));
    uint32_t u = (sha256d_ror(s[0], 2) ^ sha256d_ror(s[0], 13) ^ sha256d_ror(s[0], 22))
                 + ((s[0] & s[1]) | (s[2] & (s[0] | s[1])));
    for (int i = 7; i > 0; i--)
        s[i] = s[i - 1];
    s[4] += t;
    s[0] = t + u;
}

static inline void sha256d_fix(sha256d_fixed *x, const miner_prepared *work)
{
    const uint32_t *w = work->words + 16;
    uint32_t s[8];
    for (int i = 0; i < 8; i++)
        x->midstate[i] = v_set1(s[i] = work->midstate[i]);
    for (int i = 0; i < 3; i++)
        sha256d_one_round(s, sha256_k[i] + w[i]);
    sha256d_one_round(s, sha256_k[3]);
    x->a = v_set1(s[0]), x->b = v_set1(s[1]), x->c = v_set1(s[2]), x->d = v_set1(s[3]);
    x->e = v_set1(s[4]), x->f = v_set1(s[5]), x->g = v_set1(s[6]), x->h = v_set1(s[7]);

    uint32_t w16 = sha256d_s0(w[1]) + w[0], w17 = sha256d_s1(SHA256D_FIRST_BITS) + sha256d_s0(w[2]) + w[1];
    x->w16 = v_set1(w16), x->kw16 = v_set1(sha256_k[16] + w16);
    x->w17 = v_set1(w17), x->kw17 = v_set1(sha256_k[17] + w17);
    x->part18 = v_set1(sha256d_s1(w16) + w[2]);
    x->part19 = v_set1(sha256d_s1(w17) + sha256d_s0(SHA256D_ONE_BIT));
    x->part31 = v_set1(sha256d_s0(w16) + SHA256D_FIRST_BITS);
    x->part32 = v_set1(sha256d_s0(w17) + w16);

    for (int i = 0; i < 32; i++)
        x->k[i] = v_set1(sha256_k[32 + i]);

    uint32_t second[8];
    for (int i = 0; i < 8; i++)
        second[i] = sha256_iv[i];
    sha256d_one_round(second, sha256_k[0]);
    x->second_a = v_set1(second[0]), x->second_e = v_set1(second[4]);
}

#define WORD(i) w[(i) & 15]
#define S0(i) SHA256_SIGMA_0(WORD((i) - 15))
#define S1(i) SHA256_SIGMA_1(WORD((i) - 2))

/* FIPS 180-4's schedule, section 6.2.2, where no term is known beforehand. */
#define SHA256D_FULL_WORD(i) v_add(v_add(WORD(i), WORD((i) - 7)), v_add(S0(i), S1(i)))

/* K + W of the first block's round i, 4 to 63, in this order; w is kept between the calls, w[3] = the nonce at first.
 * i must be a constant, so that the switch costs nothing. */
MINER_INLINE V sha256d_first_kw(const sha256d_fixed *x, V w[16], int i)
{
    switch (i) {
    case 4: return v_set1(sha256_k[4] + SHA256D_ONE_BIT);
    case 5: case 6: case 7: case 8: case 9: case 10: case 11: case 12: case 13: case 14: return v_set1(sha256_k[i]);
    case 15: return v_set1(sha256_k[15] + SHA256D_FIRST_BITS);
    case 16: return x->kw16;
    case 17: return x->kw17;
    case 18: WORD(18) = v_add(SHA256_SIGMA_0(WORD(3)), x->part18); break;
    case 19: WORD(19) = v_add(WORD(3), x->part19); break;
    case 20: WORD(20) = v_add(S1(20), v_set1(SHA256D_ONE_BIT)); break;
    case 21: WORD(21) = S1(21); break;
    case 22: WORD(22) = v_add(S1(22), v_set1(SHA256D_FIRST_BITS)); break;
    case 23: WORD(23) = v_add(S1(23), x->w16); break;
    case 24: WORD(24) = v_add(S1(24), x->w17); break;
    case 25: case 26: case 27: case 28: case 29: WORD(i) = v_add(S1(i), WORD(i - 7)); break;
    case 30: WORD(30) = v_add(v_add(S1(30), WORD(23)), v_set1(sha256d_s0(SHA256D_FIRST_BITS))); break;
    case 31: WORD(31) = v_add(v_add(S1(31), WORD(24)), x->part31); break;
    case 32: WORD(32) = v_add(v_add(S1(32), WORD(25)), x->part32); break;
    case 33: WORD(33) = v_add(v_add(S1(33), WORD(26)), v_add(S0(33), x->w17)); break;
    default: WORD(i) = SHA256D_FULL_WORD(i);
    }
    return v_add_constant(WORD(i), &sha256_k[i]);
}

/* K + W of the second block's round i, 0 to 60, in this order; w is kept between the calls, w[0..7] = the first digest.
 * i must be a constant. */
MINER_INLINE V sha256d_second_kw(V w[16], int i)
{
    switch (i) {
    case 0: case 1: case 2: case 3: case 4: case 5: case 6: case 7: break;
    case 8: return v_set1(sha256_k[8] + SHA256D_ONE_BIT);
    case 9: case 10: case 11: case 12: case 13: case 14: return v_set1(sha256_k[i]);
    case 15: return v_set1(sha256_k[15] + SHA256D_SECOND_BITS);
    case 16: WORD(16) = v_add(S0(16), WORD(0)); break;
    case 17: WORD(17) = v_add(v_add(S0(17), WORD(1)), v_set1(sha256d_s1(SHA256D_SECOND_BITS))); break;
    case 18: case 19: case 20: case 21: WORD(i) = v_add(v_add(S0(i), WORD(i - 16)), S1(i)); break;
    case 22: WORD(22) = v_add(v_add(v_add(S0(22), WORD(6)), v_set1(SHA256D_SECOND_BITS)), S1(22)); break;
    case 23: WORD(23) = v_add(v_add(WORD(7), WORD(16)), v_add(v_set1(sha256d_s0(SHA256D_ONE_BIT)), S1(23))); break;
    case 24: WORD(24) = v_add(v_add(WORD(17), v_set1(SHA256D_ONE_BIT)), S1(24)); break;
    case 25: case 26: case 27: case 28: case 29: WORD(i) = v_add(S1(i), WORD(i - 7)); break;
    case 30: WORD(30) = v_add(v_add(WORD(23), v_set1(sha256d_s0(SHA256D_SECOND_BITS))), S1(30)); break;
    case 31: WORD(31) = v_add(v_add(S0(31), WORD(24)), v_add(v_set1(SHA256D_SECOND_BITS), S1(31))); break;
    default: WORD(i) = SHA256D_FULL_WORD(i);
    }
    return v_add_constant(WORD(i), &sha256_k[i]);
}


#endif
