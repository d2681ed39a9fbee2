/* ROMix (RFC 7914 section 5) of two sets of six blocks for scrypt_lanes.h. Include after vec_avx2.h.
 *
 * Two hashes share a register: four words of one, four of the other. Half a block is then four registers a pair, which
 * hold the diagonals of Salsa20's square, so that four quarter-rounds are one, and a row of memory needs no transposing.
 * Three pairs are side by side, since one waits for its own results: twelve registers, and two left for sums. Two sets
 * take turns, so that one's rows come from the second-level cache or the third while the other computes.
 *
 * What bounds it: Salsa20/8 of six hashes is 552 operations, of which Zen 3 could do four a cycle (264 of them, shifts
 * and shuffles, two), 138 cycles; it takes 182 to 186 alone. Neither another order nor left shifts by the multiplier
 * (-4 to -10%) nor a fourth pair (-5%) brings that down. A hash in each lane needs no shuffles and is level with this
 * while the core has one thread (160 cycles for eight hashes by count, 214 taken: words go through memory), but where
 * two share it, it takes 300 to 390 for what this does in 245.
 *
 * From N = 2^14 on, where rows come from memory, hashes are 1.36 times as slow, for their N, as with N = 1024. Stores
 * past the cache bring 2% there, 4% at 2^16 and -18% at 2^10: not worth a second function. To keep every second row and
 * compute the others again is half as many steps again for six hashes at once: more than memory costs. */
#ifndef MINER_ROMIX_AVX2_H
#define MINER_ROMIX_AVX2_H

#include <string.h>

#include "kernel.h"
#include "scrypt_rows.h"

#define SCRYPT_HASHES 6
enum { PAIRS = SCRYPT_HASHES / 2 };
enum { STOP_EVERY = 64 };       /* steps between two looks at the epoch: 0.1 ms even at 7 kH/s */

/* Half a block of each hash: register r of pair k holds diagonal r of hash 2k, then of hash 2k + 1. */
typedef V romix_half[4][PAIRS];
#define EACH_REGISTER(r, k) for (int r = 0; r < 4; r++) for (int k = 0; k < PAIRS; k++)

/* Which word of a half block is where in the diagonals, and in rows of memory. */
static const uint8_t romix_diagonals[16] = { 0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11 };

typedef struct {
    romix_half x[2];                /* the blocks */
    uint8_t *pad;                   /* scratchpad of hash 0; the others' follow, a stride apart */
    uint8_t *row[SCRYPT_HASHES];    /* where each hash's next row is read */
} romix_set;

/* to ^= (x + y) <<< left, of one pair, and of all. */
#define SALSA_STEP(to, x, y, left, right)                                                                   \
    "vpaddd %[" x "], %[" y "], %[sum]\n\tvpslld $" left ", %[sum], %[high]\n\t"                            \
    "vpsrld $" right ", %[sum], %[sum]\n\tvpxor %[high], %[" to "], %[" to "]\n\t"                          \
    "vpxor %[sum], %[" to "], %[" to "]\n\t"
#define SALSA_STEPS(to, x, y, left, right)                                                                  \
    SALSA_STEP(to "0", x "0", y "0", left, right) SALSA_STEP(to "1", x "1", y "1", left, right)             \
    SALSA_STEP(to "2", x "2", y "2", left, right)
/* Diagonals turn, so that columns become rows, or rows columns. */
#define SALSA_TURN(x, order)                                                                                \
    "vpshufd $" order ", %[" x "0], %[" x "0]\n\tvpshufd $" order ", %[" x "1], %[" x "1]\n\t"              \
    "vpshufd $" order ", %[" x "2], %[" x "2]\n\t"
#define SALSA_ROUND(b, d)                                                                                   \
    SALSA_STEPS(b, "a", d, "7", "25") SALSA_STEPS("c", b, "a", "9", "23")                                   \
    SALSA_STEPS(d, "c", b, "13", "19") SALSA_TURN(b, "0x93")                                                \
    SALSA_STEPS("a", d, "c", "18", "14") SALSA_TURN("c", "0x4e") SALSA_TURN(d, "0x39")
#define SALSA_PAIRS(x, r) [x##0] "+x"(w[r][0]), [x##1] "+x"(w[r][1]), [x##2] "+x"(w[r][2])

/* Salsa20/8 but for its last additions. In assembly, because gcc and clang spill. */
MINER_INLINE void salsa_rounds(romix_half w)
{
    V sum, high;
    int double_rounds = 4;
    __asm__("1:\n\t" SALSA_ROUND("b", "d") SALSA_ROUND("d", "b") "decl %[left]\n\tjnz 1b"
            : SALSA_PAIRS(a, 0), SALSA_PAIRS(b, 1), SALSA_PAIRS(c, 2), SALSA_PAIRS(d, 3),
              [sum] "=&x"(sum), [high] "=&x"(high), [left] "+r"(double_rounds) : : "cc");
}

/* RFC 7914's scryptBlockMix with r = 1. w: both halves xored. */
MINER_INLINE void block_mix(romix_half x[2], romix_half w)
{
    EACH_REGISTER(r, k)
        x[0][r][k] = w[r][k];
    salsa_rounds(w);
    EACH_REGISTER(r, k) {
        x[0][r][k] = v_add(w[r][k], x[0][r][k]);
        x[1][r][k] = w[r][k] = v_xor(x[0][r][k], x[1][r][k]);
    }
    salsa_rounds(w);
    EACH_REGISTER(r, k)
        x[1][r][k] = v_add(w[r][k], x[1][r][k]);
}

/* One of ROMix's first n steps: each block becomes a row, the first of which is at `row`. What comes to the cache from
 * the next rows meanwhile is 4 to 9% faster to write there. */
static __attribute__((noinline)) void romix_fill_step(romix_set *set, uint8_t *row, size_t stride)
{
    romix_half w;
    for (int half = 0; half < 2; half++)
        EACH_REGISTER(r, k) {
            __m128i *to = (__m128i *)(row + 2 * (size_t)k * stride) + 4 * half + r;
            _mm_store_si128(to, _mm256_castsi256_si128(set->x[half][r][k]));
            _mm_store_si128(to + stride / sizeof *to, _mm256_extracti128_si256(set->x[half][r][k], 1));
        }
    for (size_t hash = 0; hash < SCRYPT_HASHES; hash++) {
        __builtin_prefetch(row + hash * stride + ROW, 1);
        __builtin_prefetch(row + hash * stride + ROW + 64, 1);
    }
    EACH_REGISTER(r, k)
        w[r][k] = v_xor(set->x[0][r][k], set->x[1][r][k]);
    block_mix(set->x, w);
}

/* The row that each block names (RFC 7914's Integerify); the cache hears of all before the first is read. */
MINER_INLINE void romix_find_rows(romix_set *set, uint32_t n)
{
    for (size_t hash = 0; hash < SCRYPT_HASHES; hash++) {
        uint32_t word;
        memcpy(&word, (uint8_t *)&set->x[1][0][hash / 2] + hash % 2 * 16, sizeof word);
        set->row[hash] = set->pad + hash * scrypt_stride(n) + (size_t)(word & (n - 1)) * ROW;
        __builtin_prefetch(set->row[hash]);
        __builtin_prefetch(set->row[hash] + 64);
    }
}

MINER_INLINE V romix_load(const romix_set *set, int half, int r, int k)
{
    const __m128i *one = (const __m128i *)set->row[2 * k], *other = (const __m128i *)set->row[2 * k + 1];
    return _mm256_inserti128_si256(_mm256_castsi128_si256(one[4 * half + r]), other[4 * half + r], 1);
}

/* One of ROMix's last n steps: each block is mixed with the row that it named, and names the next. */
static __attribute__((noinline)) void romix_mix_step(romix_set *set, uint32_t n)
{
    romix_half w;
    EACH_REGISTER(r, k) {
        set->x[1][r][k] = v_xor(set->x[1][r][k], romix_load(set, 1, r, k));
        w[r][k] = v_xor3(set->x[0][r][k], romix_load(set, 0, r, k), set->x[1][r][k]);
    }
    block_mix(set->x, w);
    romix_find_rows(set, n);
}

/* Where word i of a hash's block is in each order, as a number of 32-bit words. */
#define IN_BLOCKS(hash, i) (((i) / 16 * 16 + romix_diagonals[(i) % 16]) * LANES + (hash))
#define IN_SET(hash, i) ((((i) / 4) * PAIRS + (hash) / 2) * LANES + (hash) % 2 * 4 + (i) % 4)

static void romix_begin(romix_set *set, const V blocks[32])
{
    for (int hash = 0; hash < SCRYPT_HASHES; hash++)
        for (int i = 0; i < 32; i++)
            memcpy((uint32_t *)set->x + IN_SET(hash, i), (const uint32_t *)blocks + IN_BLOCKS(hash, i), 4);
}

static void romix_end(const romix_set *set, V blocks[32])
{
    for (int hash = 0; hash < SCRYPT_HASHES; hash++)
        for (int i = 0; i < 32; i++)
            memcpy((uint32_t *)blocks + IN_BLOCKS(hash, i), (const uint32_t *)set->x + IN_SET(hash, i), 4);
}

/* ROMix of the blocks of each set. memory: SETS * SCRYPT_HASHES scratchpads. 1, or 0 when stopped. */
static int scrypt_romix(V blocks[SETS][32], uint8_t *memory, uint32_t n, const miner_stop *stop)
{
    romix_set sets[SETS];
    for (size_t k = 0; k < SETS; k++) {
        romix_begin(&sets[k], blocks[k]);
        sets[k].pad = memory + k * SCRYPT_HASHES * scrypt_stride(n);
    }
    for (uint32_t i = 0; i < 2 * n; i++) {
        if (i % STOP_EVERY == 0 && miner_stopped(stop))
            return 0;
        for (size_t k = 0; k < SETS; k++)
            if (i < n)
                romix_fill_step(&sets[k], sets[k].pad + (size_t)i * ROW, scrypt_stride(n));
            else
                romix_mix_step(&sets[k], n);
        if (i == n - 1)
            for (size_t k = 0; k < SETS; k++)
                romix_find_rows(&sets[k], n);
    }
    for (size_t k = 0; k < SETS; k++)
        romix_end(&sets[k], blocks[k]);
    return 1;
}

#endif
