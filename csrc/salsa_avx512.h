/* Salsa20/8 (RFC 7914 section 3) of two sets of sixteen blocks, one block in each lane, wholly in AVX-512's registers.
 * Include after vec_avx512.h.
 *
 * In assembly, because thirty-two words and a temporary are one more than there are registers: gcc and clang both spill
 * dozens (a third slower), although it takes one. Word 4 of the second set is the one whose absence costs least: the
 * steps that change it come right before the next step that reads it, so the temporary passes it on, and the store and
 * the load are off the critical path. The temporary is renamed by the CPU in every step and holds nothing up. */
#ifndef MINER_SALSA_AVX512_H
#define MINER_SALSA_AVX512_H

#include "isa.h"

/* Registers 0-15: the first set; 16-31: the second, where 20 is the temporary and word 4 lives in (spare). */
#define Z(r) "%%zmm" #r
#define ROTATE(bits) "vprold $" #bits ", %%zmm20, %%zmm20\n\t"
/* to ^= (x + y) <<< bits */
#define STEP(to, x, y, bits) \
    "vpaddd " Z(x) ", " Z(y) ", %%zmm20\n\t" ROTATE(bits) "vpxord %%zmm20, " Z(to) ", " Z(to) "\n\t"
#define STEP_READING_SPARE(to, x, bits) \
    "vpaddd (%[spare]), " Z(x) ", %%zmm20\n\t" ROTATE(bits) "vpxord %%zmm20, " Z(to) ", " Z(to) "\n\t"
#define STEP_TO_SPARE(x, y, bits)                                                                            \
    "vpaddd " Z(x) ", " Z(y) ", %%zmm20\n\t" ROTATE(bits) "vpxord (%[spare]), %%zmm20, %%zmm20\n\t" \
    "vmovdqa64 %%zmm20, (%[spare])\n\t"

#define COLUMN_ROUND                                                                          \
    STEP(4, 0, 12, 7) STEP(9, 5, 1, 7) STEP(14, 10, 6, 7) STEP(3, 15, 11, 7)                  \
    STEP(25, 21, 17, 7) STEP(30, 26, 22, 7) STEP(19, 31, 27, 7) STEP_TO_SPARE(16, 28, 7)      \
    STEP(24, 20, 16, 9) STEP(29, 25, 21, 9) STEP(18, 30, 26, 9) STEP(23, 19, 31, 9)           \
    STEP(8, 4, 0, 9) STEP(13, 9, 5, 9) STEP(2, 14, 10, 9) STEP(7, 3, 15, 9)                   \
    STEP(12, 8, 4, 13) STEP(1, 13, 9, 13) STEP(6, 2, 14, 13) STEP(11, 7, 3, 13)               \
    STEP(17, 29, 25, 13) STEP(22, 18, 30, 13) STEP(27, 23, 19, 13) STEP_READING_SPARE(28, 24, 13) \
    STEP(0, 12, 8, 18) STEP(5, 1, 13, 18) STEP(10, 6, 2, 18) STEP(15, 11, 7, 18)              \
    STEP(21, 17, 29, 18) STEP(26, 22, 18, 18) STEP(31, 27, 23, 18) STEP(16, 28, 24, 18)

#define ROW_ROUND                                                                             \
    STEP(1, 0, 3, 7) STEP(6, 5, 4, 7) STEP(11, 10, 9, 7) STEP(12, 15, 14, 7)                  \
    STEP(17, 16, 19, 7) STEP(27, 26, 25, 7) STEP(28, 31, 30, 7) STEP_READING_SPARE(22, 21, 7) \
    STEP(2, 1, 0, 9) STEP(7, 6, 5, 9) STEP(8, 11, 10, 9) STEP(13, 12, 15, 9)                  \
    STEP(18, 17, 16, 9) STEP(24, 27, 26, 9) STEP(29, 28, 31, 9) STEP(23, 22, 21, 9)           \
    STEP(3, 2, 1, 13) STEP(4, 7, 6, 13) STEP(9, 8, 11, 13) STEP(14, 13, 12, 13)               \
    STEP(19, 18, 17, 13) STEP(25, 24, 27, 13) STEP(30, 29, 28, 13) STEP_TO_SPARE(23, 22, 13)  \
    STEP(21, 20, 23, 18) STEP(16, 19, 18, 18) STEP(26, 25, 24, 18) STEP(31, 30, 29, 18)       \
    STEP(0, 3, 2, 18) STEP(5, 4, 7, 18) STEP(10, 9, 8, 18) STEP(15, 14, 13, 18)

/* DO(r, word, set) for every word and the register that holds it. Word 4 of the second set: r is the temporary. */
#define FIRST_SET(DO)                                                                                            \
    DO(0, 0, 0) DO(1, 1, 0) DO(2, 2, 0) DO(3, 3, 0) DO(4, 4, 0) DO(5, 5, 0) DO(6, 6, 0) DO(7, 7, 0)              \
    DO(8, 8, 0) DO(9, 9, 0) DO(10, 10, 0) DO(11, 11, 0) DO(12, 12, 0) DO(13, 13, 0) DO(14, 14, 0) DO(15, 15, 0)
#define SECOND_SET(DO)                                                                                           \
    DO(16, 0, 1) DO(17, 1, 1) DO(18, 2, 1) DO(19, 3, 1) DO(21, 5, 1) DO(22, 6, 1) DO(23, 7, 1) DO(24, 8, 1)      \
    DO(25, 9, 1) DO(26, 10, 1) DO(27, 11, 1) DO(28, 12, 1) DO(29, 13, 1) DO(30, 14, 1) DO(31, 15, 1)

#define AT(pointer, word, set) "64*" #word "(%[" #pointer #set "])"
#define LOAD(r, word, set) \
    "vmovdqa64 " AT(block, word, set) ", " Z(r) "\n\tvpxord " AT(other, word, set) ", " Z(r) ", " Z(r) "\n\t"
/* Through register 20: the first set's are free again, but the CPU renames this one just as well. */
#define ADD_AND_STORE(r, word, set)                                                                              \
    "vmovdqa64 " AT(block, word, set) ", %%zmm20\n\tvpxord " AT(other, word, set) ", %%zmm20, %%zmm20\n\t"       \
    "vpaddd " Z(r) ", %%zmm20, %%zmm20\n\tvmovdqa64 %%zmm20, " AT(block, word, set) "\n\t"

/* block = Salsa20/8(block ^ other), for both sets. */
static inline void salsa20_8_pair(V block0[16], const V other0[16], V block1[16], const V other1[16])
{
    V spare;
    int rounds;
    __asm__ volatile(
        LOAD(20, 4, 1) "vmovdqa64 %%zmm20, (%[spare])\n\t"
        FIRST_SET(LOAD) SECOND_SET(LOAD)
        "movl $4, %[rounds]\n"
        "1:\n\t"
        COLUMN_ROUND ROW_ROUND
        "decl %[rounds]\n\t"
        "jnz 1b\n\t"
        FIRST_SET(ADD_AND_STORE) SECOND_SET(ADD_AND_STORE)
        "vmovdqa64 (%[spare]), %%zmm0\n\t" ADD_AND_STORE(0, 4, 1)
        : [rounds] "=&r"(rounds)
        : [block0] "r"(block0), [other0] "r"(other0), [block1] "r"(block1), [other1] "r"(other1), [spare] "r"(&spare)
        : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
          "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22",
          "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31");
}

#undef Z
#undef ROTATE
#undef STEP
#undef STEP_READING_SPARE
#undef STEP_TO_SPARE
#undef COLUMN_ROUND
#undef ROW_ROUND
#undef FIRST_SET
#undef SECOND_SET
#undef AT
#undef LOAD
#undef ADD_AND_STORE

#endif
