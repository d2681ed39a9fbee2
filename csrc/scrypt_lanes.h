/* scrypt(N, 1, 1) with 2 * LANES nonces side by side, one in each 32-bit lane. Include after a vec_*.h and the instruction
 * set's own salsa20_8_pair(), save_rows() and mix_rows(); then SCRYPT_KERNEL(symbol, name, features).
 *
 * A set is LANES hashes: word w of each hash's 128-byte block is lane by lane in x[w]. Salsa20 then needs no shuffles;
 * but a hash's row must be whole in its scratchpad, so rows are transposed on the way there and back. One set alone is
 * bound by latency, so two are at work, half a step apart: while one waits for its rows, the other computes. */
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
    V x[32];
    uint8_t *pad;               /* scratchpad of lane 0; the other lanes' follow, a stride apart */
    uint8_t *row[LANES];        /* where each lane's next row is read */
} scrypt_set;

/* A scratchpad has one row more than it needs: a power of two apart, the same row of all hashes would fall into the same
 * few sets of the cache. */
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

/* What ROMix does with a block before step i: save it as row i, or mix it with a row of its choice. */
MINER_INLINE void scrypt_begin_step(scrypt_set *set, uint32_t n, uint32_t i, int filling)
{
    if (filling) {
        save_rows(set->x, set->pad + (size_t)i * ROW, scrypt_stride(n));
    } else {
        scrypt_find_rows(set, n);
        mix_rows(set->x, set->row);
    }
}

/* n steps of both sets, the second half a step behind the first: while it has no second half to do, `idle` is hashed in
 * its place. 1, or 0 when stopped. */
MINER_INLINE int scrypt_pass(scrypt_set set[SETS], V idle[32], uint32_t n, int filling, const miner_stop *stop)
{
    V *second = idle;
    for (uint32_t i = 0; i < n; i++) {
        if (i % STOP_EVERY == 0 && miner_stopped(stop))
            return 0;
        scrypt_begin_step(&set[0], n, i, filling);
        salsa20_8_pair(set[0].x, set[0].x + 16, second + 16, second);
        second = set[1].x;
        scrypt_begin_step(&set[1], n, i, filling);
        salsa20_8_pair(set[0].x + 16, set[0].x, second, second + 16);
    }
    salsa20_8_pair(idle, idle + 16, second + 16, second);
    return 1;
}

/* Two functions, so that each loop is compiled for its own kind of step. */
static __attribute__((noinline)) int scrypt_fill(scrypt_set set[SETS], V idle[32], uint32_t n, const miner_stop *stop)
{
    return scrypt_pass(set, idle, n, 1, stop);
}

static __attribute__((noinline)) int scrypt_mix(scrypt_set set[SETS], V idle[32], uint32_t n, const miner_stop *stop)
{
    return scrypt_pass(set, idle, n, 0, stop);
}

/* One batch. 1 and its candidates, or 0 when stopped. */
static int scrypt_lanes_batch(const miner_prepared *work, const miner_scratch *s, uint32_t nonce, const miner_stop *stop,
                              uint64_t *candidates)
{
    scrypt_set set[SETS];
    pbkdf2_key key[SETS];
    V idle[32], hash[8];
    for (int i = 0; i < 32; i++)
        idle[i] = v_set1(0);
    for (uint32_t k = 0; k < SETS; k++) {
        V nonces = v_add(v_set1(nonce + k * LANES), v_lane_numbers());
        pbkdf2_lanes_expand(work, v_swap_bytes(nonces), &key[k], set[k].x);
        set[k].pad = (uint8_t *)s->memory + k * LANES * scrypt_stride(s->n);
        for (int i = 0; i < 32; i++)
            set[k].x[i] = v_swap_bytes(set[k].x[i]);
    }
    if (!scrypt_fill(set, idle, s->n, stop) || !scrypt_mix(set, idle, s->n, stop))
        return 0;
    *candidates = 0;
    for (unsigned k = 0; k < SETS; k++) {
        for (int i = 0; i < 32; i++)
            set[k].x[i] = v_swap_bytes(set[k].x[i]);
        pbkdf2_lanes_reduce(&key[k], set[k].x, hash);
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
