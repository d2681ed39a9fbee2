/* The C core's own tests: what Python can't reach (list sizes, misaligned input, statuses) and what should also run
 * under the sanitizers. `test_core [nonces [N]]`: how many nonces each kernel is compared over (default 2^14; for
 * scrypt a part of them), and the largest N of scrypt (default 2^16).
 * Built and run by tests/test_csrc.py. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "miner.h"

#define CHECK(condition)                                                                   \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, context, #condition);   \
            exit(1);                                                                       \
        }                                                                                  \
    } while (0)

enum { MAX_KERNELS = 32, MAX_HITS = 4096 };

static char context[64] = "start";          /* which kernel is under test */
static const miner_epoch calm = 0;     /* an epoch that nobody advances */
static miner_hit hits[MAX_HITS];
static uint64_t random_state = 88172645463325252u;

static uint64_t random64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

static void random_bytes(uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(random64() >> 32);
}

static int is_scrypt(const miner_algorithm *a)
{
    return strcmp(miner_algorithm_name(a), "scrypt") == 0;
}

/* The parameter N alone. */
static miner_parameters with(uint32_t n)
{
    return (miner_parameters){ { n } };
}

static void portable_hash(const miner_algorithm *algorithm, const uint8_t header[80], uint32_t n, uint32_t nonce,
                          uint8_t out[32])
{
    uint8_t full[80];
    memcpy(full, header, 76);
    for (int i = 0; i < 4; i++)
        full[76 + i] = (uint8_t)(nonce >> (8 * i));
    CHECK(miner_hash(algorithm, with(n), full, out) == MINER_OK);
}

/* A kernel with its scratch. */
typedef struct {
    const miner_algorithm *algorithm;
    const miner_kernel *kernel;
    unsigned lanes;
    uint32_t n;
    miner_scratch scratch;
} subject;

static size_t search(subject *t, const uint8_t *header, const uint8_t *target, uint32_t first, uint64_t count,
                     size_t max_hits, uint64_t *done)
{
    size_t found = 99;
    int status = miner_search(t->kernel, &t->scratch, header, target, first, count, &calm, 0, hits, max_hits, &found,
                              done);
    CHECK(status == MINER_OK && found <= max_hits && *done <= count);
    return found;
}

/* Every nonce is a hit: lists of many sizes come back full, in order, and the search goes on exactly behind them. */
static void lists_of_many_sizes(subject *t)
{
    uint8_t header[80], always[32], hash[32];
    const uint64_t count = 3 * t->lanes + 1;
    const uint32_t first = (uint32_t)(0u - count);      /* the range ends with the last nonce */
    random_bytes(header, 80);
    memset(always, 0xff, 32);
    const size_t lanes = t->lanes;
    const size_t sizes[] = { 1, 2, lanes / 2 + 1, lanes, lanes + 1, 2 * lanes - 1, 2 * lanes, 3 * lanes + 2 };
    for (size_t size = 0; size < sizeof sizes / sizeof *sizes; size++) {
        const size_t max_hits = sizes[size];
        uint64_t at = 0, done;
        while (at < count) {
            size_t found = search(t, header, always, first + (uint32_t)at, count - at, max_hits, &done);
            CHECK(found == done && found > 0);
            CHECK(found == max_hits || at + done == count || found + t->lanes > max_hits);
            for (size_t i = 0; i < found; i++)
                CHECK(hits[i].nonce == first + (uint32_t)(at + i));
            at += done;
        }
        CHECK(at == count);
    }
    portable_hash(t->algorithm, header, t->n, hits[0].nonce, hash);
    CHECK(memcmp(hits[0].hash, hash, 32) == 0);
}

/* Header, target and hits at every alignment. */
static void misaligned_input(subject *t)
{
    uint8_t memory[80 + 16], target[32 + 16], hash[32];
    for (size_t shift = 0; shift < 16; shift++) {
        uint64_t done;
        random_bytes(memory, sizeof memory);
        memset(target, 0xff, sizeof target);
        portable_hash(t->algorithm, memory + shift, t->n, 42, target + shift);
        size_t found = search(t, memory + shift, target + shift, 42, 1, MAX_HITS, &done);
        CHECK(found == 1 && done == 1 && hits[0].nonce == 42);
        portable_hash(t->algorithm, memory + shift, t->n, 42, hash);
        CHECK(memcmp(hits[0].hash, hash, 32) == 0);
    }
}

static void refuses_bad_arguments(subject *t)
{
    uint8_t header[80] = { 0 }, target[32] = { 0 };
    size_t found;
    uint64_t done;
    CHECK(miner_search(t->kernel, &t->scratch, header, target, 1, (uint64_t)1 << 32, &calm, 0, hits, 1, &found, &done)
          == MINER_EINVAL);
    CHECK(miner_search(t->kernel, &t->scratch, header, target, 0, 1, &calm, 0, hits, 0, &found, &done) == MINER_EINVAL);
    CHECK(miner_search(t->kernel, &t->scratch, header, target, 0, 9, &calm, 7, hits, 1, &found, &done)
          == MINER_STOPPED);
    CHECK(found == 0 && done == 0);
    if (is_scrypt(t->algorithm)) {
        miner_scratch none = { .parameters = with(t->n) }, other = t->scratch;
        other.parameters = with(1 << 20);
        CHECK(miner_search(t->kernel, &none, header, target, 0, 1, &calm, 0, hits, 1, &found, &done) == MINER_EINVAL);
        CHECK(miner_search(t->kernel, &other, header, target, 0, 1, &calm, 0, hits, 1, &found, &done) == MINER_EINVAL);
    }
}

/* The same hits as the portable kernel over a range, at a target that some nonces in a thousand meet. */
static void agrees_with_portable(subject *t, subject *portable, uint64_t nonces)
{
    static miner_hit expected[MAX_HITS];
    uint8_t header[80], target[32];
    uint32_t first = (uint32_t)random64();
    uint64_t count = is_scrypt(t->algorithm) ? (nonces >> 7) + 3 : nonces;     /* scrypt takes its time */
    uint64_t limit = ((uint64_t)1 << 32) - first;
    random_bytes(header, 80);
    random_bytes(target, 32);
    target[31] = 0;
    target[30] = 0x60;
    if (count > limit)
        first = 0;
    for (uint64_t at = 0, done; at < count; at += done) {
        size_t wanted = search(portable, header, target, first + (uint32_t)at, count - at, MAX_HITS / 2, &done);
        memcpy(expected, hits, wanted * sizeof *hits);
        size_t got = 0;
        for (uint64_t mine = 0, step; mine < done; mine += step) {
            size_t more = search(t, header, target, first + (uint32_t)(at + mine), done - mine, t->lanes, &step);
            CHECK(got + more <= wanted && memcmp(hits, expected + got, more * sizeof *hits) == 0);
            got += more;
        }
        CHECK(got == wanted);
    }
}

/* What the kernel says of every nonce is compared with the portable hashes, and a wrong bit in their list is found. */
static void compares(subject *t, subject *portable)
{
    enum { COUNT = 200, MAX = 8 };
    uint32_t tops[COUNT], targets[] = { 0x7fffffff, 0, 0xffffffff }, first = (uint32_t)random64() & 0x7fffffff;
    uint8_t header[80], hash[32];
    miner_mismatch wrong[MAX];
    size_t found;
    uint64_t done;
    random_bytes(header, 80);
    CHECK(miner_tops(portable->kernel, &portable->scratch, header, first, COUNT, &calm, 0, tops) == MINER_OK);
    for (uint32_t i = 0; i < COUNT; i += 99) {
        portable_hash(t->algorithm, header, t->n, first + i, hash);
        CHECK(tops[i] == ((uint32_t)hash[31] << 24 | hash[30] << 16 | hash[29] << 8 | hash[28]));
    }
    for (uint32_t count = COUNT; count > 0; count /= 3) {
        CHECK(miner_compare(t->kernel, &t->scratch, header, first, count, tops, targets, 3, &calm, 0, wrong, MAX, &found,
                            &done) == MINER_OK);
        CHECK(found == 0 && done == 3 * count);
        uint32_t at = (uint32_t)(random64() % count), right = tops[at];
        tops[at] ^= 1u << random64() % 32;
        targets[1] = right < tops[at] ? right : tops[at];
        CHECK(miner_compare(t->kernel, &t->scratch, header, first, count, tops, targets + 1, 1, &calm, 0, wrong, MAX,
                            &found, &done) == MINER_OK);
        CHECK(found == 1 && wrong[0].nonce == first + at && wrong[0].hit == (right < tops[at]));
        CHECK(wrong[0].target_top == targets[1] && done == count);
        tops[at] = right;
    }
    CHECK(miner_compare(t->kernel, &t->scratch, header, 0xffffffff, 2, tops, targets, 1, &calm, 0, wrong, MAX, &found,
                        &done) == MINER_EINVAL);
    CHECK(miner_tops(portable->kernel, &portable->scratch, header, 0xffffffff, 2, &calm, 0, tops) == MINER_EINVAL);
    CHECK(miner_compare(t->kernel, &t->scratch, header, 0, 2, tops, targets, 1, &calm, 7, wrong, MAX, &found, &done)
          == MINER_STOPPED);
    CHECK(found == 0 && done == 0);
}

typedef struct {
    subject *subject;
    miner_epoch epoch;
    _Atomic int inside;
    int status;
    uint64_t done;
} running;

static void *run(void *argument)
{
    static const uint8_t header[80] = { 1 }, never[32] = { 0 };
    running *r = argument;
    miner_hit hit;
    size_t found;
    atomic_store(&r->inside, 1);
    r->status = miner_search(r->subject->kernel, &r->subject->scratch, header, never, 0, (uint64_t)1 << 32, &r->epoch,
                             0, &hit, 1, &found, &r->done);
    return NULL;
}

/* A search of all nonces ends because another thread advances the epoch (else it would take hours). */
static void stops(subject *t)
{
    running r = { .subject = t };
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, run, &r) == 0);
    while (!atomic_load(&r.inside))
        continue;
    atomic_fetch_add(&r.epoch, 1);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(r.status == MINER_STOPPED && r.done % t->lanes == 0);
}

static subject subject_of(const miner_algorithm *algorithm, const miner_kernel *kernel, uint32_t n)
{
    subject t = { .algorithm = algorithm, .kernel = kernel, .lanes = miner_kernel_lanes(kernel), .n = n };
    CHECK(t.lanes >= 1 && t.lanes <= 64);
    CHECK(miner_scratch_alloc(&t.scratch, kernel, with(n)) == MINER_OK);
    CHECK(t.scratch.size >= miner_scratch_size(kernel, with(n)));
    return t;
}

static void refuses_bad_parameters(const miner_algorithm *algorithm, const miner_kernel *kernel)
{
    static const uint32_t bad[] = { 1, 3, 1000, (1 << 20) + 2, 1 << 21, 0xffffffff };
    miner_scratch s;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(miner_scratch_size(kernel, with(bad[i])) == SIZE_MAX);
        CHECK(miner_scratch_alloc(&s, kernel, with(bad[i])) == MINER_EINVAL && s.memory == NULL);
        miner_scratch_free(&s);
    }
    for (int i = 1; i < MINER_PARAMETERS; i++) {
        miner_parameters more = miner_algorithm_usual(algorithm);
        CHECK(miner_scratch_size(kernel, more) != SIZE_MAX);
        more.value[i] = 1;
        CHECK(miner_scratch_size(kernel, more) == SIZE_MAX);
    }
    CHECK((miner_scratch_size(kernel, with(0)) == 0) == !is_scrypt(algorithm));
}

/* One batch: the least of three lanes' hashes is found. And a stop inside the first hash. */
static void large_n(const miner_algorithm *scrypt, const miner_kernel *kernel, uint32_t n)
{
    subject t = subject_of(scrypt, kernel, n);
    const uint32_t lanes[] = { 0, t.lanes / 2, t.lanes - 1 }, first = (uint32_t)random64() & 0x7fffffff;
    uint8_t header[80], hash[32], least[32] = { 0 };
    uint32_t nonce = 0;
    uint64_t at = 0, done;
    int seen = 0;
    random_bytes(header, 80);
    for (int i = 0; i < 3; i++) {
        portable_hash(scrypt, header, n, first + lanes[i], hash);
        if (i == 0 || hash[31] < least[31])
            memcpy(least, hash, 32), nonce = first + lanes[i];
    }
    miner_scratch_touch(&t.scratch);
    for (; at < t.lanes; at += done) {
        size_t found = search(&t, header, least, first + (uint32_t)at, t.lanes - at, MAX_HITS, &done);
        for (size_t i = 0; i < found; i++)
            seen += hits[i].nonce == nonce && memcmp(hits[i].hash, least, 32) == 0;
    }
    CHECK(seen == 1);
    stops(&t);
    miner_scratch_free(&t.scratch);
}

static void test_kernel(const miner_algorithm *algorithm, const miner_kernel *kernel, const miner_kernel *portable,
                        uint64_t nonces, uint32_t largest_n)
{
    static const uint32_t sizes[] = { 2, 4, 16, 128 };
    snprintf(context, sizeof context, "%s %s", miner_algorithm_name(algorithm), miner_kernel_name(kernel));
    CHECK(miner_kernel_by_name(algorithm, miner_kernel_name(kernel)) == kernel);
    CHECK(miner_selftest(kernel) == MINER_OK);
    refuses_bad_parameters(algorithm, kernel);
    for (size_t i = 0; i < (is_scrypt(algorithm) ? sizeof sizes / sizeof *sizes : 1); i++) {
        uint32_t n = is_scrypt(algorithm) ? sizes[i] : 0;
        subject t = subject_of(algorithm, kernel, n), reference = subject_of(algorithm, portable, n);
        lists_of_many_sizes(&t);
        misaligned_input(&t);
        refuses_bad_arguments(&t);
        agrees_with_portable(&t, &reference, nonces);
        compares(&t, &reference);
        stops(&t);
        miner_scratch_free(&t.scratch);
        miner_scratch_free(&reference.scratch);
    }
    if (is_scrypt(algorithm))
        large_n(algorithm, kernel, largest_n);
    printf("%s: good\n", context);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    uint64_t nonces = argc > 1 ? strtoull(argv[1], NULL, 0) : 1 << 14;
    uint32_t largest_n = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 1 << 16;
    const miner_algorithm *algorithms[MAX_KERNELS];
    size_t known = miner_algorithms(algorithms, MAX_KERNELS);
    CHECK(known >= 2 && known <= MAX_KERNELS && miner_algorithms(NULL, 0) == known);
    CHECK(miner_algorithm_by_name("no such algorithm") == NULL);
    for (size_t a = 0; a < known; a++) {
        const miner_algorithm *algorithm = algorithms[a];
        const miner_kernel *kernels[MAX_KERNELS];
        size_t count = miner_kernels(algorithm, kernels, MAX_KERNELS);
        CHECK(miner_algorithm_by_name(miner_algorithm_name(algorithm)) == algorithm);
        CHECK(miner_kernel_by_name(algorithm, "no such kernel") == NULL);
        CHECK(count >= 1 && count <= MAX_KERNELS);
        CHECK(strcmp(miner_kernel_name(kernels[count - 1]), "portable") == 0);
        CHECK(miner_kernels(algorithm, NULL, 0) == count);
        for (size_t i = 0; i < count; i++)
            test_kernel(algorithm, kernels[i], kernels[count - 1], nonces, largest_n);
    }
    return 0;
}
