/* Salsa20/8 (RFC 7914 section 3) of two sets of LANES blocks, one block in each lane, in AVX-512's thirty-two
 * registers. Include after a vec_avx512*.h, with SALSA_REGISTER and SALSA_BYTES saying how wide.
 *
 * In assembly, because thirty-two words and a temporary are one more than there are registers: gcc and clang then spill
 * dozens (a third slower), although one word in memory is enough. That is word 4 of the second set: the steps that
 * change it come right before the next step that reads it, so the temporary passes it on, and its store and load are
 * off the critical path. The CPU renames the temporary in every step, so it holds nothing up. */
#ifndef MINER_SALSA_AVX512_H
#define MINER_SALSA_AVX512_H

#include "isa.h"

/* A set is V x[48]: a block's first half, its second half, and work space. Half a block mix (RFC 7914's scryptBlockMix
 * with r = 1) is block = Salsa20/8(block ^ other), where block and other are the first half and the second, or the
 * reverse. Here set 0 is in its first half, set 1 in its second. */
/* Registers 0-15: the first set; 16-31: the second, but 20 is the temporary, and word 4 is in the second's work. */
#define Z(r) "%%" SALSA_REGISTER #r
#define TEMP Z(20)
#define AT(set, first, word) SALSA_BYTES "*(" #first "+" #word ")(%[x" #set "])"
#define FIRST_HALF(set, word) AT(set, 0, word)
#define SECOND_HALF(set, word) AT(set, 16, word)
#define WORK(set, word) AT(set, 32, word)
#define SPARE WORK(1, 4)

/* to ^= (x + y) <<< bits; and the same where x, or to, is the word in memory. */
#define STEP(to, x, y, bits) ADD(Z(x), y) ROTATE(bits) "vpxord " TEMP ", " Z(to) ", " Z(to) "\n\t"
#define STEP_WITH_SPARE(to, y, bits) ADD(SPARE, y) ROTATE(bits) "vpxord " TEMP ", " Z(to) ", " Z(to) "\n\t"
#define STEP_TO_SPARE(x, y, bits) \
    ADD(Z(x), y) ROTATE(bits) "vpxord " SPARE ", " TEMP ", " TEMP "\n\tvmovdqa64 " TEMP ", " SPARE "\n\t"
#define ADD(x, y) "vpaddd " x ", " Z(y) ", " TEMP "\n\t"
#define ROTATE(bits) "vprold $" #bits ", " TEMP ", " TEMP "\n\t"

/* The four steps of the first set's quarter-rounds, down the columns and along the rows. */
#define COLUMNS_1 STEP(4, 0, 12, 7) STEP(9, 5, 1, 7) STEP(14, 10, 6, 7) STEP(3, 15, 11, 7)
#define COLUMNS_2 STEP(8, 4, 0, 9) STEP(13, 9, 5, 9) STEP(2, 14, 10, 9) STEP(7, 3, 15, 9)
#define COLUMNS_3 STEP(12, 8, 4, 13) STEP(1, 13, 9, 13) STEP(6, 2, 14, 13) STEP(11, 7, 3, 13)
#define COLUMNS_4 STEP(0, 12, 8, 18) STEP(5, 1, 13, 18) STEP(10, 6, 2, 18) STEP(15, 11, 7, 18)
#define ROWS_1 STEP(1, 0, 3, 7) STEP(6, 5, 4, 7) STEP(11, 10, 9, 7) STEP(12, 15, 14, 7)
#define ROWS_2 STEP(2, 1, 0, 9) STEP(7, 6, 5, 9) STEP(8, 11, 10, 9) STEP(13, 12, 15, 9)
#define ROWS_3 STEP(3, 2, 1, 13) STEP(4, 7, 6, 13) STEP(9, 8, 11, 13) STEP(14, 13, 12, 13)
#define ROWS_4 STEP(0, 3, 2, 18) STEP(5, 4, 7, 18) STEP(10, 9, 8, 18) STEP(15, 14, 13, 18)

/* Two rounds of the first set, and of both, step by step in turn. */
#define DOUBLE_ROUND COLUMNS_1 COLUMNS_2 COLUMNS_3 COLUMNS_4 ROWS_1 ROWS_2 ROWS_3 ROWS_4
#define DOUBLE_ROUND_OF_BOTH                                                                                        \
    COLUMNS_1 STEP(25, 21, 17, 7) STEP(30, 26, 22, 7) STEP(19, 31, 27, 7) STEP_TO_SPARE(16, 28, 7)                  \
    STEP(24, 20, 16, 9) STEP(29, 25, 21, 9) STEP(18, 30, 26, 9) STEP(23, 19, 31, 9) COLUMNS_2                       \
    COLUMNS_3 STEP(17, 29, 25, 13) STEP(22, 18, 30, 13) STEP(27, 23, 19, 13) STEP_WITH_SPARE(28, 24, 13)            \
    COLUMNS_4 STEP(21, 17, 29, 18) STEP(26, 22, 18, 18) STEP(31, 27, 23, 18) STEP(16, 28, 24, 18)                   \
    ROWS_1 STEP(17, 16, 19, 7) STEP(27, 26, 25, 7) STEP(28, 31, 30, 7) STEP_WITH_SPARE(22, 21, 7)                   \
    ROWS_2 STEP(18, 17, 16, 9) STEP(24, 27, 26, 9) STEP(29, 28, 31, 9) STEP(23, 22, 21, 9)                          \
    ROWS_3 STEP(19, 18, 17, 13) STEP(25, 24, 27, 13) STEP(30, 29, 28, 13) STEP_TO_SPARE(23, 22, 13)                 \
    STEP(21, 20, 23, 18) STEP(16, 19, 18, 18) STEP(26, 25, 24, 18) STEP(31, 30, 29, 18) ROWS_4

#define REPEAT(count, rounds) "movl $" #count ", %[count]\n1:\n\t" rounds "decl %[count]\n\tjnz 1b\n\t"

/* DO(register, set, word) for a set's words in registers, all but the second's word 4. */
#define FIRST_SET(DO)                                                                                               \
    DO(0, 0, 0) DO(1, 0, 1) DO(2, 0, 2) DO(3, 0, 3) DO(4, 0, 4) DO(5, 0, 5) DO(6, 0, 6) DO(7, 0, 7) DO(8, 0, 8)     \
    DO(9, 0, 9) DO(10, 0, 10) DO(11, 0, 11) DO(12, 0, 12) DO(13, 0, 13) DO(14, 0, 14) DO(15, 0, 15)
#define SECOND_SET(DO)                                                                                              \
    DO(16, 1, 0) DO(17, 1, 1) DO(18, 1, 2) DO(19, 1, 3) DO(21, 1, 5) DO(22, 1, 6) DO(23, 1, 7) DO(24, 1, 8)         \
    DO(25, 1, 9) DO(26, 1, 10) DO(27, 1, 11) DO(28, 1, 12) DO(29, 1, 13) DO(30, 1, 14) DO(31, 1, 15)

#define MOVE(from, to) "vmovdqa64 " from ", " to "\n\t"
#define RESUME(r, set, word) MOVE(WORK(set, word), Z(r))
#define PAUSE(r, set, word) MOVE(Z(r), WORK(set, word))
#define XOR(from, r) "vpxord " from ", " Z(r) ", " Z(r) "\n\t"
/* block ^= other, and on from there. */
#define BEGIN_FIRST(r, set, word) \
    MOVE(FIRST_HALF(set, word), Z(r)) XOR(SECOND_HALF(set, word), r) MOVE(Z(r), FIRST_HALF(set, word))
#define BEGIN_SECOND(r, set, word) \
    MOVE(SECOND_HALF(set, word), Z(r)) XOR(FIRST_HALF(set, word), r) MOVE(Z(r), SECOND_HALF(set, word))
#define BEGIN_READY(r, set, word) MOVE(FIRST_HALF(set, word), Z(r))
#define FINISH_FIRST(r, set, word) \
    "vpaddd " FIRST_HALF(set, word) ", " Z(r) ", " Z(r) "\n\t" MOVE(Z(r), FIRST_HALF(set, word))
#define FINISH_SECOND(r, set, word) \
    "vpaddd " SECOND_HALF(set, word) ", " Z(r) ", " Z(r) "\n\t" MOVE(Z(r), SECOND_HALF(set, word))
#define TURN(r, set, word) FINISH_FIRST(r, set, word) XOR(SECOND_HALF(set, word), r) MOVE(Z(r), SECOND_HALF(set, word))
#define BEGIN_SPARE BEGIN_SECOND(20, 1, 4) PAUSE(20, 1, 4)
#define FINISH_SPARE RESUME(16, 1, 4) FINISH_SECOND(16, 1, 4)

#define CLOBBERED                                                                                                   \
    "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",        \
    "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22",     \
    "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31"

/* The first half of s and the second half of t. */
static inline void salsa_both(V s[48], V t[48])
{
    int count;
    __asm__ volatile(BEGIN_SPARE FIRST_SET(BEGIN_FIRST) SECOND_SET(BEGIN_SECOND) REPEAT(4, DOUBLE_ROUND_OF_BOTH)
                     FIRST_SET(FINISH_FIRST) SECOND_SET(FINISH_SECOND) FINISH_SPARE
                     : [count] "=&r"(count) : [x0] "r"(s), [x1] "r"(t) : CLOBBERED);
}

/* The first half of s, which has been xored with the second already, but for its last two rounds; and the second half
 * of t from its third round on. */
static inline void salsa_overlapped(V s[48], V t[48])
{
    int count;
    __asm__ volatile(SECOND_SET(RESUME) FIRST_SET(BEGIN_READY) REPEAT(3, DOUBLE_ROUND_OF_BOTH)
                     SECOND_SET(FINISH_SECOND) FINISH_SPARE FIRST_SET(PAUSE)
                     : [count] "=&r"(count) : [x0] "r"(s), [x1] "r"(t) : CLOBBERED);
}

/* The rounds between: the last two of the first half, the first two of the second. */
static inline void salsa_turn(V s[48])
{
    __asm__ volatile(FIRST_SET(RESUME) DOUBLE_ROUND FIRST_SET(TURN) DOUBLE_ROUND FIRST_SET(PAUSE)
                     :: [x0] "r"(s) : CLOBBERED);
}

#endif
