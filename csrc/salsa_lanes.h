/* Salsa20/8 (RFC 7914 section 3) of two sets of LANES blocks, one block in each lane, for instruction sets with too few
 * registers for that. Include after a vec_*.h.
 *
 * The words stay in memory. Each quarter-round loads its four words, mostly as operands of the arithmetic, and stores
 * them again; out of order, the CPU then overlaps as many quarter-rounds of the two independent sets as it has room
 * for. That beats holding one set in registers (by a quarter where there are sixteen), since one set is bound by
 * latency. */
#ifndef MINER_SALSA_LANES_H
#define MINER_SALSA_LANES_H

#include "isa.h"

/* A set is V x[48]: a block's first half, its second half, and work space. Half a block mix (RFC 7914's scryptBlockMix
 * with r = 1) is block = Salsa20/8(block ^ other), where block and other are the first half and the second, or the
 * reverse. */
enum { SALSA_FIRST_HALF = 0, SALSA_SECOND_HALF = 16, SALSA_WORK = 32 };

/* Whether a round is the first, where words come from both halves, or from a block that has been xored with the other
 * already; or the last, where they go to the block. */
enum { SALSA_BEGIN = 1, SALSA_BEGIN_XORED = 2, SALSA_END = 4 };

MINER_INLINE V salsa_load(V *x, int block, int edge, int word)
{
    if (edge & SALSA_BEGIN)
        return x[block + word] = v_xor(x[block + word], x[(block ^ SALSA_SECOND_HALF) + word]);
    return x[(edge & SALSA_BEGIN_XORED ? block : SALSA_WORK) + word];
}

MINER_INLINE void salsa_store(V *x, int block, int edge, int word, V value)
{
    if (edge & SALSA_END)
        x[block + word] = v_add(value, x[block + word]);
    else
        x[SALSA_WORK + word] = value;
}

/* The compiler would otherwise carry words along in registers it does not have. */
#define SALSA_FENCE() __asm__ volatile("" ::: "memory")

/* No instruction; keeps two chains of arithmetic in step, which on Zen 4 is 3% faster than the order that gcc and clang
 * choose. */
#define SALSA_IN_STEP(x, y) __asm__ volatile("" : "+x"(x), "+x"(y))

/* to ^= (x + y) <<< bits, twice. */
#define SALSA_STEP(to, x, y, to2, x2, y2, bits)                                         \
    do {                                                                                \
        V sum_ = v_add(x, y), sum2_ = v_add(x2, y2);                                    \
        SALSA_IN_STEP(sum_, sum2_);                                                     \
        V left_ = v_shl(sum_, bits), left2_ = v_shl(sum2_, bits);                       \
        SALSA_IN_STEP(left_, left2_);                                                   \
        V right_ = v_shr(sum_, 32 - (bits)), right2_ = v_shr(sum2_, 32 - (bits));       \
        SALSA_IN_STEP(right_, right2_);                                                 \
        to = v_xor(to, left_), to2 = v_xor(to2, left2_);                                \
        SALSA_IN_STEP(to, to2);                                                         \
        to = v_xor(to, right_), to2 = v_xor(to2, right2_);                              \
        SALSA_IN_STEP(to, to2);                                                         \
    } while (0)

/* Two quarter-rounds of one set. */
MINER_INLINE void salsa_quarters(V *x, int block, int edge, int ia, int ib, int ic, int id,
                                 int ja, int jb, int jc, int jd)
{
    V a = salsa_load(x, block, edge, ia), b = salsa_load(x, block, edge, ib);
    V c = salsa_load(x, block, edge, ic), d = salsa_load(x, block, edge, id);
    V e = salsa_load(x, block, edge, ja), f = salsa_load(x, block, edge, jb);
    V g = salsa_load(x, block, edge, jc), h = salsa_load(x, block, edge, jd);
    SALSA_STEP(b, a, d, f, e, h, 7);
    salsa_store(x, block, edge, ib, b);
    salsa_store(x, block, edge, jb, f);
    SALSA_STEP(c, b, a, g, f, e, 9);
    salsa_store(x, block, edge, ic, c);
    salsa_store(x, block, edge, jc, g);
    SALSA_STEP(d, c, b, h, g, f, 13);
    salsa_store(x, block, edge, id, d);
    salsa_store(x, block, edge, jd, h);
    SALSA_STEP(a, d, c, e, h, g, 18);
    salsa_store(x, block, edge, ia, a);
    salsa_store(x, block, edge, ja, e);
    SALSA_FENCE();
}

MINER_INLINE void salsa_columns(V *x, int block, int edge)
{
    salsa_quarters(x, block, edge, 0, 4, 8, 12, 5, 9, 13, 1);
    salsa_quarters(x, block, edge, 10, 14, 2, 6, 15, 3, 7, 11);
}

MINER_INLINE void salsa_rows(V *x, int block, int edge)
{
    salsa_quarters(x, block, edge, 0, 1, 2, 3, 5, 6, 7, 4);
    salsa_quarters(x, block, edge, 10, 11, 8, 9, 15, 12, 13, 14);
}

/* The first half of s and the second half of t. */
static __attribute__((noinline)) void salsa_both(V s[48], V t[48])
{
    for (int i = 0; i < 4; i++) {
        salsa_columns(s, SALSA_FIRST_HALF, i == 0 ? SALSA_BEGIN : 0);
        salsa_columns(t, SALSA_SECOND_HALF, i == 0 ? SALSA_BEGIN : 0);
        salsa_rows(s, SALSA_FIRST_HALF, i == 3 ? SALSA_END : 0);
        salsa_rows(t, SALSA_SECOND_HALF, i == 3 ? SALSA_END : 0);
    }
}

/* The first half of s, which has been xored with the second already, but for its last round; and the second half of t
 * from its second round on. */
static __attribute__((noinline)) void salsa_overlapped(V s[48], V t[48])
{
    salsa_rows(t, SALSA_SECOND_HALF, 0);
    salsa_columns(s, SALSA_FIRST_HALF, SALSA_BEGIN_XORED);
    for (int i = 0; i < 3; i++) {
        salsa_columns(t, SALSA_SECOND_HALF, 0);
        salsa_rows(s, SALSA_FIRST_HALF, 0);
        salsa_rows(t, SALSA_SECOND_HALF, i == 2 ? SALSA_END : 0);
        salsa_columns(s, SALSA_FIRST_HALF, 0);
    }
}

/* The rounds between: the last of the first half, the first of the second. */
static __attribute__((noinline)) void salsa_turn(V s[48])
{
    salsa_rows(s, SALSA_FIRST_HALF, SALSA_END);
    salsa_columns(s, SALSA_SECOND_HALF, SALSA_BEGIN);
}

#endif
