/* scrypt, two sets of eight hashes to half of AVX-512's registers: half the memory of scrypt_avx512.c, which is faster
 * where a CPU computes on 512 bits no faster than on 256, or where the third-level cache is small or busy. */
#include "isa.h"
#ifdef MINER_X86
#include "vec_avx512vl.h"
#define VECTOR "ymm"
#define BYTES "32"
#define BROADCAST "%{1to4%}"
#include "romix_avx512.h"

/* Two 128-bit parts of memory. */
#define LOW_PART(from, to) "vbroadcasti32x4 " from ", " to "\n\t"
#define HIGH_PART(from, to) "vinserti32x4 $1, " from ", " to ", " to "\n\t"
/* In each part: registers 0 to 3 word h <-> register h word 0 to 3. */
#define TRANSPOSE(o)                                                                                    \
    OF("vpunpckldq", R(o, 1), R(o, 0), R(o, 4)) OF("vpunpckldq", R(o, 3), R(o, 2), R(o, 5))             \
    OF("vpunpckhdq", R(o, 1), R(o, 0), R(o, 6)) OF("vpunpckhdq", R(o, 3), R(o, 2), R(o, 7))             \
    OF("vpunpcklqdq", R(o, 5), R(o, 4), R(o, 0)) OF("vpunpckhqdq", R(o, 5), R(o, 4), R(o, 1))           \
    OF("vpunpcklqdq", R(o, 7), R(o, 6), R(o, 2)) OF("vpunpckhqdq", R(o, 7), R(o, 6), R(o, 3))

/* Half of the blocks becomes a line of each lane's row; the first half is xored with the second before. Eight words of
 * four lanes at a time. */
#define SAVE_1(o, set, half) JOIN_##half(o, set, 0) GATHER(o, set, half, 0, 0)
#define SAVE_2(o, set, half) WRITE(o, set, half, 0, 0)
#define SAVE_3(o, set, half) GATHER(o, set, half, 0, 1)
#define SAVE_4(o, set, half) WRITE(o, set, half, 0, 4)
#define SAVE_5(o, set, half) JOIN_##half(o, set, 8) GATHER(o, set, half, 8, 0)
#define SAVE_6(o, set, half) WRITE(o, set, half, 2, 0)
#define SAVE_7(o, set, half) GATHER(o, set, half, 8, 1)
#define SAVE_8(o, set, half) WRITE(o, set, half, 2, 4)
#define JOIN_1(o, set, w)
#define JOIN_0(o, set, w)                                                                               \
    JOIN_WORD(o, set, w) JOIN_WORD(o, set, w+1) JOIN_WORD(o, set, w+2) JOIN_WORD(o, set, w+3)           \
    JOIN_WORD(o, set, w+4) JOIN_WORD(o, set, w+5) JOIN_WORD(o, set, w+6) JOIN_WORD(o, set, w+7)
#define JOIN_WORD(o, set, w) \
    MOVE(X(set, 0, w), R(o, 0)) TO("vpxord", X(set, 1, w), R(o, 0)) MOVE(R(o, 0), X(set, 0, w))
#define PART(set, half, w, part) FIELD("32*" #set "+16*" #half "+" #w, "16*" #part)
#define GATHER(o, set, half, w, part)                                                                           \
    LOW_PART(PART(set, half, w, part), R(o, 0)) HIGH_PART(PART(set, half, w+4, part), R(o, 0))                  \
    LOW_PART(PART(set, half, w+1, part), R(o, 1)) HIGH_PART(PART(set, half, w+5, part), R(o, 1))                \
    LOW_PART(PART(set, half, w+2, part), R(o, 2)) HIGH_PART(PART(set, half, w+6, part), R(o, 2))                \
    LOW_PART(PART(set, half, w+3, part), R(o, 3)) HIGH_PART(PART(set, half, w+7, part), R(o, 3))
#define WRITE(o, set, half, part, lane)                                                                 \
    TRANSPOSE(o) POINT(set, lane) MOVE(R(o, 0), LINE(half, part))                                       \
    POINT(set, lane+1) MOVE(R(o, 1), LINE(half, part)) POINT(set, lane+2) MOVE(R(o, 2), LINE(half, part)) \
    POINT(set, lane+3) MOVE(R(o, 3), LINE(half, part))

/* Half of the blocks is xored with a line of each lane's row, the first half with the second before. Four words at a
 * time. */
#define MIX_1(o, set, half) READ(o, set, half, 0)
#define MIX_2(o, set, half) MIX_WORDS(o, set, half, 0)
#define MIX_3(o, set, half) READ(o, set, half, 1)
#define MIX_4(o, set, half) MIX_WORDS(o, set, half, 4)
#define MIX_5(o, set, half) READ(o, set, half, 2)
#define MIX_6(o, set, half) MIX_WORDS(o, set, half, 8)
#define MIX_7(o, set, half) READ(o, set, half, 3)
#define MIX_8(o, set, half) MIX_WORDS(o, set, half, 12)
#define READ(o, set, half, part) \
    READ_LANES(o, 0, set, half, part) READ_LANES(o, 1, set, half, part) \
    READ_LANES(o, 2, set, half, part) READ_LANES(o, 3, set, half, part)
#define READ_LANES(o, lane, set, half, part)                                                            \
    POINT(set, lane) LOW_PART(LINE(half, part), R(o, lane)) POINT(set, lane+4) HIGH_PART(LINE(half, part), R(o, lane))
#define MIX_WORDS(o, set, half, w)                                                                      \
    TRANSPOSE(o) MIX_WORD_##half(o, 0, set, w) MIX_WORD_##half(o, 1, set, w+1)                          \
    MIX_WORD_##half(o, 2, set, w+2) MIX_WORD_##half(o, 3, set, w+3)
#define MIX_WORD_1(o, r, set, w) TO("vpxord", X(set, 1, w), R(o, r)) MOVE(R(o, r), X(set, 1, w))
#define MIX_WORD_0(o, r, set, w) \
    MOVE(X(set, 0, w), R(o, 4)) XOR3(X(set, 1, w), R(o, 4), R(o, r)) MOVE(R(o, r), X(set, 0, w))
#define MIX_PREFETCH_1(set) PREFETCH(set, 0) PREFETCH(set, 1)
#define MIX_PREFETCH_2(set) PREFETCH(set, 2) PREFETCH(set, 3)
#define MIX_PREFETCH_3(set) PREFETCH(set, 4) PREFETCH(set, 5)
#define MIX_PREFETCH_4(set) PREFETCH(set, 6) PREFETCH(set, 7)

#include "romix_avx512_run.h"
#include "scrypt_lanes.h"

SCRYPT_KERNEL(miner_scrypt_avx512vl, "avx512vl", MINER_CPU_AVX512);

MINER_ISA_END
#endif
