/* ROMix (RFC 7914 section 5) of two sets of LANES blocks for scrypt_lanes.h, in C. Include after a vec_*.h,
 * salsa_registers.h and the instruction set's own save_rows() and mix_rows().
 *
 * Word w of each hash's 128-byte block is lane by lane in x[w]. Salsa20 then needs no shuffles; but a hash's row must
 * be whole in its scratchpad, so rows are transposed on the way there and back. One set alone is bound by latency, so
 * two are at work, half a step apart. */
#ifndef MINER_ROMIX_LANES_H
#define MINER_ROMIX_LANES_H

#include <string.h>

#include "kernel.h"
#include "scrypt_rows.h"

enum { STOP_EVERY = 64 };       /* steps between two looks at the epoch: 0.1 ms even at 10 kH/s and 32 lanes */

typedef struct {
    V x[48];                    /* the blocks, and Salsa20's work space */
    uint8_t *pad;               /* scratchpad of lane 0; the other lanes' follow, a stride apart */
    uint8_t *row[LANES];        /* where each lane's next row is read */
} romix_set;

typedef struct {
    romix_set set[SETS];
    romix_set idle;             /* hashed in vain beside the other set's first half and last half */
} romix_state;

/* The row that each lane's block names (RFC 7914's Integerify); the cache hears of all before the first is read. */
MINER_INLINE void romix_find_rows(romix_set *set, uint32_t n)
{
    uint32_t word[LANES];
    memcpy(word, &set->x[16], sizeof word);
    for (size_t lane = 0; lane < LANES; lane++) {
        set->row[lane] = set->pad + lane * scrypt_stride(n) + (size_t)(word[lane] & (n - 1)) * ROW;
        __builtin_prefetch(set->row[lane]);
        __builtin_prefetch(set->row[lane] + 64);
    }
}

/* ROMix's first n steps: each block becomes a row. One set's first half goes along with the other's second.
 * 1, or 0 when stopped. */
static __attribute__((noinline)) int romix_fill(romix_state *t, uint32_t n, const miner_stop *stop)
{
    romix_set *late = &t->idle;
    for (uint32_t i = 0; i < n; i++) {
        if (i % STOP_EVERY == 0 && miner_stopped(stop))
            return 0;
        for (int k = 0; k < SETS; k++) {
            romix_set *set = &t->set[k];
            save_rows(set->x, set->pad + (size_t)i * ROW, scrypt_stride(n));
            salsa_both(set->x, late->x);
            late = set;
        }
    }
    salsa_both(t->idle.x, late->x);
    return 1;
}

/* ROMix's last n steps: each block is mixed with a row of its choice. That row comes from the second-level cache or the
 * third, so between the choice and the reading the other set computes alone for a while, from the end of its first half
 * to the beginning of its second. 1, or 0 when stopped. */
static __attribute__((noinline)) int romix_mix(romix_state *t, uint32_t n, const miner_stop *stop)
{
    romix_set *late = &t->idle;
    for (int k = 0; k < SETS; k++)
        romix_find_rows(&t->set[k], n);
    for (uint32_t i = 0; i < n; i++) {
        if (i % STOP_EVERY == 0 && miner_stopped(stop))
            return 0;
        for (int k = 0; k < SETS; k++) {
            romix_set *set = &t->set[k];
            mix_rows(set->x, set->row);
            salsa_overlapped(set->x, late->x);
            if (late != &t->idle)
                romix_find_rows(late, n);
            salsa_turn(set->x);
            late = set;
        }
    }
    salsa_overlapped(t->idle.x, late->x);
    return 1;
}

/* ROMix of the blocks of each set. memory: SETS * LANES scratchpads. 1, or 0 when stopped. */
static int scrypt_romix(V blocks[SETS][32], uint8_t *memory, uint32_t n, const miner_stop *stop)
{
    romix_state t;
    memset(&t.idle, 0, sizeof t.idle);
    for (size_t k = 0; k < SETS; k++) {
        memcpy(t.set[k].x, blocks[k], sizeof blocks[k]);
        t.set[k].pad = memory + k * LANES * scrypt_stride(n);
    }
    if (!romix_fill(&t, n, stop) || !romix_mix(&t, n, stop))
        return 0;
    for (size_t k = 0; k < SETS; k++)
        memcpy(blocks[k], t.set[k].x, sizeof blocks[k]);
    return 1;
}

#endif
