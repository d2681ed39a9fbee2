/* Which algorithms there are, and which of their kernels this CPU can run. */
#include <string.h>

#include "cpu.h"
#include "kernel.h"

size_t miner_algorithms(const miner_algorithm **out, size_t max)
{
    size_t found = 0;
    for (; miner_algorithm_table[found]; found++)
        if (found < max)
            out[found] = miner_algorithm_table[found];
    return found;
}

const miner_algorithm *miner_algorithm_by_name(const char *name)
{
    for (const miner_algorithm *const *a = miner_algorithm_table; *a; a++)
        if (strcmp((*a)->name, name) == 0)
            return *a;
    return NULL;
}

static int runs_here(const miner_kernel *k)
{
    return (k->features & ~miner_cpu_features()) == 0;
}

size_t miner_kernels(const miner_algorithm *a, const miner_kernel **out, size_t max)
{
    size_t found = 0;
    for (const miner_kernel *const *k = a->kernels; *k; k++) {
        if (!runs_here(*k))
            continue;
        if (found < max)
            out[found] = *k;
        found++;
    }
    return found;
}

const miner_kernel *miner_kernel_by_name(const miner_algorithm *a, const char *name)
{
    for (const miner_kernel *const *k = a->kernels; *k; k++)
        if (strcmp((*k)->name, name) == 0 && runs_here(*k))
            return *k;
    return NULL;
}

const char *miner_algorithm_name(const miner_algorithm *a)
{
    return a->name;
}

const char *miner_algorithm_takes(const miner_algorithm *a)
{
    return a->takes;
}

miner_parameters miner_algorithm_usual(const miner_algorithm *a)
{
    return a->usual;
}

const char *miner_kernels_everywhere(const miner_algorithm *a)
{
    return a->everywhere;
}

const char *miner_kernel_name(const miner_kernel *k)
{
    return k->name;
}

unsigned miner_kernel_lanes(const miner_kernel *k)
{
    return k->lanes;
}
