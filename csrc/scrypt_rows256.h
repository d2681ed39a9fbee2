/* Eight lanes' blocks to rows of memory and back, for scrypt_lanes.h. Include after vec_avx2.h or vec_avx512vl.h. */
#ifndef MINER_SCRYPT_ROWS256_H
#define MINER_SCRYPT_ROWS256_H

/* r[w] lane h <-> r[h] word w. */
MINER_INLINE void transpose(V r[8])
{
    V t[8], u[8];
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        u[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
        u[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
        u[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]);
        u[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm256_permute2x128_si256(u[i], u[i + 4], 0x20);
        r[i + 4] = _mm256_permute2x128_si256(u[i], u[i + 4], 0x31);
    }
}

/* The block of each lane to its row. */
MINER_INLINE void save_rows(const V x[32], uint8_t *row, size_t stride)
{
    for (int w = 0; w < 32; w += 8) {
        V r[8];
        memcpy(r, x + w, sizeof r);
        transpose(r);
        for (int h = 0; h < 8; h++)
            _mm256_store_si256((V *)(row + (size_t)h * stride + w * 4), r[h]);
    }
}

/* Each lane's block ^= its row, then its first half ^= its second: what Salsa20 begins with. */
MINER_INLINE void mix_rows(V x[32], uint8_t *const row[8])
{
    for (int w = 24; w >= 0; w -= 8) {
        V r[8];
        for (int h = 0; h < 8; h++)
            r[h] = _mm256_load_si256((const V *)(row[h] + w * 4));
        transpose(r);
        for (int i = 0; i < 8; i++)
            x[w + i] = w < 16 ? v_xor3(x[w + i], r[i], x[w + i + 16]) : v_xor(x[w + i], r[i]);
    }
}

#endif
