/* ROMix with romix_avx512.h's macros and an instruction set's side jobs. */
#ifndef MINER_ROMIX_AVX512_RUN_H
#define MINER_ROMIX_AVX512_RUN_H

#include <string.h>

#include "romix_avx512.h"

/* Steps between two looks at the epoch: 0.1 ms at 40 kH/s. Sets are at work alone once a run, so short runs cost. */
enum { STOP_EVERY = 128 };

/* Half of ROMix: n steps, with one side job. 1, or 0 when stopped. */
#define ROMIX_HALF(NAME, JOB)                                                                                   \
    static __attribute__((noinline)) int NAME(romix_state *t, uint32_t n, uint32_t run, const miner_stop *stop) \
    {                                                                                                           \
        for (uint32_t i = 0; i < n; i += run) {                                                                 \
            if (miner_stopped(stop))                                                                            \
                return 0;                                                                                       \
            ROMIX_STEPS(JOB, t, run);                                                                           \
        }                                                                                                       \
        return 1;                                                                                               \
    }
ROMIX_HALF(romix_mix, MIX)      /* each block is mixed with a row of its choice */
#define STORE MOVE
ROMIX_HALF(romix_save, SAVE)    /* each block becomes a row */
#ifdef STREAM_FROM              /* the N from which on rows are written past the cache */
#undef STORE
#define STORE STREAM
ROMIX_HALF(romix_stream, SAVE)
#else
#define STREAM_FROM UINT32_MAX
#define romix_stream romix_save
#endif

/* ROMix of the blocks of each set. memory: SETS * LANES scratchpads. 1, or 0 when stopped. */
static int scrypt_romix(V blocks[SETS][32], uint8_t *memory, uint32_t n, const miner_stop *stop)
{
    uint32_t run = n < STOP_EVERY ? n : STOP_EVERY;
    romix_state t;
    t.mask = n - 1;
    t.row_bytes = ROW;
    for (size_t k = 0; k < SETS; k++)
        for (size_t lane = 0; lane < LANES; lane++) {
            t.first[k][lane] = memory + (k * LANES + lane) * scrypt_stride(n);
            t.row[k][lane] = (uint8_t *)((uintptr_t)t.first[k][lane] - ROW);     /* SAVE_NEXT adds it again */
        }
    memcpy(t.x, blocks, sizeof t.x);
    int done = (n < STREAM_FROM ? romix_save : romix_stream)(&t, n, run, stop) && romix_mix(&t, n, run, stop);
    memcpy(blocks, t.x, sizeof t.x);
    return done;
}

#endif
