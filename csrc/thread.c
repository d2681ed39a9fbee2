#if defined(__linux__)
#define _GNU_SOURCE
#endif
#include "thread.h"

#if defined(__linux__)
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int miner_thread_pin(int cpu)
{
    if (cpu < 0)
        return EINVAL;
    cpu_set_t *set = CPU_ALLOC((size_t)cpu + 1);
    if (!set)
        return ENOMEM;
    size_t size = CPU_ALLOC_SIZE((size_t)cpu + 1);
    CPU_ZERO_S(size, set);
    CPU_SET_S((size_t)cpu, size, set);
    int status = pthread_setaffinity_np(pthread_self(), size, set);
    CPU_FREE(set);
    return status;
}

int miner_thread_nice(int value)
{
    /* Linux keeps a nice value for each thread, against POSIX. */
    return setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), value) == 0 ? 0 : errno;
}
#else
int miner_thread_pin(int cpu)
{
    (void)cpu;
    return MINER_THREAD_UNSUPPORTED;
}

int miner_thread_nice(int value)
{
    (void)value;
    return MINER_THREAD_UNSUPPORTED;
}
#endif
