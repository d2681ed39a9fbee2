/* scrypt, two sets of four hashes to NEON's registers.
 *
 * In the form of romix_diagonals.h a hash takes 2 to 4% more instructions, counted with three to five hashes side by
 * side, and 12% more vector operations: shuffles of diagonals are more than rows' transposing. */
#include "isa.h"
#ifdef MINER_ARM64
#include <string.h>

#include "vec_neon.h"
#include "salsa_registers.h"

/* r[w] lane h <-> r[h] word w. */
MINER_INLINE void transpose(V r[4])
{
    V even01 = vtrn1q_u32(r[0], r[1]), odd01 = vtrn2q_u32(r[0], r[1]);
    V even23 = vtrn1q_u32(r[2], r[3]), odd23 = vtrn2q_u32(r[2], r[3]);
    r[0] = vreinterpretq_u32_u64(vtrn1q_u64(vreinterpretq_u64_u32(even01), vreinterpretq_u64_u32(even23)));
    r[1] = vreinterpretq_u32_u64(vtrn1q_u64(vreinterpretq_u64_u32(odd01), vreinterpretq_u64_u32(odd23)));
    r[2] = vreinterpretq_u32_u64(vtrn2q_u64(vreinterpretq_u64_u32(even01), vreinterpretq_u64_u32(even23)));
    r[3] = vreinterpretq_u32_u64(vtrn2q_u64(vreinterpretq_u64_u32(odd01), vreinterpretq_u64_u32(odd23)));
}

/* The block of each lane to its row. */
MINER_INLINE void save_rows(const V x[32], uint8_t *row, size_t stride)
{
    for (size_t w = 0; w < 32; w += 4) {
        V r[4];
        memcpy(r, x + w, sizeof r);
        transpose(r);
        for (size_t h = 0; h < 4; h++)
            vst1q_u32((uint32_t *)(row + h * stride) + w, r[h]);
    }
}

/* Each lane's block ^= its row, then its first half ^= its second: what Salsa20 begins with. */
MINER_INLINE void mix_rows(V x[32], uint8_t *const row[4])
{
    for (int w = 28; w >= 0; w -= 4) {
        V r[4];
        for (size_t h = 0; h < 4; h++)
            r[h] = vld1q_u32((const uint32_t *)row[h] + w);
        transpose(r);
        for (size_t i = 0; i < 4; i++)
            x[w + i] = w < 16 ? v_xor3(x[w + i], r[i], x[w + i + 16]) : v_xor(x[w + i], r[i]);
    }
}

#include "romix_lanes.h"
#include "scrypt_lanes.h"

SCRYPT_KERNEL(miner_scrypt_neon, "neon", MINER_CPU_NEON);
#endif
