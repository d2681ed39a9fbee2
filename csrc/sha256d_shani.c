/* sha256d by the SHA extensions alone: rounds by sha256rnds2, schedules by sha256msg1 and sha256msg2 (Intel's SHA
 * Extensions, 2013). A chain of rounds waits four cycles for each result, so several nonces are hashed side by side.
 *
 * Bound by sha256rnds2 and sha256msg2, which share a pipe on Zen 4 (timed alone and mixed), one cycle and two: a hash
 * takes 62 and 24 of them, 110 cycles, and the kernel about 117.
 *
 * Not woven with AVX2 lanes: without AVX-512 these instructions have no VEX form, and after upper halves in use each
 * change costs 115 ns; with vzeroupper between stretches it does 0.5 to 0.7 of this (a virtual Zen 3 at 2.9 GHz). */
#include "isa.h"
#ifdef MINER_X86
#include "sha256.h"
#include "sha256d.h"

MINER_ISA_BEGIN("sha,sse4.1,ssse3")
#include "shani.h"

/* Two streams cover the latency where a sha256rnds2 can start every second cycle, four where every one. */
enum { STREAMS = 4 };

/* What all nonces of a scan share. Message words go four to a register, the first in the lowest part. */
typedef struct {
    packed_state midstate, first_start, second_start;   /* first_start: before round 2 */
    __m128i words0;             /* with the nonce 0 */
    __m128i first_kw[4], second_kw[4];      /* K + W of four rounds, where known: first [1..3], second [2..3] */
    __m128i first_part5, first_part6;       /* sha256msg1's results where known */
    __m128i second_part6;
} fixed;

MINER_INLINE __m128i k4(int i) { return _mm_loadu_si128((const __m128i *)(sha256_k + 4 * i)); }

MINER_INLINE packed_state two_rounds(packed_state s, __m128i kw)
{
    packed_state next = { _mm_sha256rnds2_epu32(s.cdgh, s.abef, kw), s.abef };
    return next;
}

MINER_INLINE packed_state four_rounds(packed_state s, __m128i kw)
{
    return two_rounds(two_rounds(s, kw), _mm_shuffle_epi32(kw, 0x0e));
}

MINER_INLINE __m128i words(uint32_t w0, uint32_t w1, uint32_t w2, uint32_t w3)
{
    return _mm_set_epi32((int)w3, (int)w2, (int)w1, (int)w0);
}

static void prepare(fixed *x, const miner_prepared *work)
{
    const uint32_t *w = work->words + 16;
    const __m128i zero = _mm_setzero_si128(), padding = words(SHA256D_ONE_BIT, 0, 0, 0);
    const __m128i first_bits = words(0, 0, 0, SHA256D_FIRST_BITS), second_bits = words(0, 0, 0, SHA256D_SECOND_BITS);
    x->midstate = pack(work->midstate);
    x->first_start = two_rounds(x->midstate, words(sha256_k[0] + w[0], sha256_k[1] + w[1], 0, 0));
    x->second_start = pack(sha256_iv);
    x->words0 = words(w[0], w[1], w[2], 0);
    x->first_kw[1] = _mm_add_epi32(k4(1), padding);
    x->first_kw[2] = k4(2);
    x->first_kw[3] = _mm_add_epi32(k4(3), first_bits);
    x->second_kw[2] = _mm_add_epi32(k4(2), padding);
    x->second_kw[3] = _mm_add_epi32(k4(3), second_bits);
    x->first_part5 = _mm_sha256msg1_epu32(padding, zero);
    x->first_part6 = _mm_sha256msg1_epu32(zero, first_bits);
    x->second_part6 = _mm_sha256msg1_epu32(padding, zero);
}

/* Statements for each stream s, or for each with four rounds j; m[s][j % 4] holds message words 4j to 4j + 3. */
#define EACH(DO, j) DO(0, j) DO(1, j) DO(2, j) DO(3, j)
#define M(s, j) m[s][(j) & 3]
/* part: sha256msg1 of the words sixteen and twelve before. FIPS 180-4's schedule, four words at a time. */
#define WORDS_FROM(s, j, part)                                                                                  \
    M(s, j) = _mm_sha256msg2_epu32(_mm_add_epi32(part, _mm_alignr_epi8(M(s, (j) - 1), M(s, (j) - 2), 4)),       \
                                   M(s, (j) - 1));
#define WORDS(s, j) WORDS_FROM(s, j, _mm_sha256msg1_epu32(M(s, j), M(s, (j) - 3)))
#define FOUR(s, j) t[s] = four_rounds(t[s], _mm_add_epi32(M(s, j), k4(j)));
#define WORDS_FOUR(s, j) WORDS(s, j) FOUR(s, j)
#define FIRST_KNOWN(s, j) t[s] = four_rounds(t[s], x->first_kw[j]);
#define SECOND_KNOWN(s, j) t[s] = four_rounds(t[s], x->second_kw[j]);

/* See sha256d_streams.h. */
MINER_INLINE void hash(const fixed *x, uint32_t nonce, uint32_t tops[STREAMS])
{
    const __m128i zero = _mm_setzero_si128(), padding = words(SHA256D_ONE_BIT, 0, 0, 0);
    packed_state t[STREAMS];
    __m128i m[STREAMS][4];
#define START(s, j)                                                             \
    M(s, 0) = _mm_insert_epi32(x->words0, (int)swap32(nonce + (s)), 3);         \
    M(s, 1) = padding, M(s, 2) = zero, M(s, 3) = words(0, 0, 0, SHA256D_FIRST_BITS);        \
    t[s] = two_rounds(x->first_start, _mm_shuffle_epi32(_mm_add_epi32(M(s, 0), k4(0)), 0x0e));
#define WORDS_4(s, j) M(s, 4) = _mm_sha256msg2_epu32(_mm_sha256msg1_epu32(M(s, 0), padding), M(s, 3));
#define FIRST_5(s, j) WORDS_FROM(s, 5, x->first_part5) FOUR(s, 5)
#define FIRST_6(s, j) WORDS_FROM(s, 6, x->first_part6) FOUR(s, 6)
    EACH(START, 0)
    EACH(FIRST_KNOWN, 1)
    EACH(WORDS_4, 4)
    EACH(FIRST_KNOWN, 2)
    EACH(FIRST_KNOWN, 3)
    EACH(FOUR, 4)
    EACH(FIRST_5, 5)
    EACH(FIRST_6, 6)
    EACH(WORDS_FOUR, 7)
    EACH(WORDS_FOUR, 8)
    EACH(WORDS_FOUR, 9)
    EACH(WORDS_FOUR, 10)
    EACH(WORDS_FOUR, 11)
    EACH(WORDS_FOUR, 12)
    EACH(WORDS_FOUR, 13)
    EACH(WORDS_FOUR, 14)
    EACH(WORDS_FOUR, 15)

/* The first digest in the order of words. */
#define DIGEST(s, j)                                                                            \
    do {                                                                                        \
        __m128i feba = _mm_shuffle_epi32(_mm_add_epi32(t[s].abef, x->midstate.abef), 0x1b);     \
        __m128i hgdc = _mm_shuffle_epi32(_mm_add_epi32(t[s].cdgh, x->midstate.cdgh), 0x1b);     \
        M(s, 0) = _mm_unpacklo_epi64(feba, hgdc);                                               \
        M(s, 1) = _mm_unpackhi_epi64(feba, hgdc);                                               \
        M(s, 2) = padding, M(s, 3) = words(0, 0, 0, SHA256D_SECOND_BITS);                       \
        t[s] = x->second_start;                                                                 \
    } while (0);
#define SECOND_6(s, j) WORDS_FROM(s, 6, x->second_part6) FOUR(s, 6)
/* Rounds 60 and 61: they move the wanted e on to f, the lowest word. */
#define LAST(s, j)                                                      \
    WORDS(s, 15)                                                        \
    t[s] = two_rounds(t[s], _mm_add_epi32(M(s, 15), k4(15)));           \
    tops[s] = (uint32_t)_mm_cvtsi128_si32(t[s].abef);
    EACH(DIGEST, 0)
    EACH(FOUR, 0)
    EACH(FOUR, 1)
    EACH(SECOND_KNOWN, 2)
    EACH(SECOND_KNOWN, 3)
    EACH(WORDS_FOUR, 4)
    EACH(WORDS_FOUR, 5)
    EACH(WORDS_FOUR, 6)
    EACH(WORDS_FOUR, 7)
    EACH(WORDS_FOUR, 8)
    EACH(WORDS_FOUR, 9)
    EACH(WORDS_FOUR, 10)
    EACH(WORDS_FOUR, 11)
    EACH(WORDS_FOUR, 12)
    EACH(WORDS_FOUR, 13)
    EACH(WORDS_FOUR, 14)
    EACH(LAST, 15)
}

#include "sha256d_streams.h"

SHA256D_KERNEL(miner_sha256d_shani, "shani", MINER_CPU_SHANI, STREAMS, sha256d_streams_scan);

MINER_ISA_END
#endif
