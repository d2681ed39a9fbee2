/* Screening: what a kernel says of each nonce, beside what the portable code says of it. On a sound CPU they agree. */
#include "portable.h"
#include "sha256.h"

/* Whether the range is within the nonces, and the scratch was made for the kernel. */
static int in_order(const miner_kernel *k, const miner_scratch *s, uint32_t first, uint32_t count)
{
    return count <= ((uint64_t)1 << 32) - first && k->algorithm->valid(s->parameters)
           && s->size >= k->scratch_size(s->parameters);
}

int miner_tops(const miner_kernel *k, const miner_scratch *s, const uint8_t header[80], uint32_t first, uint32_t count,
               const miner_epoch *epoch, uint64_t my_epoch, uint32_t *tops)
{
    const miner_stop stop = { epoch, my_epoch };
    if (!in_order(k, s, first, count))
        return MINER_EINVAL;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t hash[32];
        if (miner_stopped(&stop) || !miner_hash_nonce(k, s, header, first + i, &stop, hash))
            return MINER_STOPPED;
        tops[i] = swap32(load_be32(hash + 28));
    }
    return MINER_OK;
}

/* Where the mismatches go. */
typedef struct {
    miner_mismatch *out;
    size_t max, found;
} mismatches;

static void compare_batch(mismatches *m, uint32_t nonce, const uint32_t *tops, uint32_t lanes, uint32_t target_top,
                          uint64_t candidates)
{
    for (uint32_t lane = 0; lane < lanes; lane++) {
        int hit = candidates >> lane & 1;
        if (hit == (tops[lane] <= target_top))
            continue;
        if (m->found < m->max)
            m->out[m->found] = (miner_mismatch){ nonce + lane, target_top, hit };
        m->found++;
    }
}

/* The kernel's scan of `count` nonces with one target, as a search has it: where batches have no candidate it goes on
 * from one to the next. Returns how many nonces are compared, less than `count` when stopped. */
static uint32_t compare(const miner_kernel *k, miner_scratch *s, const miner_prepared *work, uint32_t first,
                        uint32_t count, const uint32_t *tops, const miner_stop *stop, mismatches *m)
{
    uint32_t done = 0;
    while (done < count && !miner_stopped(stop)) {
        uint64_t candidates = 0, batches = ((uint64_t)count - done + k->lanes - 1) / k->lanes;
        uint64_t scanned = k->scan(work, s, first + done, batches, stop, &candidates);
        if (scanned > batches)                          /* on a CPU that is not sound */
            scanned = batches;
        for (; scanned > 0; scanned--) {
            uint32_t lanes = count - done < k->lanes ? count - done : k->lanes;
            compare_batch(m, first + done, tops + done, lanes, work->target_top, scanned == 1 ? candidates : 0);
            done += lanes;
        }
    }
    return done;
}

int miner_compare(const miner_kernel *k, miner_scratch *s, const uint8_t header[80], uint32_t first, uint32_t count,
                  const uint32_t *tops, const uint32_t *targets, size_t n_targets, const miner_epoch *epoch,
                  uint64_t my_epoch, miner_mismatch *out, size_t max, size_t *n_mismatches, uint64_t *hashes_done)
{
    static const uint8_t zero[32] = { 0 };
    const miner_stop stop = { epoch, my_epoch };
    mismatches m = { out, max, 0 };
    *n_mismatches = 0;
    *hashes_done = 0;
    if (!in_order(k, s, first, count))
        return MINER_EINVAL;
    miner_prepared work;
    miner_prepare(&work, header, zero);
    for (size_t i = 0; i < n_targets && !miner_stopped(&stop); i++) {
        work.target_top = targets[i];
        *hashes_done += compare(k, s, &work, first, count, tops, &stop, &m);
    }
    *n_mismatches = m.found;
    return miner_stopped(&stop) ? MINER_STOPPED : MINER_OK;
}
