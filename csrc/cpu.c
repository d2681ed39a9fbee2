/* Instruction sets by cpuid, and by xgetbv: registers that the system doesn't save must not be touched. */
#include "cpu.h"
#include "isa.h"
#include "kernel.h"

#ifdef MINER_X86
#ifdef _MSC_VER
#include <intrin.h>
static void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4]) { __cpuidex((int *)r, (int)leaf, (int)sub); }
static uint64_t xgetbv0(void) { return _xgetbv(0); }
#else
#include <cpuid.h>
static void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
    __cpuid_count(leaf, sub, r[0], r[1], r[2], r[3]);
}
static uint64_t xgetbv0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}
#endif

enum { EAX, EBX, ECX, EDX };

static int bit(uint32_t value, int n) { return value >> n & 1; }

uint32_t miner_cpu_features(void)
{
    uint32_t top[4], one[4], seven[4] = { 0 };
    uint32_t found = MINER_CPU_SSE2;
    cpuid(0, 0, top);
    cpuid(1, 0, one);
    if (top[EAX] >= 7)
        cpuid(7, 0, seven);
    if (bit(one[ECX], 19))
        found |= MINER_CPU_SSE41;
    if (bit(one[ECX], 19) && bit(one[ECX], 9) && bit(seven[EBX], 29))       /* SHA; its kernel uses SSSE3 as well */
        found |= MINER_CPU_SHANI;
    uint64_t saved = bit(one[ECX], 27) ? xgetbv0() : 0;                     /* OSXSAVE */
    if ((saved & 0x06) == 0x06 && bit(one[ECX], 28) && bit(seven[EBX], 5) && bit(seven[EBX], 8)) {
        found |= MINER_CPU_AVX2;                                            /* xmm and ymm; AVX, AVX2, BMI2 */
        uint32_t wanted = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;        /* F, DQ, BW, VL */
        if ((saved & 0xe6) == 0xe6 && (seven[EBX] & wanted) == wanted)      /* opmask and both halves of zmm */
            found |= MINER_CPU_AVX512;
    }
    return found;
}

#elif defined(MINER_ARM64)
#if defined(__linux__)
#include <sys/auxv.h>
uint32_t miner_cpu_features(void)
{
    unsigned long caps = getauxval(AT_HWCAP);
    return MINER_CPU_NEON | (caps & 1ul << 6 /* HWCAP_SHA2 */ ? MINER_CPU_ARMV8_SHA2 : 0);
}
#elif defined(__APPLE__)
uint32_t miner_cpu_features(void) { return MINER_CPU_NEON | MINER_CPU_ARMV8_SHA2; }     /* every Apple arm64 CPU */
#else
uint32_t miner_cpu_features(void) { return MINER_CPU_NEON; }
#endif

#else
uint32_t miner_cpu_features(void) { return 0; }
#endif
