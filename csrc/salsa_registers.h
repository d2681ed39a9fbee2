/* Salsa20/8 (RFC 7914 section 3), in C, of two sets of LANES blocks, one block in each lane, for romix_lanes.h. Include
 * a vec_*.h first. For instruction sets with thirty-two registers: compilers then keep a block's sixteen words in them.
 * The two sets are independent, and the code computes one after the other: a CPU with enough execution units for both
 * at once also looks far enough ahead to begin the second before the first has ended. */
#ifndef MINER_SALSA_REGISTERS_H
#define MINER_SALSA_REGISTERS_H

#include "isa.h"

/* Where things begin in a set, V x[48]: the two halves of the 128-byte blocks (sixteen words each), and sixteen words
 * in which a half's Salsa20/8 waits for its further rounds. */
enum { SALSA_FIRST_HALF = 0, SALSA_SECOND_HALF = 16, SALSA_WORK = 32 };

/* What salsa_rounds() does beside its rounds. SALSA_BEGIN: before them, the half is xored with the other one, and the
 * rounds start from it. SALSA_BEGIN_XORED: they start from the half, which somebody has xored already. Without either
 * they go on from the work space. SALSA_END: after them, the words are added to the half, which completes Salsa20/8.
 * Without it they go to the work space. */
enum { SALSA_BEGIN = 1, SALSA_BEGIN_XORED = 2, SALSA_END = 4 };

#define SALSA_STEP(to, x, y, bits) w[to] = v_xor(w[to], v_ror(v_add(w[x], w[y]), 32 - (bits)))
#define SALSA_QUARTERS(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p)                                          \
    SALSA_STEP(b, a, d, 7); SALSA_STEP(f, e, h, 7); SALSA_STEP(j, i, l, 7); SALSA_STEP(n, m, p, 7);             \
    SALSA_STEP(c, b, a, 9); SALSA_STEP(g, f, e, 9); SALSA_STEP(k, j, i, 9); SALSA_STEP(o, n, m, 9);             \
    SALSA_STEP(d, c, b, 13); SALSA_STEP(h, g, f, 13); SALSA_STEP(l, k, j, 13); SALSA_STEP(p, o, n, 13);         \
    SALSA_STEP(a, d, c, 18); SALSA_STEP(e, h, g, 18); SALSA_STEP(i, l, k, 18); SALSA_STEP(m, p, o, 18)

/* Some of the four double rounds of half = Salsa20/8(half ^ other half). `block` is where the half begins in x,
 * SALSA_FIRST_HALF or SALSA_SECOND_HALF; `edge` has SALSA_BEGIN and the other bits beside it. */
MINER_INLINE void salsa_rounds(V *x, int block, int edge, int double_rounds)
{
    V w[16];
    if (edge & SALSA_BEGIN)
        for (int i = 0; i < 16; i++)
            x[block + i] = v_xor(x[i], x[16 + i]);
    for (int i = 0; i < 16; i++)
        w[i] = x[(edge & (SALSA_BEGIN | SALSA_BEGIN_XORED) ? block : SALSA_WORK) + i];
    for (int i = 0; i < double_rounds; i++) {
        SALSA_QUARTERS(0, 4, 8, 12, 5, 9, 13, 1, 10, 14, 2, 6, 15, 3, 7, 11);
        SALSA_QUARTERS(0, 1, 2, 3, 5, 6, 7, 4, 10, 11, 8, 9, 15, 12, 13, 14);
    }
    for (int i = 0; i < 16; i++)
        if (edge & SALSA_END)
            x[block + i] = v_add(w[i], x[block + i]);
        else
            x[SALSA_WORK + i] = w[i];
}

/* Salsa20/8 of the first half of set s and of the second half of set t, both from beginning to end. */
static __attribute__((noinline)) void salsa_both(V s[48], V t[48])
{
    salsa_rounds(t, SALSA_SECOND_HALF, SALSA_BEGIN | SALSA_END, 4);
    salsa_rounds(s, SALSA_FIRST_HALF, SALSA_BEGIN | SALSA_END, 4);
}

/* Set s: the first six rounds of its first half, which has been xored with the second already (mix_rows() does that).
 * Set t: the last six rounds of its second half, whose first two salsa_turn() has done. */
static __attribute__((noinline)) void salsa_overlapped(V s[48], V t[48])
{
    salsa_rounds(t, SALSA_SECOND_HALF, SALSA_END, 3);
    salsa_rounds(s, SALSA_FIRST_HALF, SALSA_BEGIN_XORED, 3);
}

/* Set s changes halves: the last two rounds of its first half, then the first two of its second. */
static __attribute__((noinline)) void salsa_turn(V s[48])
{
    salsa_rounds(s, SALSA_FIRST_HALF, SALSA_END, 1);
    salsa_rounds(s, SALSA_SECOND_HALF, SALSA_BEGIN, 1);
}

#endif
