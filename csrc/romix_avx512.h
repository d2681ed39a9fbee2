/* ROMix (RFC 7914 section 5) of two sets of LANES blocks for scrypt_lanes.h, in assembly for AVX-512's thirty-two
 * registers. Include after a vec_avx512*.h, with VECTOR and BYTES saying which registers; then, for their width, define
 * the side jobs SAVE_1(o, set, half) to SAVE_8, MIX_1 to MIX_8 and MIX_PREFETCH_1(set) to MIX_PREFETCH_4, and include
 * romix_avx512_run.h.
 *
 * A set's words stay in registers from the beginning of a step's first half to the end of its second. Both sets
 * compute side by side for three of the four double rounds of a half; while one of them changes halves and is alone,
 * rows of memory are transposed in the registers of the other, a few instructions after each quarter of a round: alone,
 * the rounds would be bound by latency, and the transposes by the ports that shuffle.
 *
 * In assembly, because thirty-two words and a temporary are one more than there are registers: gcc and clang then spill
 * dozens, although one word in memory is enough. That is word 4 of set 1: the steps that change it come right before
 * the next step that reads it, so the temporary passes it on, and its store and load are off the critical path.
 *
 * What bounds it, by cycle counts of the parts on Zen 4: the double rounds of both sets run at 90% of what the ports
 * allow, and rows from the third-level cache cost a twentieth. As measured there, with 512 bits each: rotates go to the
 * multiplier's two ports, one a cycle, and their result is there after two; shifts go to the other two. vpunpck hinders
 * neither. vshufi32x4 shares one port with each. */
#ifndef MINER_ROMIX_AVX512_H
#define MINER_ROMIX_AVX512_H

#include "kernel.h"
#include "scrypt_rows.h"

/* Half a step is half = Salsa20/8(half ^ other half). With x0 and x1 a block's halves, a step begins by x0 ^= x1, and
 * that is what rows keep of the first half: x0 ^ x1 of a mixed block is then one xor away. */
typedef struct {
    V x[SETS][32];
    V spare;                            /* word 4 of set 1 while both sets are in registers */
    uint8_t *row[SETS][LANES];          /* where each lane's next row is written or read */
    uint8_t *first[SETS][LANES];        /* its row 0 */
    uint64_t mask, row_bytes;           /* n - 1, and ROW */
} romix_state;

#define STRING(x) #x
#define REGISTER(r) "%%" VECTOR STRING(r)
/* Register of a set's word; and of the other set's idle registers, by the same numbers. */
#define R(set, word) REGISTER(SET_##set(word))
#define SET_0(word) word
#define SET_1(word) SET_1_##word
#define SET_1_0 16
#define SET_1_1 17
#define SET_1_2 18
#define SET_1_3 19
#define SET_1_4 20
#define SET_1_5 21
#define SET_1_6 22
#define SET_1_7 23
#define SET_1_8 24
#define SET_1_9 25
#define SET_1_10 26
#define SET_1_11 27
#define SET_1_12 28
#define SET_1_13 29
#define SET_1_14 30
#define SET_1_15 31

/* The state's fields. */
#define FIELD(vectors, bytes) BYTES "*(" vectors ")+" bytes "(%[state])"
#define X(set, half, word) FIELD("32*" #set "+16*" #half "+" #word, "0")
#define SPARE FIELD("64", "0")
#define ROWS(set, part) FIELD("65+2*" #set "+" #part, "0")
#define FIRST_ROWS(set, part) FIELD("69+2*" #set "+" #part, "0")
#define MASK FIELD("73", "0") BROADCAST
#define ROW_BYTES FIELD("73", "8") BROADCAST
/* A lane's row, and a place in it. */
#define POINT(set, lane) "movq " FIELD("65+2*" #set, "8*(" #lane ")") ", %[line]\n\t"
#define LINE(half, part) "64*" #half "+16*(" #part ")(%[line])"

#define MOVE(from, to) "vmovdqa64 " from ", " to "\n\t"
#define TO(op, b, to) op " " b ", " to ", " to "\n\t"
#define OF(op, b, a, to) op " " b ", " a ", " to "\n\t"
#define XOR3(a, b, to) "vpternlogd $0x96, " a ", " b ", " to "\n\t"

/* to ^= (x + y) <<< bits; and the same where x, or to, is the word in memory. The CPU renames the temporary in every
 * step, so it holds nothing up. */
#define ROTATE(bits, x) "vprold $" #bits ", " x ", " x "\n\t"
#define STEP(temp, s, to, x, y, bits) \
    OF("vpaddd", R(s, x), R(s, y), temp) ROTATE(bits, temp) TO("vpxord", temp, R(s, to))
#define TEMP R(1, 4)
#define STEP_1(to, x, y, bits) STEP(TEMP, 1, to, x, y, bits)
#define STEP_WITH_SPARE(to, y, bits) \
    OF("vpaddd", SPARE, R(1, y), TEMP) ROTATE(bits, TEMP) TO("vpxord", TEMP, R(1, to))
#define STEP_TO_SPARE(x, y, bits) \
    OF("vpaddd", R(1, x), R(1, y), TEMP) ROTATE(bits, TEMP) TO("vpxord", SPARE, TEMP) MOVE(TEMP, SPARE)

/* The four steps of a set's quarter-rounds, down the columns and along the rows. */
#define COLUMNS_1(t, s) STEP(t, s, 4, 0, 12, 7) STEP(t, s, 9, 5, 1, 7) STEP(t, s, 14, 10, 6, 7) STEP(t, s, 3, 15, 11, 7)
#define COLUMNS_2(t, s) STEP(t, s, 8, 4, 0, 9) STEP(t, s, 13, 9, 5, 9) STEP(t, s, 2, 14, 10, 9) STEP(t, s, 7, 3, 15, 9)
#define COLUMNS_3(t, s) \
    STEP(t, s, 12, 8, 4, 13) STEP(t, s, 1, 13, 9, 13) STEP(t, s, 6, 2, 14, 13) STEP(t, s, 11, 7, 3, 13)
#define COLUMNS_4(t, s) \
    STEP(t, s, 0, 12, 8, 18) STEP(t, s, 5, 1, 13, 18) STEP(t, s, 10, 6, 2, 18) STEP(t, s, 15, 11, 7, 18)
#define ROWS_1(t, s) STEP(t, s, 1, 0, 3, 7) STEP(t, s, 6, 5, 4, 7) STEP(t, s, 11, 10, 9, 7) STEP(t, s, 12, 15, 14, 7)
#define ROWS_2(t, s) STEP(t, s, 2, 1, 0, 9) STEP(t, s, 7, 6, 5, 9) STEP(t, s, 8, 11, 10, 9) STEP(t, s, 13, 12, 15, 9)
#define ROWS_3(t, s) \
    STEP(t, s, 3, 2, 1, 13) STEP(t, s, 4, 7, 6, 13) STEP(t, s, 9, 8, 11, 13) STEP(t, s, 14, 13, 12, 13)
#define ROWS_4(t, s) \
    STEP(t, s, 0, 3, 2, 18) STEP(t, s, 5, 4, 7, 18) STEP(t, s, 10, 9, 8, 18) STEP(t, s, 15, 14, 13, 18)

/* Two rounds: of both sets; of set s alone; and with a side job on half a block of `set`. o: the other set's registers,
 * of which the last is the temporary, the others are the job's. */
#define DOUBLE_ROUND_OF_BOTH                                                                                    \
    COLUMNS_1(TEMP, 0) STEP_1(9, 5, 1, 7) STEP_1(14, 10, 6, 7) STEP_1(3, 15, 11, 7) STEP_TO_SPARE(0, 12, 7)     \
    COLUMNS_2(TEMP, 1) COLUMNS_2(TEMP, 0)                                                                       \
    COLUMNS_3(TEMP, 0) STEP_1(1, 13, 9, 13) STEP_1(6, 2, 14, 13) STEP_1(11, 7, 3, 13) STEP_WITH_SPARE(12, 8, 13) \
    COLUMNS_4(TEMP, 0) COLUMNS_4(TEMP, 1)                                                                       \
    ROWS_1(TEMP, 0) STEP_1(1, 0, 3, 7) STEP_1(11, 10, 9, 7) STEP_1(12, 15, 14, 7) STEP_WITH_SPARE(6, 5, 7)      \
    ROWS_2(TEMP, 0) ROWS_2(TEMP, 1)                                                                             \
    ROWS_3(TEMP, 0) STEP_1(3, 2, 1, 13) STEP_1(9, 8, 11, 13) STEP_1(14, 13, 12, 13) STEP_TO_SPARE(7, 6, 13)     \
    STEP_1(5, 4, 7, 18) STEP_1(0, 3, 2, 18) STEP_1(10, 9, 8, 18) STEP_1(15, 14, 13, 18) ROWS_4(TEMP, 0)
#define DOUBLE_ROUND(s, o)                                                                                      \
    COLUMNS_1(R(o, 15), s) COLUMNS_2(R(o, 15), s) COLUMNS_3(R(o, 15), s) COLUMNS_4(R(o, 15), s)                 \
    ROWS_1(R(o, 15), s) ROWS_2(R(o, 15), s) ROWS_3(R(o, 15), s) ROWS_4(R(o, 15), s)
#define DOUBLE_ROUND_AND(s, o, JOB, set, half, PREFETCH)                                                        \
    JOB##_1(o, set, half) COLUMNS_1(R(o, 15), s) PREFETCH##_1(o)                                                \
    JOB##_2(o, set, half) COLUMNS_2(R(o, 15), s) PREFETCH##_2(o)                                                \
    JOB##_3(o, set, half) COLUMNS_3(R(o, 15), s) PREFETCH##_3(o)                                                \
    JOB##_4(o, set, half) COLUMNS_4(R(o, 15), s) PREFETCH##_4(o)                                                \
    JOB##_5(o, set, half) ROWS_1(R(o, 15), s) JOB##_6(o, set, half) ROWS_2(R(o, 15), s)                         \
    JOB##_7(o, set, half) ROWS_3(R(o, 15), s) JOB##_8(o, set, half) ROWS_4(R(o, 15), s)
#define JOB_ALONE(o, JOB, set, half)                                                                            \
    JOB##_1(o, set, half) JOB##_2(o, set, half) JOB##_3(o, set, half) JOB##_4(o, set, half)                     \
    JOB##_5(o, set, half) JOB##_6(o, set, half) JOB##_7(o, set, half) JOB##_8(o, set, half)
#define REPEAT(times, code) "movl $" #times ", %[count]\n1:\n\t" code "decl %[count]\n\tjnz 1b\n\t"

/* A set begins a step, turns to its second half, ends it; its words in the order in which Salsa20 and the jobs give
 * them. */
#define WORDS(DO, s)                                                                                            \
    DO(s, 0) DO(s, 4) DO(s, 8) DO(s, 12) DO(s, 5) DO(s, 9) DO(s, 13) DO(s, 1)                                   \
    DO(s, 10) DO(s, 14) DO(s, 2) DO(s, 6) DO(s, 15) DO(s, 3) DO(s, 7) DO(s, 11)
#define BEGIN(s, w) MOVE(X(s, 0, w), R(s, w))
#define TURN(s, w) TO("vpaddd", X(s, 0, w), R(s, w)) MOVE(R(s, w), X(s, 0, w)) TO("vpxord", X(s, 1, w), R(s, w))
#define FINISH(s, w) FINISH_IN(R(s, w), s, w)
#define FINISH_IN(r, s, w) \
    MOVE(X(s, 0, w), TEMP) TO("vpxord", X(s, 1, w), TEMP) TO("vpaddd", TEMP, r) MOVE(r, X(s, 1, w))
#define FINISH_SET_0 WORDS(FINISH, 0)
#define FINISH_SET_1                                                                                            \
    FINISH(1, 0) FINISH(1, 8) FINISH(1, 12) FINISH(1, 5) FINISH(1, 9) FINISH(1, 13) FINISH(1, 1) FINISH(1, 10)  \
    FINISH(1, 14) FINISH(1, 2) FINISH(1, 6) FINISH(1, 15) FINISH(1, 3) FINISH(1, 7) FINISH(1, 11)               \
    MOVE(SPARE, R(1, 0)) FINISH_IN(R(1, 0), 1, 4)

/* Set 0's first half beside set 1's second, and the reverse. */
#define BOTH_THEN_FINISH_1 MOVE(TEMP, SPARE) REPEAT(3, DOUBLE_ROUND_OF_BOTH) FINISH_SET_1
#define BOTH_THEN_FINISH_0 MOVE(TEMP, SPARE) REPEAT(3, DOUBLE_ROUND_OF_BOTH) FINISH_SET_0 MOVE(SPARE, TEMP)

/* Where a set's next rows are: behind the last ones; or those that the blocks name (Integerify). */
#define SAVE_NEXT(o, set) SAVE_NEXT_PART(o, set, 0) SAVE_NEXT_PART(o, set, 1)
#define SAVE_NEXT_PART(o, set, part) \
    MOVE(ROWS(set, part), R(o, part)) TO("vpaddq", ROW_BYTES, R(o, part)) MOVE(R(o, part), ROWS(set, part))
#define MIX_NEXT(o, set) MIX_NEXT_PART(o, set, 0) MIX_NEXT_PART(o, set, 1)
#define MIX_NEXT_PART(o, set, part)                                                                             \
    "vpmovzxdq " FIELD("32*" #set "+16", BYTES "/2*" #part) ", " R(o, part) "\n\t" TO("vpandq", MASK, R(o, part)) \
    "vpsllq $7, " R(o, part) ", " R(o, part) "\n\t" TO("vpaddq", FIRST_ROWS(set, part), R(o, part))             \
    MOVE(R(o, part), ROWS(set, part))
#define PREFETCH(set, lane) POINT(set, lane) "prefetcht0 (%[line])\n\tprefetcht0 64(%[line])\n\t"
#define SAVE_PREFETCH_1(set)
#define SAVE_PREFETCH_2(set)
#define SAVE_PREFETCH_3(set)
#define SAVE_PREFETCH_4(set)
#define NO_PREFETCH_1(set)
#define NO_PREFETCH_2(set)
#define NO_PREFETCH_3(set)
#define NO_PREFETCH_4(set)

/* Some steps of both sets. Set s goes from the last two rounds of its first half to the second's first two; meanwhile
 * its second half is saved or mixed, and then the other set's first half. */
#define ROMIX(JOB)                                                                                              \
    JOB##_NEXT(1, 0) JOB##_NEXT(1, 1) JOB_ALONE(1, JOB, 0, 0) WORDS(BEGIN, 0) REPEAT(3, DOUBLE_ROUND(0, 1))     \
    DOUBLE_ROUND_AND(0, 1, JOB, 0, 1, NO_PREFETCH) WORDS(TURN, 0)                                               \
    DOUBLE_ROUND_AND(0, 1, JOB, 1, 0, NO_PREFETCH) WORDS(BEGIN, 1)                                              \
    "jmp 3f\n2:\n\t" BOTH_THEN_FINISH_0 ALONE(1, 0, JOB) BOTH_THEN_FINISH_1 ALONE(0, 1, JOB)                    \
    "3:\n\tdecl %[steps]\n\tjnz 2b\n\t" BOTH_THEN_FINISH_0 DOUBLE_ROUND_AND(1, 0, JOB, 1, 1, NO_PREFETCH)       \
    WORDS(TURN, 1) REPEAT(4, DOUBLE_ROUND(1, 0)) MOVE(TEMP, SPARE) FINISH_SET_1
#define ALONE(s, o, JOB)                                                                                        \
    JOB##_NEXT(o, o) DOUBLE_ROUND_AND(s, o, JOB, s, 1, JOB##_PREFETCH) WORDS(TURN, s)                           \
    DOUBLE_ROUND_AND(s, o, JOB, o, 0, NO_PREFETCH) WORDS(BEGIN, o)

#define ROMIX_STEPS(JOB, state_, steps_)                                                                        \
    do {                                                                                                        \
        uint32_t left_ = (steps_), count_;                                                                      \
        void *line_;                                                                                            \
        __asm__ volatile(ROMIX(JOB) : [steps] "+&r"(left_), [count] "=&r"(count_), [line] "=&r"(line_)          \
                         : [state] "r"(state_) : CLOBBERED);                                                    \
    } while (0)
#define CLOBBERED                                                                                                   \
    "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",        \
    "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22",     \
    "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31"

#endif
