/* Salsa20/8 (RFC 7914 section 3) of sets of LANES blocks, one block in each lane, for thirty-two registers, in which
 * compilers keep sixteen words. Include after a vec_*.h. One set after the other: a CPU that is wide enough to need both
 * at once looks far enough ahead to find them. */
#ifndef MINER_SALSA_REGISTERS_H
#define MINER_SALSA_REGISTERS_H

#include "isa.h"

/* A set is V x[48]: a block's first half, its second half, and work space. */
enum { SALSA_FIRST_HALF = 0, SALSA_SECOND_HALF = 16, SALSA_WORK = 32 };

/* Words come from the work space and go there, but from both halves, or from a block that has been xored with the other
 * already, at the beginning, and to the block at the end. */
enum { SALSA_BEGIN = 1, SALSA_BEGIN_XORED = 2, SALSA_END = 4 };

#define SALSA_STEP(to, x, y, bits) w[to] = v_xor(w[to], v_ror(v_add(w[x], w[y]), 32 - (bits)))
#define SALSA_QUARTERS(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p)                                          \
    SALSA_STEP(b, a, d, 7); SALSA_STEP(f, e, h, 7); SALSA_STEP(j, i, l, 7); SALSA_STEP(n, m, p, 7);             \
    SALSA_STEP(c, b, a, 9); SALSA_STEP(g, f, e, 9); SALSA_STEP(k, j, i, 9); SALSA_STEP(o, n, m, 9);             \
    SALSA_STEP(d, c, b, 13); SALSA_STEP(h, g, f, 13); SALSA_STEP(l, k, j, 13); SALSA_STEP(p, o, n, 13);         \
    SALSA_STEP(a, d, c, 18); SALSA_STEP(e, h, g, 18); SALSA_STEP(i, l, k, 18); SALSA_STEP(m, p, o, 18)

/* Some double rounds of one half block mix: block = Salsa20/8(block ^ other). */
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

/* The first half of s and the second half of t. */
static __attribute__((noinline)) void salsa_both(V s[48], V t[48])
{
    salsa_rounds(t, SALSA_SECOND_HALF, SALSA_BEGIN | SALSA_END, 4);
    salsa_rounds(s, SALSA_FIRST_HALF, SALSA_BEGIN | SALSA_END, 4);
}

/* The first half of s, which has been xored with the second already, but for its last two rounds; and the second half
 * of t from its third round on. */
static __attribute__((noinline)) void salsa_overlapped(V s[48], V t[48])
{
    salsa_rounds(t, SALSA_SECOND_HALF, SALSA_END, 3);
    salsa_rounds(s, SALSA_FIRST_HALF, SALSA_BEGIN_XORED, 3);
}

/* The rounds between: the last two of the first half, the first two of the second. */
static __attribute__((noinline)) void salsa_turn(V s[48])
{
    salsa_rounds(s, SALSA_FIRST_HALF, SALSA_END, 1);
    salsa_rounds(s, SALSA_SECOND_HALF, SALSA_BEGIN, 1);
}

#endif
