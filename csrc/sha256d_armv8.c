/* sha256d by the SHA-2 instructions of ARMv8's cryptographic extension (Arm ARM, section A2.3): four rounds, or four
 * words of the schedule, at a time, for several nonces side by side to cover their latency. */
#include "isa.h"
#ifdef MINER_ARM64
#include "sha256.h"
#include "sha256d.h"

MINER_ISA_BEGIN("+crypto")

enum { STREAMS = 4 };

/* The first letter is in the lowest lane. */
typedef struct {
    uint32x4_t abcd, efgh;
} packed_state;

typedef struct {
    packed_state midstate;
    uint32x4_t words0;          /* message words 16 to 19, of which the last is the nonce's place */
} fixed;

static void prepare(fixed *x, const miner_prepared *work)
{
    x->midstate.abcd = vld1q_u32(work->midstate);
    x->midstate.efgh = vld1q_u32(work->midstate + 4);
    x->words0 = vld1q_u32(work->words + 16);
}

MINER_INLINE packed_state four_rounds(packed_state s, uint32x4_t kw)
{
    packed_state next = { vsha256hq_u32(s.abcd, s.efgh, kw), vsha256h2q_u32(s.efgh, s.abcd, kw) };
    return next;
}

MINER_INLINE uint32x4_t k4(int i) { return vld1q_u32(sha256_k + 4 * i); }

MINER_INLINE uint32x4_t words(uint32_t w0, uint32_t w1, uint32_t w2, uint32_t w3)
{
    const uint32_t w[4] = { w0, w1, w2, w3 };
    return vld1q_u32(w);
}

/* Statements for each stream s with four rounds j; m[s][j % 4] holds message words 4j to 4j + 3. */
#define EACH(DO, j) DO(0, j) DO(1, j) DO(2, j) DO(3, j)
#define M(s, j) m[s][(j) & 3]
#define FOUR(s, j) t[s] = four_rounds(t[s], vaddq_u32(M(s, j), k4(j)));
#define WORDS_FOUR(s, j)                                                                          \
    M(s, j) = vsha256su1q_u32(vsha256su0q_u32(M(s, j), M(s, (j) - 3)), M(s, (j) - 2), M(s, (j) - 1)); \
    FOUR(s, j)
#define BLOCK                                                                                     \
    EACH(FOUR, 0) EACH(FOUR, 1) EACH(FOUR, 2) EACH(FOUR, 3)                                       \
    EACH(WORDS_FOUR, 4) EACH(WORDS_FOUR, 5) EACH(WORDS_FOUR, 6) EACH(WORDS_FOUR, 7)               \
    EACH(WORDS_FOUR, 8) EACH(WORDS_FOUR, 9) EACH(WORDS_FOUR, 10) EACH(WORDS_FOUR, 11)             \
    EACH(WORDS_FOUR, 12) EACH(WORDS_FOUR, 13) EACH(WORDS_FOUR, 14) EACH(WORDS_FOUR, 15)

/* See sha256d_streams.h. */
MINER_INLINE void hash(const fixed *x, uint32_t nonce, uint32_t tops[STREAMS])
{
    const packed_state midstate = x->midstate;
    const packed_state start = { vld1q_u32(sha256_iv), vld1q_u32(sha256_iv + 4) };
    const uint32x4_t zero = vdupq_n_u32(0), padding = words(SHA256D_ONE_BIT, 0, 0, 0);
    packed_state t[STREAMS];
    uint32x4_t m[STREAMS][4];
#define HEADER(s, j)                                                                \
    t[s] = midstate;                                                                \
    M(s, 0) = vsetq_lane_u32(swap32(nonce + (s)), x->words0, 3), M(s, 1) = padding; \
    M(s, 2) = zero, M(s, 3) = words(0, 0, 0, SHA256D_FIRST_BITS);
#define DIGEST(s, j)                                                                \
    M(s, 0) = vaddq_u32(t[s].abcd, midstate.abcd);                                  \
    M(s, 1) = vaddq_u32(t[s].efgh, midstate.efgh);                                  \
    M(s, 2) = padding, M(s, 3) = words(0, 0, 0, SHA256D_SECOND_BITS);               \
    t[s] = start;
#define TOP(s, j) tops[s] = vgetq_lane_u32(t[s].efgh, 3);
    EACH(HEADER, 0)
    BLOCK
    EACH(DIGEST, 0)
    BLOCK
    EACH(TOP, 0)
}

#include "sha256d_streams.h"

SHA256D_KERNEL(miner_sha256d_armv8, "armv8", MINER_CPU_NEON | MINER_CPU_ARMV8_SHA2, STREAMS, sha256d_streams_scan);

MINER_ISA_END
#endif
