/* One search of so many batches, of which no nonce meets the target: for counting the instructions of it.
 * count_core: a line for each kernel, with its algorithm, its name and its lanes.
 * count_core ALGORITHM KERNEL BATCHES: search, with the usual parameters (scrypt: N = 1024). */
#include <stdio.h>
#include <stdlib.h>

#include "miner.h"

enum { MAX = 32 };

static int list(void)
{
    const miner_algorithm *algorithms[MAX];
    size_t known = miner_algorithms(algorithms, MAX);
    for (size_t a = 0; a < known; a++) {
        const miner_kernel *k[MAX];
        size_t count = miner_kernels(algorithms[a], k, MAX);
        for (size_t i = 0; i < count; i++)
            printf("%s %s %u\n", miner_algorithm_name(algorithms[a]), miner_kernel_name(k[i]), miner_kernel_lanes(k[i]));
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const uint8_t header[80] = { 1, 2, 3 }, never[32] = { 0 };
    const miner_epoch epoch = 0;
    miner_hit hit;
    miner_scratch s;
    size_t found;
    uint64_t done;
    if (argc != 4)
        return list();
    const miner_algorithm *a = miner_algorithm_by_name(argv[1]);
    const miner_kernel *k = a ? miner_kernel_by_name(a, argv[2]) : NULL;
    if (!k || miner_scratch_alloc(&s, k, miner_algorithm_usual(a)) != MINER_OK)
        return 1;
    uint64_t count = strtoull(argv[3], NULL, 10) * miner_kernel_lanes(k);
    int status = miner_search(k, &s, header, never, 0, count, &epoch, 0, &hit, 1, &found, &done);
    miner_scratch_free(&s);
    return status != MINER_OK || done != count;
}
