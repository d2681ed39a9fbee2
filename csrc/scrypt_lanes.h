/* scrypt(N, 1, 1) with 2 * LANES nonces side by side, one in each 32-bit lane. Include after a vec_*.h, a salsa_*.h and
 * the instruction set's own save_rows() and mix_rows(); then SCRYPT_KERNEL(symbol, name, features).
 *
 * A set is LANES hashes: word w of each hash's 128-byte block is lane by lane in x[w]. Salsa20 then needs no shuffles;
 * but a hash's row must be whole in its scratchpad, so rows are transposed on the way there and back. One set alone is
 * bound by latency, so two are at work, half a step apart. */
#ifndef MINER_SCRYPT_LANES_H
#define MINER_SCRYPT_LANES_H

#include "kernel.h"
#include "pbkdf2_lanes.h"

enum {
    SETS = 2,
    ROW = 128,          /* bytes of one hash's block */
    STOP_EVERY = 64,    /* steps of ROMix between two looks at the epoch: 0.1 ms even at 10 kH/s and 32 lanes */
};

typedef struct {
    V x[48];                    /* the blocks, and Salsa20's work space */
    uint8_t *pad;               /* scratchpad of lane 0; the other lanes' follow, a stride apart */
    uint8_t *row[LANES];        /* where each lane's next row is read */
} scrypt_set;

typedef struct {
    scrypt_set set[SETS];
    scrypt_set idle;            /* hashed in vain beside the other set's first half and last half */
} scrypt_lanes_state;

/* A scratchpad has one row more than it needs: a power of two apart, the same row of all hashes would fall into the
 * same few sets of the cache. */
static inline size_t scrypt_stride(uint32_t n)
{
    return ((size_t)n + 1) * ROW;
}

static size_t scrypt_lanes_scratch_size(uint32_t n)
{
    return SETS * LANES * scrypt_stride(n);
}

/* The row that each lane's block names (RFC 7914's Integerify); the cache hears of all before the first is read. */
MINER_INLINE void scrypt_find_rows(scrypt_set *set, uint32_t n)
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
static __attribute__((noinline)) int scrypt_fill(scrypt_lanes_state *t, uint32_t n, const miner_stop *stop)
{
    scrypt_set *late = &t->idle;
    for (uint32_t i = 0; i < n; i++) {
        if (i % STOP_EVERY == 0 && miner_stopped(stop))
            return 0;
        for (int k = 0; k < SETS; k++) {
            scrypt_set *set = &t->set[k];
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
static __attribute__((noinline)) int scrypt_mix(scrypt_lanes_state *t, uint32_t n, const miner_stop *stop)
{
    scrypt_set *late = &t->idle;
    for (int k = 0; k < SETS; k++)
        scrypt_find_rows(&t->set[k], n);
    for (uint32_t i = 0; i < n; i++) {
        if (i % STOP_EVERY == 0 && miner_stopped(stop))
            return 0;
        for (int k = 0; k < SETS; k++) {
            scrypt_set *set = &t->set[k];
            mix_rows(set->x, set->row);
            salsa_overlapped(set->x, late->x);
            if (late != &t->idle)
                scrypt_find_rows(late, n);
            salsa_turn(set->x);
            late = set;
        }
    }
    salsa_overlapped(t->idle.x, late->x);
    return 1;
}

/* One batch. 1 and its candidates, or 0 when stopped. */
static int scrypt_lanes_batch(const miner_prepared *work, const miner_scratch *s, uint32_t nonce,
                              const miner_stop *stop, uint64_t *candidates)
{
    scrypt_lanes_state t;
    pbkdf2_key key[SETS];
    V hash[8];
    memset(&t.idle, 0, sizeof t.idle);
    for (uint32_t k = 0; k < SETS; k++) {
        V nonces = v_add(v_set1(nonce + k * LANES), v_lane_numbers());
        pbkdf2_lanes_expand(work, v_swap_bytes(nonces), &key[k], t.set[k].x);
        t.set[k].pad = (uint8_t *)s->memory + k * LANES * scrypt_stride(s->n);
        for (int i = 0; i < 32; i++)
            t.set[k].x[i] = v_swap_bytes(t.set[k].x[i]);
    }
    if (!scrypt_fill(&t, s->n, stop) || !scrypt_mix(&t, s->n, stop))
        return 0;
    *candidates = 0;
    for (unsigned k = 0; k < SETS; k++) {
        for (int i = 0; i < 32; i++)
            t.set[k].x[i] = v_swap_bytes(t.set[k].x[i]);
        pbkdf2_lanes_reduce(&key[k], t.set[k].x, hash);
        *candidates |= v_at_most(v_swap_bytes(hash[7]), work->target_top) << k * LANES;
    }
    return 1;
}

static uint64_t scrypt_lanes_scan(const miner_prepared *work, miner_scratch *s, uint32_t nonce, uint64_t batches,
                                  const miner_stop *stop, uint64_t *candidates)
{
    *candidates = 0;
    for (uint64_t batch = 0; batch < batches; batch++, nonce += SETS * LANES) {
        if (!scrypt_lanes_batch(work, s, nonce, stop, candidates))
            return batch;
        if (*candidates)
            return batch + 1;
    }
    return batches;
}

#define SCRYPT_KERNEL(symbol, kernel_name, cpu_features)                                                        \
    const miner_kernel symbol = {                                                                               \
        .name = kernel_name, .algorithm = MINER_SCRYPT, .lanes = SETS * LANES, .features = cpu_features,        \
        .scratch_size = scrypt_lanes_scratch_size, .scan = scrypt_lanes_scan,                                   \
    }

#endif
