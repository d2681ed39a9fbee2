/* ROMix (RFC 7914 section 5) of two sets of blocks for scrypt_lanes.h, for sixteen registers. Include after a vec_*.h
 * and the instruction set's own SALSA_STEP, SALSA_TURN, register_store() and register_load().
 *
 * A register holds four words of each of HASHES_IN_REGISTER hashes. Half a block is then four registers, which hold the
 * diagonals of Salsa20's square, so that four quarter-rounds are one, and a row of memory needs no transposing. Three
 * such halves are side by side, since one waits for its own results: twelve registers, and two left for sums. Two sets
 * take turns, so that one's rows come from the second-level cache or the third while the other computes. */
#ifndef MINER_ROMIX_DIAGONALS_H
#define MINER_ROMIX_DIAGONALS_H

#include <string.h>

#include "kernel.h"
#include "scrypt_rows.h"

enum { ABREAST = 3, HASHES_IN_REGISTER = LANES / 4 };
#define SCRYPT_HASHES (ABREAST * HASHES_IN_REGISTER)
enum { STOP_EVERY = 64 };       /* steps between two looks at the epoch: 0.1 ms even at 7 kH/s */

/* Half a block of each hash: register r, k holds diagonal r of hash k * HASHES_IN_REGISTER, then of the next. */
typedef V romix_half[4][ABREAST];
#define EACH_REGISTER(r, k) for (int r = 0; r < 4; r++) for (int k = 0; k < ABREAST; k++)

/* Which word of a half block is where in the diagonals, and in rows of memory. */
static const uint8_t romix_diagonals[16] = { 0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11 };

typedef struct {
    romix_half x[2];                /* the blocks */
    uint8_t *pad;                   /* scratchpad of hash 0; the others' follow, a stride apart */
    uint8_t *row[SCRYPT_HASHES];    /* where each hash's next row is read */
} romix_set;

/* to ^= (x + y) <<< left, of all. */
#define SALSA_STEPS(to, x, y, left, right)                                                                  \
    SALSA_STEP(to "0", x "0", y "0", left, right) SALSA_STEP(to "1", x "1", y "1", left, right)             \
    SALSA_STEP(to "2", x "2", y "2", left, right)
/* Diagonals turn, so that columns become rows, or rows columns. */
#define SALSA_TURNS(x, order) SALSA_TURN(x "0", order) SALSA_TURN(x "1", order) SALSA_TURN(x "2", order)
#define SALSA_ROUND(b, d)                                                                                   \
    SALSA_STEPS(b, "a", d, "7", "25") SALSA_STEPS("c", b, "a", "9", "23")                                   \
    SALSA_STEPS(d, "c", b, "13", "19") SALSA_TURNS(b, "0x93")                                               \
    SALSA_STEPS("a", d, "c", "18", "14") SALSA_TURNS("c", "0x4e") SALSA_TURNS(d, "0x39")
#define SALSA_ABREAST(x, r) [x##0] "+x"(w[r][0]), [x##1] "+x"(w[r][1]), [x##2] "+x"(w[r][2])

/* Salsa20/8 but for its last additions. In assembly, because gcc and clang spill. */
MINER_INLINE void salsa_rounds(romix_half w)
{
    V sum, high;
    int double_rounds = 4;
    __asm__("1:\n\t" SALSA_ROUND("b", "d") SALSA_ROUND("d", "b") "decl %[left]\n\tjnz 1b"
            : SALSA_ABREAST(a, 0), SALSA_ABREAST(b, 1), SALSA_ABREAST(c, 2), SALSA_ABREAST(d, 3),
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
    const size_t first[ABREAST] = { 0, HASHES_IN_REGISTER * stride, 2 * HASHES_IN_REGISTER * stride };
    for (int half = 0; half < 2; half++)
        EACH_REGISTER(r, k)
            register_store(set->x[half][r][k], row + first[k] + 64 * half + 16 * r, stride);
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
        memcpy(&word, (uint8_t *)set->x[1][0] + hash * 16, sizeof word);
        set->row[hash] = set->pad + hash * scrypt_stride(n) + (size_t)(word & (n - 1)) * ROW;
        __builtin_prefetch(set->row[hash]);
        __builtin_prefetch(set->row[hash] + 64);
    }
}

/* One of ROMix's last n steps: each block is mixed with the row that it named, and names the next. */
static __attribute__((noinline)) void romix_mix_step(romix_set *set, uint32_t n)
{
    romix_half w;
    EACH_REGISTER(r, k) {
        uint8_t *const *rows = set->row + HASHES_IN_REGISTER * k;
        set->x[1][r][k] = v_xor(set->x[1][r][k], register_load(rows, 64 + 16 * r));
        w[r][k] = v_xor3(set->x[0][r][k], register_load(rows, 16 * r), set->x[1][r][k]);
    }
    block_mix(set->x, w);
    romix_find_rows(set, n);
}

/* Where word i of a hash's block is in each order, as a number of 32-bit words. */
#define IN_BLOCKS(hash, i) (((i) / 16 * 16 + romix_diagonals[(i) % 16]) * LANES + (hash))
#define IN_SET(hash, i) (((i) / 4 * ABREAST * HASHES_IN_REGISTER + (hash)) * 4 + (i) % 4)

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
