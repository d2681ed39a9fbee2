/* One search of so many batches, of which no nonce meets the target: for counting the instructions of it.
 * count_core: a line for each kernel, with its algorithm, its name and its lanes.
 * count_core ALGORITHM KERNEL BATCHES: search; scrypt with N = 1024. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "miner.h"

enum { MAX = 32 };

static const char *const names[] = { [MINER_SHA256D] = "sha256d", [MINER_SCRYPT] = "scrypt" };

static int list(void)
{
    for (int a = MINER_SHA256D; a <= MINER_SCRYPT; a++) {
        const miner_kernel *k[MAX];
        size_t count = miner_kernels((miner_algorithm)a, k, MAX);
        for (size_t i = 0; i < count; i++)
            printf("%s %s %u\n", names[a], miner_kernel_name(k[i]), miner_kernel_lanes(k[i]));
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const uint8_t header[80] = { 1, 2, 3 }, never[32] = { 0 };
    const _Atomic uint64_t epoch = 0;
    miner_hit hit;
    miner_scratch s;
    size_t found;
    uint64_t done;
    if (argc != 4)
        return list();
    miner_algorithm a = strcmp(argv[1], names[MINER_SCRYPT]) ? MINER_SHA256D : MINER_SCRYPT;
    const miner_kernel *k = miner_kernel_by_name(a, argv[2]);
    if (!k || miner_scratch_alloc(&s, k, a == MINER_SCRYPT ? 1024 : 0) != MINER_OK)
        return 1;
    uint64_t count = strtoull(argv[3], NULL, 10) * miner_kernel_lanes(k);
    int status = miner_search(k, &s, header, never, 0, count, &epoch, 0, &hit, 1, &found, &done);
    miner_scratch_free(&s);
    return status != MINER_OK || done != count;
}
