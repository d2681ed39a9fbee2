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

/* Each lane's block ^= its row. The halves of a row's eighths are put in place while loading: fewer shuffles. */
MINER_INLINE void mix_rows(V x[32], uint8_t *const row[8])
{
    for (int w = 0; w < 32; w += 4) {
        V r[4], t[4];
        for (int h = 0; h < 4; h++)
            r[h] = _mm256_inserti128_si256(
                _mm256_castsi128_si256(_mm_load_si128((const __m128i *)(row[h] + w * 4))),
                _mm_load_si128((const __m128i *)(row[h + 4] + w * 4)), 1);
        t[0] = _mm256_unpacklo_epi32(r[0], r[1]);
        t[1] = _mm256_unpackhi_epi32(r[0], r[1]);
        t[2] = _mm256_unpacklo_epi32(r[2], r[3]);
        t[3] = _mm256_unpackhi_epi32(r[2], r[3]);
        x[w] = v_xor(x[w], _mm256_unpacklo_epi64(t[0], t[2]));
        x[w + 1] = v_xor(x[w + 1], _mm256_unpackhi_epi64(t[0], t[2]));
        x[w + 2] = v_xor(x[w + 2], _mm256_unpacklo_epi64(t[1], t[3]));
        x[w + 3] = v_xor(x[w + 3], _mm256_unpackhi_epi64(t[1], t[3]));
    }
}

#endif
