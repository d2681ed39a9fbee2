/* scrypt, two sets of sixteen hashes to AVX-512's registers. */
#include "isa.h"
#ifdef MINER_X86
#include <string.h>

#include "vec_avx512.h"
#define SALSA_REGISTER "zmm"
#define SALSA_BYTES "64"
#include "salsa_avx512.h"

/* In each 128-bit part: r[w] word h <-> r[h] word w. */
MINER_INLINE void transpose_parts(V r[4])
{
    V low0 = _mm512_unpacklo_epi32(r[0], r[1]), high0 = _mm512_unpackhi_epi32(r[0], r[1]);
    V low2 = _mm512_unpacklo_epi32(r[2], r[3]), high2 = _mm512_unpackhi_epi32(r[2], r[3]);
    r[0] = _mm512_unpacklo_epi64(low0, low2);
    r[1] = _mm512_unpackhi_epi64(low0, low2);
    r[2] = _mm512_unpacklo_epi64(high0, high2);
    r[3] = _mm512_unpackhi_epi64(high0, high2);
}

MINER_INLINE void store_halves(uint8_t *low, uint8_t *high, V x)
{
    _mm256_store_si256((__m256i *)low, _mm512_castsi512_si256(x));
    _mm256_store_si256((__m256i *)high, _mm512_extracti64x4_epi64(x, 1));
}

MINER_INLINE V load_halves(const uint8_t *low, const uint8_t *high)
{
    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_load_si256((const __m256i *)low)),
                              _mm256_load_si256((const __m256i *)high), 1);
}

/* The block of each lane to its row. Stored by halves of registers, which takes one shuffle less for each. */
MINER_INLINE void save_rows(const V x[32], uint8_t *row, size_t stride)
{
    const V parts01 = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
    const V parts23 = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
    for (int w = 0; w < 32; w += 8) {
        V r[8];
        memcpy(r, x + w, sizeof r);
        transpose_parts(r);
        transpose_parts(r + 4);
        for (size_t h = 0; h < 4; h++) {
            uint8_t *to = row + h * stride + w * 4;
            store_halves(to, to + 4 * stride, _mm512_permutex2var_epi64(r[h], parts01, r[4 + h]));
            store_halves(to + 8 * stride, to + 12 * stride, _mm512_permutex2var_epi64(r[h], parts23, r[4 + h]));
        }
    }
}

/* Each lane's block ^= its row, then its first half ^= its second: what Salsa20 begins with. */
MINER_INLINE void mix_rows(V x[32], uint8_t *const row[16])
{
    for (int w = 24; w >= 0; w -= 8) {
        V r[8];
        for (int h = 0; h < 4; h++) {
            V low = load_halves(row[h] + w * 4, row[4 + h] + w * 4);
            V high = load_halves(row[8 + h] + w * 4, row[12 + h] + w * 4);
            r[h] = _mm512_shuffle_i32x4(low, high, 0x88);
            r[4 + h] = _mm512_shuffle_i32x4(low, high, 0xdd);
        }
        transpose_parts(r);
        transpose_parts(r + 4);
        for (int i = 0; i < 8; i++)
            x[w + i] = w < 16 ? v_xor3(x[w + i], r[i], x[w + i + 16]) : v_xor(x[w + i], r[i]);
    }
}

#include "scrypt_lanes.h"

SCRYPT_KERNEL(miner_scrypt_avx512, "avx512", MINER_CPU_AVX512);

MINER_ISA_END
#endif
