/* The search: kernels propose candidates, the portable code decides. */
#include "portable.h"

/* hash <= target, both least significant byte first. */
static int meets(const uint8_t hash[32], const uint8_t target[32])
{
    for (int i = 31; i >= 0; i--)
        if (hash[i] != target[i])
            return hash[i] < target[i];
    return 1;
}

/* What miner_search was given, and how far it is. */
typedef struct {
    const miner_kernel *kernel;
    miner_scratch *scratch;
    const uint8_t *header, *target;
    miner_stop stop;
    uint32_t first;
    uint64_t count, done;       /* nonces asked for and dealt with */
    miner_hit *hits;
    size_t max_hits, n_hits;
} search;

/* Take the hits among a batch's candidates and advance past the batch, or to where the list is full or work is new.
 * 1: go on; 0: return to the caller. */
static int take(search *t, uint64_t batch_start, uint64_t candidates)
{
    for (unsigned lane = 0; lane < t->kernel->lanes; lane++) {
        uint64_t offset = batch_start + lane;
        if (!(candidates >> lane & 1) || offset >= t->count)
            continue;
        if (t->n_hits == t->max_hits)
            return 0;
        miner_hit *hit = &t->hits[t->n_hits];
        hit->nonce = t->first + (uint32_t)offset;
        if (!miner_hash_nonce(t->kernel, t->scratch, t->header, hit->nonce, &t->stop, hit->hash)) {
            t->done = offset;
            return 0;
        }
        if (meets(hit->hash, t->target)) {
            t->n_hits++;
            t->done = offset + 1;
        }
    }
    uint64_t end = batch_start + t->kernel->lanes;
    t->done = end < t->count ? end : t->count;
    return t->n_hits == 0 || t->n_hits + t->kernel->lanes <= t->max_hits;
}

static void run(search *t, const miner_prepared *work)
{
    const unsigned lanes = t->kernel->lanes;
    while (t->done < t->count && !miner_stopped(&t->stop)) {
        uint64_t start = t->done, batches = (t->count - start + lanes - 1) / lanes, candidates = 0;
        uint64_t scanned = t->kernel->scan(work, t->scratch, t->first + (uint32_t)start, batches, &t->stop,
                                             &candidates);
        if (scanned == 0)
            return;
        uint64_t last = start + (scanned - 1) * lanes, end = last + lanes;
        t->done = last;
        if (!candidates)
            t->done = end < t->count ? end : t->count;
        else if (!take(t, last, candidates))
            return;
    }
}

int miner_search(const miner_kernel *k, miner_scratch *s, const uint8_t header[80], const uint8_t target[32],
                 uint32_t first, uint64_t count, const miner_epoch *epoch, uint64_t my_epoch,
                 miner_hit *hits, size_t max_hits, size_t *n_hits, uint64_t *hashes_done)
{
    *n_hits = 0;
    *hashes_done = 0;
    if (max_hits == 0 || count > ((uint64_t)1 << 32) - first)
        return MINER_EINVAL;
    if (!k->algorithm->valid(s->parameters) || s->size < k->scratch_size(s->parameters))
        return MINER_EINVAL;
    search t = {
        .kernel = k, .scratch = s, .header = header, .target = target, .stop = { epoch, my_epoch },
        .first = first, .count = count, .hits = hits, .max_hits = max_hits,
    };
    miner_prepared work;
    miner_prepare(&work, header, target);
    run(&t, &work);
    *n_hits = t.n_hits;
    *hashes_done = t.done;
    return t.done < count && miner_stopped(&t.stop) ? MINER_STOPPED : MINER_OK;
}
