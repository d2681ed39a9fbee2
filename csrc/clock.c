/* A piece of work whose length in cycles is known. */
#include "miner.h"

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
