/* Any bytes become a search, which every kernel must answer as the portable hashes say: header, target, range, where
 * both lie in memory, and the length of the hit list. A library for tests/fuzz/kernels.py; as a program,
 * `fuzz_kernels COUNT` tries so many random inputs (under the sanitizers, by tests/test_csrc.py). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "miner.h"

enum { MAX_KERNELS = 32, MAX_NONCES = 160, MAX_LIST = 130, SHIFTS = 16, CANARY = 0xa5 };

/* What is asked of all kernels, and the answer. */
typedef struct {
    const miner_algorithm *algorithm;
    miner_parameters parameters;
    uint32_t first;
    uint64_t count;
    size_t list;                                    /* length of the hit list */
    uint8_t header[80 + SHIFTS], target[32 + SHIFTS];
    uint8_t *header_at, *target_at;                 /* where they begin in these */
    uint8_t hash[MAX_NONCES][32];                   /* of first, first + 1, … by the portable code */
} question;

static int portable_hash(const question *q, uint32_t nonce, uint8_t out[32])
{
    uint8_t full[80];
    memcpy(full, q->header_at, 76);
    for (int i = 0; i < 4; i++)
        full[76 + i] = (uint8_t)(nonce >> (8 * i));
    return miner_hash(q->algorithm, q->parameters, full, out);
}

/* The bytes in turn, and zeros behind their end. */
typedef struct {
    const uint8_t *at, *end;
} source;

static uint32_t take(source *s, int bytes)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | (s->at < s->end ? *s->at++ : 0);
    return value;
}

/* Random targets would hardly ever be near a hash, so most are made of one: equal, one less, or its upper half. */
static void make_target(question *q, source *s)
{
    uint32_t kind = take(s, 1), which = take(s, 1);
    for (int i = 0; i < 32; i++)
        q->target_at[i] = (uint8_t)take(s, 1);
    if (kind % 4 == 0 || q->count == 0)
        return;
    const uint8_t *hash = q->hash[which % q->count];
    memcpy(q->target_at + (kind % 4 == 3 ? 16 : 0), hash + (kind % 4 == 3 ? 16 : 0), kind % 4 == 3 ? 16 : 32);
    for (int i = 0; kind % 4 == 2 && i < 32 && q->target_at[i]-- == 0; i++)
        continue;
}

static int ask(question *q, const uint8_t *data, size_t size)
{
    source s = { data, data + size };
    uint32_t what = take(&s, 1), shifts = take(&s, 1);
    q->algorithm = miner_algorithm_by_name(what & 1 ? "scrypt" : "sha256d");
    q->parameters = (miner_parameters){ { what & 1 ? 2u << (what >> 1) % 7 : 0 } };
    q->list = 1 + take(&s, 1) % MAX_LIST;
    q->count = take(&s, 1) % (MAX_NONCES + 1);
    q->first = take(&s, 4);
    if (what & 0x80 || q->count > ((uint64_t)1 << 32) - q->first)
        q->first = (uint32_t)(0u - q->count);                   /* up to the last nonce */
    q->header_at = q->header + shifts % SHIFTS;
    q->target_at = q->target + (shifts >> 4) % SHIFTS;
    for (int i = 0; i < 80; i++)
        q->header_at[i] = (uint8_t)take(&s, 1);
    for (uint64_t i = 0; i < q->count; i++)
        if (portable_hash(q, q->first + (uint32_t)i, q->hash[i]) != MINER_OK)
            return 0;
    make_target(q, &s);
    return 1;
}

static int meets(const uint8_t hash[32], const uint8_t target[32])
{
    int i = 31;
    while (i > 0 && hash[i] == target[i])
        i--;
    return hash[i] <= target[i];
}

/* The first nonce that a kernel gets wrong: a line of this file, or 0. */
static int answer(const question *q, const miner_kernel *k, miner_scratch *s)
{
    static const miner_epoch calm = 0;
    miner_hit *hits = malloc((q->list + 1) * sizeof *hits);     /* one more than is told, to see it stays as it is */
    int wrong = hits ? 0 : __LINE__;
    for (uint64_t at = 0, done = 0; !wrong && at < q->count; at += done) {
        size_t found = 0, seen = 0;
        memset(hits, CANARY, (q->list + 1) * sizeof *hits);
        if (miner_search(k, s, q->header_at, q->target_at, q->first + (uint32_t)at, q->count - at, &calm, 0, hits,
                         q->list, &found, &done) != MINER_OK || found > q->list || done == 0 || done > q->count - at)
            wrong = __LINE__;
        for (size_t i = 0; !wrong && i < sizeof *hits; i++)
            if (((uint8_t *)(hits + q->list))[i] != CANARY)
                wrong = __LINE__;
        for (uint64_t i = at; !wrong && i < at + done; i++) {
            if (!meets(q->hash[i], q->target_at))
                continue;
            if (seen == found || hits[seen].nonce != q->first + (uint32_t)i || memcmp(hits[seen].hash, q->hash[i], 32))
                wrong = __LINE__;
            seen++;
        }
        if (!wrong && seen != found)
            wrong = __LINE__;
    }
    free(hits);
    return wrong;
}

/* 0, or where in this file a kernel was found wrong, and that kernel's name. */
int compare_kernels(const uint8_t *data, size_t size, const char **name)
{
    static question q;
    const miner_kernel *kernels[MAX_KERNELS];
    int wrong = 0;
    if (!ask(&q, data, size))
        return 0;
    size_t count = miner_kernels(q.algorithm, kernels, MAX_KERNELS);
    for (size_t i = 0; !wrong && i < count; i++) {
        miner_scratch s;
        if (miner_scratch_alloc(&s, kernels[i], q.parameters) != MINER_OK)
            return 0;
        wrong = answer(&q, kernels[i], &s);
        *name = miner_kernel_name(kernels[i]);
        miner_scratch_free(&s);
    }
    return wrong;
}

int main(int argc, char **argv)
{
    uint64_t state = 88172645463325252u, inputs = argc > 1 ? strtoull(argv[1], NULL, 0) : 1000;
    for (uint64_t input = 0; input < inputs; input++) {
        uint8_t data[128];
        const char *name = "";
        for (size_t i = 0; i < sizeof data; i++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            data[i] = (uint8_t)(state >> 32);
        }
        int wrong = compare_kernels(data, sizeof data, &name);
        if (wrong) {
            fprintf(stderr, "%s:%d: %s is wrong for", __FILE__, wrong, name);
            for (size_t i = 0; i < sizeof data; i++)
                fprintf(stderr, " %02x", data[i]);
            fprintf(stderr, "\n");
            return 1;
        }
    }
    printf("%llu inputs: good\n", (unsigned long long)inputs);
    return 0;
}
