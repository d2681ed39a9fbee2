/* Salsa20/8 (RFC 7914 section 3) of two sets of LANES blocks, one block in each lane, for instruction sets with too few
 * registers for sixteen words and their temporaries. Include after a vec_*.h.
 *
 * The words stay in memory. Each quarter-round loads its four words, mostly as operands of the arithmetic, and stores
 * them again; out of order, the CPU then overlaps as many quarter-rounds of the two independent sets as it has room for.
 * That beats holding one set in registers (by a third where there are sixteen), since one set is bound by latency. */
#ifndef MINER_SALSA_LANES_H
#define MINER_SALSA_LANES_H

#include "isa.h"

/* What one set is at: block = Salsa20/8(block ^ other), through work. */
typedef struct {
    V *block;
    const V *other;
    V *work;
} salsa_set;

enum { SALSA_FIRST = 1, SALSA_LAST = 2 };

MINER_INLINE V salsa_load(const salsa_set *s, int word, int edge)
{
    return edge & SALSA_FIRST ? v_xor(s->block[word], s->other[word]) : s->work[word];
}

MINER_INLINE void salsa_store(const salsa_set *s, int word, int edge, V x)
{
    if (edge & SALSA_LAST)
        s->block[word] = v_add(x, v_xor(s->block[word], s->other[word]));
    else
        s->work[word] = x;
}

/* The compiler would otherwise carry words along in registers it does not have. */
#define SALSA_FENCE() __asm__ volatile("" ::: "memory")
#define SALSA_STEP(to, x, y, bits) to = v_xor(to, v_ror(v_add(x, y), 32 - (bits)))

/* Two quarter-rounds of one set, step by step in turn. */
MINER_INLINE void salsa_quarters(const salsa_set *s, int edge, int ia, int ib, int ic, int id, int ie, int jf, int ig,
                                 int ih)
{
    V a = salsa_load(s, ia, edge), b = salsa_load(s, ib, edge), c = salsa_load(s, ic, edge), d = salsa_load(s, id, edge);
    V e = salsa_load(s, ie, edge), f = salsa_load(s, jf, edge), g = salsa_load(s, ig, edge), h = salsa_load(s, ih, edge);
    SALSA_STEP(b, a, d, 7);
    SALSA_STEP(f, e, h, 7);
    salsa_store(s, ib, edge, b);
    salsa_store(s, jf, edge, f);
    SALSA_STEP(c, b, a, 9);
    SALSA_STEP(g, f, e, 9);
    salsa_store(s, ic, edge, c);
    salsa_store(s, ig, edge, g);
    SALSA_STEP(d, c, b, 13);
    SALSA_STEP(h, g, f, 13);
    salsa_store(s, id, edge, d);
    salsa_store(s, ih, edge, h);
    SALSA_STEP(a, d, c, 18);
    SALSA_STEP(e, h, g, 18);
    salsa_store(s, ia, edge, a);
    salsa_store(s, ie, edge, e);
    SALSA_FENCE();
}

MINER_INLINE void salsa_double_round(const salsa_set *s, const salsa_set *t, int edge)
{
    int first = edge & SALSA_FIRST, last = edge & SALSA_LAST;
    salsa_quarters(s, first, 0, 4, 8, 12, 5, 9, 13, 1);
    salsa_quarters(s, first, 10, 14, 2, 6, 15, 3, 7, 11);
    salsa_quarters(t, first, 0, 4, 8, 12, 5, 9, 13, 1);
    salsa_quarters(t, first, 10, 14, 2, 6, 15, 3, 7, 11);
    salsa_quarters(s, last, 0, 1, 2, 3, 5, 6, 7, 4);
    salsa_quarters(s, last, 10, 11, 8, 9, 15, 12, 13, 14);
    salsa_quarters(t, last, 0, 1, 2, 3, 5, 6, 7, 4);
    salsa_quarters(t, last, 10, 11, 8, 9, 15, 12, 13, 14);
}

/* block = Salsa20/8(block ^ other), for both sets. */
static void salsa20_8_pair(V block0[16], const V other0[16], V block1[16], const V other1[16])
{
    V work0[16], work1[16];
    const salsa_set s = { block0, other0, work0 }, t = { block1, other1, work1 };
    salsa_double_round(&s, &t, SALSA_FIRST);
    salsa_double_round(&s, &t, 0);
    salsa_double_round(&s, &t, 0);
    salsa_double_round(&s, &t, SALSA_LAST);
}

#endif
