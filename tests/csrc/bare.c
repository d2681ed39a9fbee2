/* The kernels for AVX-512 on a machine without an operating system, such as an emulated one: their hashes
 * meet a target where the portable kernel's do or, where that takes too long there, AVX2's. What it finds goes to the first serial
 * port, a line for each kernel, and then "end". Built and run by tests/bare.py. */
#include <stddef.h>
#include <stdint.h>

#include "kernel.h"

static inline void outb(uint16_t port, uint8_t value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }

static inline uint8_t inb(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void say(const char *text)
{
    for (; *text; text++) {
        while (!(inb(0x3fd) & 0x20))
            ;
        outb(0x3f8, (uint8_t)*text);
    }
}

/* What the core wants of a system. Memory is given out once, from an address beyond program and stack on. */
static uintptr_t free_memory = 0x4000000;

void *memset(void *to, int value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)to)[i] = (uint8_t)value;
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    if (to < from)
        return memcpy(to, from, size);
    while (size--)
        ((uint8_t *)to)[size] = ((const uint8_t *)from)[size];
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((const uint8_t *)a)[i] != ((const uint8_t *)b)[i])
            return 1;
    return 0;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a - *b;
}

void *mmap(void *at, size_t size)
{
    (void)at;
    free_memory = (free_memory + 4095) / 4096 * 4096 + size;
    return (void *)(free_memory - size);
}

long sysconf(void) { return 4096; }
int munmap(void) { return 0; }
int madvise(void) { return 0; }
int clock_gettime(int which, void *time) { return (void)which, memset(time, 0, 16), 0; }
long syscall(void) { return -1; }
int setpriority(void) { return -1; }
int pthread_setaffinity_np(void) { return -1; }
unsigned long pthread_self(void) { return 0; }
void *__sched_cpualloc(void) { return NULL; }
void __sched_cpufree(void) { }
int *__errno_location(void) { static int number; return &number; }

enum { MOST = 1024 };

/* Which of `count` hashes a kernel says to be at most a target of three in eight. 1, or 0 where it could not be had. */
static int scan(const miner_algorithm *algorithm, const char *kernel, uint32_t n, uint32_t count, uint8_t said[MOST])
{
    const miner_kernel *k = miner_kernel_by_name(algorithm, kernel);
    const miner_epoch calm = 0;
    const miner_stop stop = { &calm, 0 };
    const uintptr_t before = free_memory;
    miner_scratch scratch;
    miner_prepared work;
    uint8_t header[80], target[32];
    for (int i = 0; i < 80; i++)
        header[i] = (uint8_t)(7 * i + 1);
    memset(target, 0x5f, 32);
    miner_prepare(&work, header, target);
    int good = k && miner_scratch_alloc(&scratch, k, (miner_parameters){ { n } }) == MINER_OK;
    for (uint32_t at = 0; good && at < count; at += k->lanes) {
        uint64_t candidates = 0;
        good = k->scan(&work, &scratch, 0xfffff000 + at, 1, &stop, &candidates) == 1;
        for (uint32_t lane = 0; lane < k->lanes && at + lane < count; lane++)
            said[at + lane] = candidates >> lane & 1;
    }
    free_memory = before;
    return good;
}

static int agree(const miner_algorithm *algorithm, const char *kernel, const char *other, uint32_t n, uint32_t count)
{
    static uint8_t said[2][MOST];
    memset(said, 2, sizeof said);
    return scan(algorithm, kernel, n, count, said[0]) && scan(algorithm, other, n, count, said[1])
        && !memcmp(said[0], said[1], count);
}

static void report(const char *kernel, int good)
{
    say(kernel);
    say(good ? ": good\n" : ": DIFFERENT\n");
}

int main(void)
{
    outb(0x3fb, 3);     /* eight bits */
    const miner_algorithm *sha256d = miner_algorithm_by_name("sha256d"), *scrypt = miner_algorithm_by_name("scrypt");
    report("sha256d avx512", agree(sha256d, "avx512", "portable", 0, 1024));
    report("sha256d avx512_shani", agree(sha256d, "avx512_shani", "portable", 0, 1024));
    const char *const kernels[] = { "avx512", "avx512vl" };
    for (int i = 0; i < 2; i++) {
        say("scrypt ");
        report(kernels[i], agree(scrypt, kernels[i], "portable", 2, 96) && agree(scrypt, kernels[i], "portable", 16, 96)
               && agree(scrypt, kernels[i], "avx2", 1024, 24));
    }
    report("scrypt avx512, large N", agree(scrypt, "avx512", "avx2", 1 << 14, 12));  /* rows pass the cache by */
    say("end\n");
    for (;;)
        __asm__ volatile("hlt");
}
