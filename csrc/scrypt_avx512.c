/* scrypt, two sets of sixteen hashes to AVX-512's registers. */
#include "isa.h"
#ifdef MINER_X86
#include "vec_avx512.h"
#define VECTOR "zmm"
#define BYTES "64"
#define BROADCAST "%{1to8%}"
#include "romix_avx512.h"

/* 128-bit parts of a and b. */
#define PARTS(which, b, a, to) "vshufi32x4 $" #which ", " b ", " a ", " to "\n\t"

/* Half of the blocks becomes a line of each lane's row; the first half is xored with the second before. Eight lanes at
 * a time, so that fifteen registers suffice: parts 0 and 1, or 2 and 3, of all words; then in each part four words of
 * four lanes are transposed.
 *
 * From N = STREAM_FROM on no cache holds the rows until they are read, and stores past it leave memory's bandwidth to
 * reads: as measured on Zen 4 they bring 11 to 18% at 2^14 and 21% at 2^16, and cost 27% at 2^13. */
#define STREAM_FROM (1 << 14)
#define STREAM(from, to) "vmovntdq " from ", " to "\n\t"
#define SAVE_1(o, set, half) GATHER_##half(o, set, 0, 4, 8) GATHER_##half(o, set, 1, 5, 9)
#define SAVE_2(o, set, half) GATHER_##half(o, set, 2, 6, 10) GATHER_##half(o, set, 3, 7, 11)
#define SAVE_3(o, set, half) WRITE(o, set, half, 0, 4, 5, 6, 7)
#define SAVE_4(o, set, half) WRITE(o, set, half, 4, 8, 9, 10, 11)
#define SAVE_5(o, set, half) GATHER(0xee, o, set, half, 0, 4, 8) GATHER(0xee, o, set, half, 1, 5, 9)
#define SAVE_6(o, set, half) GATHER(0xee, o, set, half, 2, 6, 10) GATHER(0xee, o, set, half, 3, 7, 11)
#define SAVE_7(o, set, half) WRITE(o, set, half, 8, 4, 5, 6, 7)
#define SAVE_8(o, set, half) WRITE(o, set, half, 12, 8, 9, 10, 11)
#define GATHER(which, o, set, half, w, even, odd)                                                       \
    MOVE(X(set, half, w), R(o, 0)) PARTS(which, X(set, half, w+4), R(o, 0), R(o, 0))                    \
    MOVE(X(set, half, w+8), R(o, 1)) PARTS(which, X(set, half, w+12), R(o, 1), R(o, 1))                 \
    PARTS(0x88, R(o, 1), R(o, 0), R(o, even)) PARTS(0xdd, R(o, 1), R(o, 0), R(o, odd))
#define GATHER_1(o, set, w, even, odd) GATHER(0x44, o, set, 1, w, even, odd)
#define GATHER_0(o, set, w, even, odd)                                                                  \
    JOIN(o, 0, set, w) JOIN(o, 2, set, w+4) PARTS(0x44, R(o, 2), R(o, 0), R(o, 0))                      \
    JOIN(o, 1, set, w+8) JOIN(o, 3, set, w+12) PARTS(0x44, R(o, 3), R(o, 1), R(o, 1))                   \
    PARTS(0x88, R(o, 1), R(o, 0), R(o, even)) PARTS(0xdd, R(o, 1), R(o, 0), R(o, odd))
#define JOIN(o, r, set, w) MOVE(X(set, 0, w), R(o, r)) TO("vpxord", X(set, 1, w), R(o, r)) MOVE(R(o, r), X(set, 0, w))
#define WRITE(o, set, half, lane, a, b, c, d)                                                           \
    OF("vpunpckldq", R(o, b), R(o, a), R(o, 0)) OF("vpunpckldq", R(o, d), R(o, c), R(o, 1))             \
    OF("vpunpckhdq", R(o, b), R(o, a), R(o, 2)) OF("vpunpckhdq", R(o, d), R(o, c), R(o, 3))             \
    OF("vpunpcklqdq", R(o, 1), R(o, 0), R(o, a)) POINT(set, lane) STORE(R(o, a), LINE(half, 0))         \
    OF("vpunpckhqdq", R(o, 1), R(o, 0), R(o, b)) POINT(set, lane+1) STORE(R(o, b), LINE(half, 0))       \
    OF("vpunpcklqdq", R(o, 3), R(o, 2), R(o, c)) POINT(set, lane+2) STORE(R(o, c), LINE(half, 0))       \
    OF("vpunpckhqdq", R(o, 3), R(o, 2), R(o, d)) POINT(set, lane+3) STORE(R(o, d), LINE(half, 0))

/* Half of the blocks is xored with a line of each lane's row, the first half with the second before. Eight words at a
 * time: words 0 and 1, or 2 and 3, of each part of all lanes' lines; then a word's parts are brought together. */
#define MIX_1(o, set, half) READ("vpunpckldq", o, set, half, 0, 4, 8) READ("vpunpckldq", o, set, half, 4, 5, 9)
#define MIX_2(o, set, half) READ("vpunpckldq", o, set, half, 8, 6, 10) READ("vpunpckldq", o, set, half, 12, 7, 11)
#define MIX_3(o, set, half) SCATTER(o, set, half, 0, 4, 5, 6, 7)
#define MIX_4(o, set, half) SCATTER(o, set, half, 1, 8, 9, 10, 11)
#define MIX_5(o, set, half) READ("vpunpckhdq", o, set, half, 0, 4, 8) READ("vpunpckhdq", o, set, half, 4, 5, 9)
#define MIX_6(o, set, half) READ("vpunpckhdq", o, set, half, 8, 6, 10) READ("vpunpckhdq", o, set, half, 12, 7, 11)
#define MIX_7(o, set, half) SCATTER(o, set, half, 2, 4, 5, 6, 7)
#define MIX_8(o, set, half) SCATTER(o, set, half, 3, 8, 9, 10, 11)
#define READ(unpack, o, set, half, lane, even, odd)                                                     \
    POINT(set, lane) MOVE(LINE(half, 0), R(o, 0)) POINT(set, lane+1) TO(unpack, LINE(half, 0), R(o, 0)) \
    POINT(set, lane+2) MOVE(LINE(half, 0), R(o, 1)) POINT(set, lane+3) TO(unpack, LINE(half, 0), R(o, 1)) \
    OF("vpunpcklqdq", R(o, 1), R(o, 0), R(o, even)) OF("vpunpckhqdq", R(o, 1), R(o, 0), R(o, odd))
#define SCATTER(o, set, half, w, a, b, c, d)                                                            \
    PARTS(0x44, R(o, b), R(o, a), R(o, 0)) PARTS(0x44, R(o, d), R(o, c), R(o, 1))                       \
    PARTS(0xee, R(o, b), R(o, a), R(o, 2)) PARTS(0xee, R(o, d), R(o, c), R(o, 3))                       \
    PARTS(0x88, R(o, 1), R(o, 0), R(o, a)) MIX_WORD_##half(o, a, set, w)                                \
    PARTS(0xdd, R(o, 1), R(o, 0), R(o, b)) MIX_WORD_##half(o, b, set, w+4)                              \
    PARTS(0x88, R(o, 3), R(o, 2), R(o, c)) MIX_WORD_##half(o, c, set, w+8)                              \
    PARTS(0xdd, R(o, 3), R(o, 2), R(o, d)) MIX_WORD_##half(o, d, set, w+12)
#define MIX_WORD_1(o, r, set, w) TO("vpxord", X(set, 1, w), R(o, r)) MOVE(R(o, r), X(set, 1, w))
#define MIX_WORD_0(o, r, set, w) \
    MOVE(X(set, 0, w), R(o, 12)) XOR3(X(set, 1, w), R(o, 12), R(o, r)) MOVE(R(o, r), X(set, 0, w))
#define MIX_PREFETCH_1(set) PREFETCH(set, 0) PREFETCH(set, 1) PREFETCH(set, 2) PREFETCH(set, 3)
#define MIX_PREFETCH_2(set) PREFETCH(set, 4) PREFETCH(set, 5) PREFETCH(set, 6) PREFETCH(set, 7)
#define MIX_PREFETCH_3(set) PREFETCH(set, 8) PREFETCH(set, 9) PREFETCH(set, 10) PREFETCH(set, 11)
#define MIX_PREFETCH_4(set) PREFETCH(set, 12) PREFETCH(set, 13) PREFETCH(set, 14) PREFETCH(set, 15)

#include "romix_avx512_run.h"
#include "scrypt_lanes.h"

SCRYPT_KERNEL(miner_scrypt_avx512, "avx512", MINER_CPU_AVX512);

MINER_ISA_END
#endif
