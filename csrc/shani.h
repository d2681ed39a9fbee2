/* SHA-256's state as Intel's SHA extensions want it. Include after MINER_ISA_BEGIN. */
#ifndef MINER_SHANI_H
#define MINER_SHANI_H

#include <stdint.h>

/* The first letter is the highest word. sha256rnds2 makes the new abef from both; the old abef is the new cdgh. */
typedef struct {
    __m128i abef, cdgh;
} packed_state;

static inline packed_state pack(const uint32_t s[8])
{
    packed_state packed = {
        _mm_set_epi32((int)s[0], (int)s[1], (int)s[4], (int)s[5]),
        _mm_set_epi32((int)s[2], (int)s[3], (int)s[6], (int)s[7]),
    };
    return packed;
}

#endif
