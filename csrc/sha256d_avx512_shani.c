/* sha256d with both of a CPU's ways at once: message schedules for eight nonces side by side in vector registers, and
 * rounds one nonce at a time by sha256rnds2. They use different execution units, so the rounds of one batch's block are
 * woven into the making of another batch's schedule:
 *
 *   phase 1:  rounds of the first block, batch n + 1   | schedule of the second block, batch n
 *   phase 2:  rounds of the second block, batch n      | schedule of the first block, batch n + 2
 *
 * Measured on Zen 4 (sha256rnds2: latency 4, one a cycle): half as fast again as AVX-512 alone. Sixteen lanes are
 * slower than eight, for a 512-bit operation takes the pipe that sha256rnds2 wants for two cycles; four streams of
 * rounds are slower than eight, for they just cover the latency. */
#include <string.h>

#include "isa.h"
#ifdef MINER_X86
#define MINER_VEC_ISA "avx512f,avx512bw,avx512vl,avx512dq,avx2,bmi2,sha,sse4.1"
#include "vec_avx512vl.h"
#include "sha256d_words.h"
#include "shani.h"

/* They undo the weaving, or keep more words than there are registers. */
MINER_GCC_OPTIONS("no-schedule-insns2", "no-tree-ter", "no-tree-reassoc")

enum { HALF = LANES / 2 };

/* K + W of two rounds for each nonce of a batch: slot i is what sha256rnds2 takes. */
typedef struct {
    uint64_t slot[LANES];
} round_pair;

typedef struct {
    _Alignas(64) round_pair first[32], second[32];  /* of each block; [i]: rounds 2i and 2i + 1 */
    __m128i abef[LANES], cdgh[LANES];               /* states after the first block's rounds */
    uint32_t top[LANES];                            /* e after round 60 of the second block */
    sha256d_fixed fixed;
    V first_kw2;                                    /* K + W of the first block's round 2 */
    packed_state first_start, second_start;         /* before round 2 of the first block, round 0 of the second */
} workspace;

/* Two rows of K + W, a lane a nonce, become eight slots. */
MINER_INLINE void put(round_pair *out, V even, V odd)
{
    _mm256_store_si256((V *)out->slot, _mm256_unpacklo_epi32(even, odd));
    _mm256_store_si256((V *)(out->slot + HALF), _mm256_unpackhi_epi32(even, odd));
}

/* The lane that put() sends to a slot, and the slot whose state digest_words() brings to a lane. */
static unsigned lane_of(unsigned slot) { return slot % HALF / 2 * 4 + slot / HALF * 2 + slot % 2; }
static unsigned slot_of(unsigned lane) { return lane % 4 * (LANES / 4) + lane / 4; }

/* What to add to a batch's first nonce, in such an order that after both blocks nonce i's result is in slot i. */
static V nonce_order(void)
{
    uint32_t order[LANES];
    for (unsigned i = 0; i < LANES; i++)
        order[lane_of(slot_of(lane_of(i)))] = i;
    return _mm256_loadu_si256((const V *)order);
}

/* Half a pair of rounds: k / 2 counts the 31 pairs, k % 2 says which four nonces. k is a constant. */
MINER_INLINE void rounds(packed_state s[LANES], const round_pair *kw, const packed_state *start, int k)
{
#define STREAM(n)                                                                       \
    do {                                                                                \
        packed_state *t = &s[k % 2 * HALF + (n)];                                       \
        __m128i two = _mm_loadl_epi64((const __m128i *)&kw[k / 2].slot[k % 2 * HALF + (n)]); \
        if (k / 2 == 0)                                                                 \
            *t = *start;                                                                \
        if (k / 2 % 2 == 0)                                                             \
            t->cdgh = _mm_sha256rnds2_epu32(t->cdgh, t->abef, two);                     \
        else                                                                            \
            t->abef = _mm_sha256rnds2_epu32(t->abef, t->cdgh, two);                     \
    } while (0)
    STREAM(0);
    STREAM(1);
    STREAM(2);
    STREAM(3);
#undef STREAM
}

/* The other way round than put(): four words of eight states become four rows. */
MINER_INLINE void transpose(const __m128i in[LANES], V *out0, V *out1, V *out2, V *out3)
{
    const V *rows = (const V *)in;
    V a = _mm256_unpacklo_epi32(rows[0], rows[1]), b = _mm256_unpackhi_epi32(rows[0], rows[1]);
    V c = _mm256_unpacklo_epi32(rows[2], rows[3]), d = _mm256_unpackhi_epi32(rows[2], rows[3]);
    *out0 = _mm256_unpacklo_epi64(a, c);
    *out1 = _mm256_unpackhi_epi64(a, c);
    *out2 = _mm256_unpacklo_epi64(b, d);
    *out3 = _mm256_unpackhi_epi64(b, d);
}

MINER_INLINE void digest_words(const workspace *x, V w[16])
{
    transpose(x->abef, &w[5], &w[4], &w[1], &w[0]);
    transpose(x->cdgh, &w[7], &w[6], &w[3], &w[2]);
    w[0] = v_add(w[0], x->fixed.midstate[0]), w[1] = v_add(w[1], x->fixed.midstate[1]);
    w[2] = v_add(w[2], x->fixed.midstate[2]), w[3] = v_add(w[3], x->fixed.midstate[3]);
    w[4] = v_add(w[4], x->fixed.midstate[4]), w[5] = v_add(w[5], x->fixed.midstate[5]);
    w[6] = v_add(w[6], x->fixed.midstate[6]), w[7] = v_add(w[7], x->fixed.midstate[7]);
}

/* i: the row pair's even round; k: the rounds done meanwhile. */
#define PAIR(i, k)                                          \
    do {                                                    \
        V even_ = SCHEDULE(i);                              \
        ROUNDS(k);                                          \
        V odd_ = (i) == 60 && IS_LAST ? even_ : SCHEDULE((i) + 1);  \
        ROUNDS((k) + 1);                                    \
        put(&OUT[(i) / 2], even_, odd_);                    \
    } while (0)

__attribute__((noinline)) static void phase_1(workspace *x)
{
    V w[16];
    packed_state s[LANES];
    digest_words(x, w);
#define SCHEDULE(i) sha256d_second_kw(w, i)
#define OUT x->second
#define IS_LAST 1       /* round 60 is the last that matters */
#define ROUNDS(k) rounds(s, x->first + 1, &x->first_start, k)
#define THREE(i, k) PAIR(i, k); ROUNDS((k) + 2); PAIR((i) + 2, (k) + 3); PAIR((i) + 4, (k) + 5)
    PAIR(0, 0);
    PAIR(2, 2);
    PAIR(4, 4);
    PAIR(6, 6);
    THREE(16, 8);
    THREE(22, 15);
    THREE(28, 22);
    THREE(34, 29);
    THREE(40, 36);
    THREE(46, 43);
    THREE(52, 50);
    PAIR(58, 57);
    ROUNDS(59);
    PAIR(60, 60);
#undef SCHEDULE
#undef OUT
#undef IS_LAST
#undef ROUNDS
#undef THREE
    for (int i = 0; i < LANES; i++) {       /* after an odd number of pairs the two have changed places */
        x->abef[i] = s[i].cdgh;
        x->cdgh[i] = s[i].abef;
    }
}

__attribute__((noinline)) static void phase_2(workspace *x, V nonces)
{
    V w[16];
    packed_state s[LANES];
    w[3] = v_swap_bytes(nonces);
    put(&x->first[1], x->first_kw2, v_add(w[3], v_set1(sha256_k[3])));
#define SCHEDULE(i) sha256d_first_kw(&x->fixed, w, i)
#define OUT x->first
#define IS_LAST 0
#define ROUNDS(k) rounds(s, x->second, &x->second_start, k)
#define THREE(i, k) PAIR(i, k); ROUNDS((k) + 2); PAIR((i) + 2, (k) + 3); ROUNDS((k) + 5); PAIR((i) + 4, (k) + 6)
    THREE(18, 0);
    THREE(24, 8);
    THREE(30, 16);
    THREE(36, 24);
    THREE(42, 32);
    THREE(48, 40);
    THREE(54, 48);
    PAIR(60, 56);
    ROUNDS(58);
    PAIR(62, 59);
    ROUNDS(61);
#undef SCHEDULE
#undef OUT
#undef IS_LAST
#undef ROUNDS
#undef THREE
    for (int i = 0; i < LANES; i++)         /* round 61 has moved e on to f */
        x->top[i] = (uint32_t)_mm_cvtsi128_si32(s[i].cdgh);
}

/* Everything that stays the same for a whole scan. */
static void prepare(workspace *x, const miner_prepared *work)
{
    V w[16];
    uint32_t s[8];
    memset(x, 0, sizeof *x);
    sha256d_fix(&x->fixed, work);
    memcpy(s, work->midstate, sizeof s);
    sha256d_one_round(s, sha256_k[0] + work->words[16]);
    sha256d_one_round(s, sha256_k[1] + work->words[17]);
    x->first_start = pack(s);
    x->second_start = pack(sha256_iv);
    x->first_kw2 = v_set1(sha256_k[2] + work->words[18]);
#define KNOWN_FIRST(i) \
    put(&x->first[(i) / 2], sha256d_first_kw(&x->fixed, w, i), sha256d_first_kw(&x->fixed, w, (i) + 1))
#define KNOWN_SECOND(i) \
    put(&x->second[(i) / 2], sha256d_second_kw(w, i), sha256d_second_kw(w, (i) + 1))
    KNOWN_FIRST(4);
    KNOWN_FIRST(6);
    KNOWN_FIRST(8);
    KNOWN_FIRST(10);
    KNOWN_FIRST(12);
    KNOWN_FIRST(14);
    KNOWN_FIRST(16);
    KNOWN_SECOND(8);
    KNOWN_SECOND(10);
    KNOWN_SECOND(12);
    KNOWN_SECOND(14);
}

static uint64_t scan(const miner_prepared *work, miner_scratch *scratch, uint32_t nonce, uint64_t batches,
                     const miner_stop *stop, uint64_t *candidates)
{
    workspace x;
    V nonces = v_add(v_set1(nonce), nonce_order()), step = v_set1(LANES);
    (void)scratch;
    *candidates = 0;
    prepare(&x, work);
    /* Fill the pipeline: batch 0 to the end of its first block, batch 1 ready for its own. */
    phase_2(&x, nonces);
    phase_1(&x);
    phase_2(&x, nonces = v_add(nonces, step));
    for (uint64_t batch = 0; batch < batches; batch++) {
        if (batch % SHA256D_STOP_EVERY == 0 && miner_stopped(stop))
            return batch;
        phase_1(&x);
        phase_2(&x, nonces = v_add(nonces, step));
        V top = v_add(_mm256_loadu_si256((const V *)x.top), v_set1(sha256_iv[7]));
        uint64_t found = v_at_most(v_swap_bytes(top), work->target_top);
        if (found) {
            *candidates = found;
            return batch + 1;
        }
    }
    return batches;
}

SHA256D_KERNEL(miner_sha256d_avx512_shani, "avx512_shani", MINER_CPU_AVX512 | MINER_CPU_SHANI, LANES, scan);

MINER_ISA_END
#endif
