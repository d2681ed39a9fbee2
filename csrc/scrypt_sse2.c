/* scrypt, two sets of four hashes to SSE2's registers. */
#include "isa.h"
#ifdef MINER_X86
#include <string.h>

#include "vec_sse2.h"
#include "salsa_lanes.h"

/* r[w] lane h <-> r[h] word w. */
MINER_INLINE void transpose(V r[4])
{
    V low0 = _mm_unpacklo_epi32(r[0], r[1]), high0 = _mm_unpackhi_epi32(r[0], r[1]);
    V low2 = _mm_unpacklo_epi32(r[2], r[3]), high2 = _mm_unpackhi_epi32(r[2], r[3]);
    r[0] = _mm_unpacklo_epi64(low0, low2);
    r[1] = _mm_unpackhi_epi64(low0, low2);
    r[2] = _mm_unpacklo_epi64(high0, high2);
    r[3] = _mm_unpackhi_epi64(high0, high2);
}

/* The block of each lane to its row. */
MINER_INLINE void save_rows(const V x[32], uint8_t *row, size_t stride)
{
    for (int w = 0; w < 32; w += 4) {
        V r[4];
        memcpy(r, x + w, sizeof r);
        transpose(r);
        for (int h = 0; h < 4; h++)
            _mm_store_si128((V *)(row + (size_t)h * stride + w * 4), r[h]);
    }
}

/* Each lane's block ^= its row, then its first half ^= its second: what Salsa20 begins with. */
MINER_INLINE void mix_rows(V x[32], uint8_t *const row[4])
{
    for (int w = 28; w >= 0; w -= 4) {
        V r[4];
        for (int h = 0; h < 4; h++)
            r[h] = _mm_load_si128((const V *)(row[h] + w * 4));
        transpose(r);
        for (int i = 0; i < 4; i++)
            x[w + i] = w < 16 ? v_xor3(x[w + i], r[i], x[w + i + 16]) : v_xor(x[w + i], r[i]);
    }
}

#include "romix_lanes.h"
#include "scrypt_lanes.h"

SCRYPT_KERNEL(miner_scrypt_sse2, "sse2", MINER_CPU_SSE2);

MINER_ISA_END
#endif
