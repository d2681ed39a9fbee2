/* What time it is, and a piece of work whose length in cycles is known. */
#if defined(__linux__)
#define _GNU_SOURCE
#endif
#include "miner.h"

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

uint64_t miner_nanoseconds(void)
{
    LARGE_INTEGER ticks, hertz;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&hertz);
    return (uint64_t)((double)ticks.QuadPart / (double)hertz.QuadPart * 1e9);
}
#else
#include <time.h>

#ifdef __APPLE__
#define CLOCK CLOCK_UPTIME_RAW
#else
#define CLOCK CLOCK_MONOTONIC
#endif

uint64_t miner_nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}
#endif

#if defined(__GNUC__) && (defined(__x86_64__) || defined(__aarch64__))
#ifdef __x86_64__
#define ADD "add %1, %0\n\t"       /* of registers: adding a constant takes no time where the renamer does it */
#else
#define ADD "add %0, %0, %1\n\t"
#endif
#define TEN(x) x x x x x x x x x x

int miner_spin(uint64_t cycles)
{
    uint64_t sum = 0, one = 1;
    for (uint64_t done = 0; done < cycles; done += 100)
        __asm__ volatile(TEN(TEN(ADD)) : "+r"(sum) : "r"(one) : "cc");
    return 1;
}
#else
int miner_spin(uint64_t cycles)
{
    (void)cycles;
    return 0;
}
#endif
