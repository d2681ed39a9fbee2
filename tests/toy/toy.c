/* An algorithm that no coin has, all of it: its entry and its one kernel. The hash is sha256d of the header, and of that
 * again, as often as its one parameter says. */
#include "kernel.h"
#include "sha256.h"

static int toy_valid(miner_parameters p)
{
    return p.value[0] >= 1 && p.value[0] <= 1000 && !(p.value[1] | p.value[2] | p.value[3]);
}

static int toy_hash(const uint8_t header[80], const miner_scratch *s, const miner_stop *stop, uint8_t out[32])
{
    miner_sha256d(header, 80, out);
    for (uint32_t i = 1; i < s->parameters.value[0]; i++) {
        if (stop && miner_stopped(stop))
            return 0;
        miner_sha256d(out, 32, out);
    }
    return 1;
}

static uint64_t toy_scan(const miner_prepared *work, miner_scratch *s, uint32_t nonce, uint64_t batches,
                         const miner_stop *stop, uint64_t *candidates)
{
    *candidates = 0;
    for (uint64_t batch = 0; batch < batches; batch++) {
        uint8_t header[80], hash[32];
        for (int i = 0; i < 19; i++)
            store_be32(header + 4 * i, work->words[i]);
        store_be32(header + 76, swap32(nonce + (uint32_t)batch));
        if (miner_stopped(stop) || !toy_hash(header, s, stop, hash))
            return batch;
        if (swap32(load_be32(hash + 28)) <= work->target_top) {
            *candidates = 1;
            return batch + 1;
        }
    }
    return batches;
}

static size_t toy_scratch_size(miner_parameters p)
{
    (void)p;
    return 0;
}

extern const miner_algorithm miner_toy_algorithm;
static const miner_kernel toy_portable = {
    .name = "portable", .algorithm = &miner_toy_algorithm, .lanes = 1, .scratch_size = toy_scratch_size,
    .scan = toy_scan,
};
static const miner_kernel *const toy_kernels[] = { &toy_portable, NULL };

const miner_algorithm miner_toy_algorithm = {
    .name = "toy", .kernels = toy_kernels, .everywhere = "portable ", .hash = toy_hash,
    .valid = toy_valid, .takes = "a number of rounds from 1 to 1000",
    .usual = { { 2 } }, .quick = { { 1 } },
    .known_header =     /* made for this */
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f30313233343536"
        "3738393a3b3c3d3e3f404142434445464748494a4b92524201",
};
