// A program in C++ that uses the core by miner.h alone: a kernel of each algorithm finds the nonces that the portable hash
// names, and a new epoch stops it. Built and run by tests/test_csrc.py.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "miner.h"

static void check(bool good, const char *what)
{
    if (!good) {
        std::fprintf(stderr, "%s\n", what);
        std::exit(1);
    }
}

static void use(const miner_algorithm *algorithm)
{
    const miner_kernel *kernel;
    check(miner_kernels(algorithm, &kernel, 1) > 0, "no kernel");
    miner_scratch scratch;
    check(miner_scratch_alloc(&scratch, kernel, miner_algorithm_usual(algorithm)) == MINER_OK, "no memory");
    uint8_t header[80] = {1}, target[32], hash[32];
    std::fill(target, target + 32, 0xff);
    std::vector<miner_hit> hits(miner_kernel_lanes(kernel));
    miner_epoch epoch(0);
    size_t found;
    uint64_t done;
    check(miner_search(kernel, &scratch, header, target, 0, hits.size(), &epoch, 0, hits.data(), hits.size(), &found,
                       &done) == MINER_OK && found == hits.size() && done == found, "not every nonce is a hit");
    check(miner_hash(algorithm, scratch.parameters, header, hash) == MINER_OK, "no hash");
    check(std::equal(hash, hash + 32, hits[0].hash), "the first nonce has another hash");
    epoch.fetch_add(1);
    check(miner_search(kernel, &scratch, header, target, 0, 1, &epoch, 0, hits.data(), hits.size(), &found, &done)
          == MINER_STOPPED && done == 0, "a new epoch does not stop it");
    miner_scratch_free(&scratch);
    std::printf("%s: good\n", miner_algorithm_name(algorithm));
}

int main()
{
    const miner_algorithm *algorithms[32];
    size_t count = miner_algorithms(algorithms, 32);
    for (size_t i = 0; i < count; i++)
        use(algorithms[i]);
}
