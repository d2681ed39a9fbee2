/* A header made ready for a scan. */
#include <string.h>

#include "portable.h"
#include "sha256.h"

void miner_prepare(miner_prepared *work, const uint8_t header[80], const uint8_t target[32])
{
    for (int i = 0; i < 20; i++)
        work->words[i] = load_be32(header + 4 * i);
    memcpy(work->midstate, sha256_iv, sizeof work->midstate);
    miner_sha256_compress(work->midstate, work->words);
    work->target_top = swap32(load_be32(target + 28));
}
