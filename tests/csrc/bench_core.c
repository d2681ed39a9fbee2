/* Hashrates of the C core alone, without Python: every kernel in turn, several rounds, medians. By the thread's own CPU
 * time, so that what else the machine does disturbs less, and by wall time.
 * bench_core [algorithm [kernel [seconds [rounds]]]]; pin it with taskset. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "miner.h"

enum { MAX = 32, MAX_ROUNDS = 101 };

enum { CPU, WALL, CLOCKS };

static double now(int clock)
{
    struct timespec t;
    clock_gettime(clock == CPU ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Hashes a second over about `seconds`, by both clocks. */
static void measure(const miner_kernel *k, miner_scratch *s, double seconds, double rate[CLOCKS])
{
    static const uint8_t header[80] = { 1, 2, 3 }, never[32] = { 0 };
    const miner_epoch epoch = 0;
    miner_hit hit[64];
    size_t found;
    uint64_t done, total = 0, step = s->memory ? 2 * miner_kernel_lanes(k) : 1 << 17;
    double start[CLOCKS] = { now(CPU), now(WALL) };
    do {
        miner_search(k, s, header, never, (uint32_t)total & 0x7fffffff, step, &epoch, 0, hit, 64, &found, &done);
        total += done;
    } while (now(WALL) - start[WALL] < seconds);
    for (int clock = 0; clock < CLOCKS; clock++)
        rate[clock] = (double)total / (now(clock) - start[clock]);
}

int main(int argc, char **argv)
{
    const char *only_algorithm = argc > 1 ? argv[1] : "all", *only_kernel = argc > 2 ? argv[2] : "all";
    double seconds = argc > 3 ? atof(argv[3]) : 0.2;
    int rounds = argc > 4 ? atoi(argv[4]) : 5;
    rounds = rounds < 1 ? 1 : rounds > MAX_ROUNDS ? MAX_ROUNDS : rounds;
    const miner_algorithm *algorithms[MAX];
    size_t known = miner_algorithms(algorithms, MAX);
    for (size_t a = 0; a < known; a++) {
        const char *algorithm = miner_algorithm_name(algorithms[a]);
        const miner_kernel *k[MAX];
        miner_scratch s[MAX];
        static double rates[MAX][CLOCKS][MAX_ROUNDS];
        size_t count = miner_kernels(algorithms[a], k, MAX), kept = 0;
        if (strcmp(only_algorithm, "all") && strcmp(only_algorithm, algorithm))
            continue;
        for (size_t i = 0; i < count; i++)
            if (!strcmp(only_kernel, "all") || !strcmp(only_kernel, miner_kernel_name(k[i])))
                k[kept++] = k[i];
        for (size_t i = 0; i < kept; i++) {
            if (miner_scratch_alloc(&s[i], k[i], miner_algorithm_usual(algorithms[a])) != MINER_OK)
                return 1;
            miner_scratch_touch(&s[i]);
        }
        for (int round = 0; round < rounds; round++)        /* interleaved, so that noise hits all alike */
            for (size_t i = 0; i < kept; i++) {
                double rate[CLOCKS];
                measure(k[i], &s[i], seconds, rate);
                for (int clock = 0; clock < CLOCKS; clock++)
                    rates[i][clock][round] = rate[clock] / 1e3;
            }
        for (size_t i = 0; i < kept; i++) {
            for (int clock = 0; clock < CLOCKS; clock++)
                qsort(rates[i][clock], (size_t)rounds, sizeof(double), by_size);
            const double *cpu = rates[i][CPU];
            printf("%-8s %-14s %12.3f kH/s  (%.1f to %.1f), by wall time %.3f\n", algorithm, miner_kernel_name(k[i]),
                   cpu[rounds / 2], cpu[0], cpu[rounds - 1], rates[i][WALL][rounds / 2]);
            miner_scratch_free(&s[i]);
        }
    }
    return 0;
}
