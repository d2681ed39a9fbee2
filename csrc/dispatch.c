/* The table of kernels, and which of them this CPU can run. */
#include <string.h>

#include "cpu.h"
#include "isa.h"
#include "kernel.h"

extern const miner_kernel miner_sha256d_portable, miner_scrypt_portable;
#ifdef MINER_X86
extern const miner_kernel miner_scrypt_avx512, miner_scrypt_avx512vl, miner_scrypt_avx2, miner_scrypt_sse2;
extern const miner_kernel miner_sha256d_avx512_shani, miner_sha256d_avx512, miner_sha256d_shani, miner_sha256d_avx2,
                          miner_sha256d_sse41;
#endif
#ifdef MINER_ARM64
extern const miner_kernel miner_scrypt_neon;
extern const miner_kernel miner_sha256d_armv8, miner_sha256d_neon;
#endif

/* For each algorithm the fastest first, by expectation. */
static const miner_kernel *const kernels[] = {
#ifdef MINER_X86
    &miner_sha256d_avx512_shani,
    &miner_sha256d_avx512,
    &miner_sha256d_shani,
    &miner_sha256d_avx2,
    &miner_sha256d_sse41,
#endif
#ifdef MINER_ARM64
    &miner_sha256d_armv8,
    &miner_sha256d_neon,
#endif
    &miner_sha256d_portable,
#ifdef MINER_X86
    &miner_scrypt_avx512,
    &miner_scrypt_avx512vl,
    &miner_scrypt_avx2,
    &miner_scrypt_sse2,
#endif
#ifdef MINER_ARM64
    &miner_scrypt_neon,
#endif
    &miner_scrypt_portable,
};

size_t miner_kernels(miner_algorithm algorithm, const miner_kernel **out, size_t max)
{
    uint32_t features = miner_cpu_features();
    size_t found = 0;
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        const miner_kernel *k = kernels[i];
        if (k->algorithm != algorithm || (k->features & features) != k->features)
            continue;
        if (found < max)
            out[found] = k;
        found++;
    }
    return found;
}

const miner_kernel *miner_kernel_by_name(miner_algorithm algorithm, const char *name)
{
    const miner_kernel *runnable[sizeof kernels / sizeof *kernels];
    size_t count = miner_kernels(algorithm, runnable, sizeof runnable / sizeof *runnable);
    for (size_t i = 0; i < count; i++)
        if (strcmp(runnable[i]->name, name) == 0)
            return runnable[i];
    return NULL;
}

const char *miner_kernel_name(const miner_kernel *k)
{
    return k->name;
}

unsigned miner_kernel_lanes(const miner_kernel *k)
{
    return k->lanes;
}
