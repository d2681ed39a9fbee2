/* The memory that one thread hashes in. */
#if defined(__linux__)
#define _GNU_SOURCE
#endif
#include <stdlib.h>

#include "kernel.h"

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#include <unistd.h>
#endif

#define HUGE_PAGE ((size_t)2 << 20)

#if defined(__unix__) || defined(__APPLE__)
/* Whole huge pages, so that the last one can be huge too; small requests stay small. */
static size_t rounded(size_t size)
{
    size_t page = size < HUGE_PAGE / 2 ? (size_t)sysconf(_SC_PAGESIZE) : HUGE_PAGE;
    return (size + page - 1) / page * page;
}

static void *map(size_t size, int *huge)
{
    size_t slack = size < HUGE_PAGE ? 0 : HUGE_PAGE;
    char *start = mmap(NULL, size + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        return NULL;
    if (slack) {
        size_t before = (HUGE_PAGE - (uintptr_t)start % HUGE_PAGE) % HUGE_PAGE;
        if (before)
            munmap(start, before);
        start += before;
        munmap(start + size, slack - before);
#ifdef MADV_HUGEPAGE
        *huge = madvise(start, size, MADV_HUGEPAGE) == 0;
#endif
    }
    return start;
}

static void unmap(void *memory, size_t size)
{
    munmap(memory, size);
}
#else
#include <malloc.h>
static size_t rounded(size_t size)
{
    return (size + 63) / 64 * 64;
}

static void *map(size_t size, int *huge)
{
    (void)huge;
    return _aligned_malloc(size, 64);
}

static void unmap(void *memory, size_t size)
{
    (void)size;
    _aligned_free(memory);
}
#endif

size_t miner_scratch_size(const miner_kernel *k, miner_parameters p)
{
    return k->algorithm->valid(p) ? rounded(k->scratch_size(p)) : SIZE_MAX;
}

int miner_scratch_alloc(miner_scratch *s, const miner_kernel *k, miner_parameters p)
{
    *s = (miner_scratch){ 0 };
    size_t size = miner_scratch_size(k, p);
    if (size == SIZE_MAX)
        return MINER_EINVAL;
    s->parameters = p;
    if (size == 0)
        return MINER_OK;
    s->size = size;
    s->memory = map(size, &s->huge);
    if (s->memory)
        return MINER_OK;
    *s = (miner_scratch){ 0 };
    return MINER_ENOMEM;
}

void miner_scratch_touch(miner_scratch *s)
{
    enum { SMALLEST_PAGE = 4096 };
#ifdef MADV_POPULATE_WRITE
    if (s->memory && madvise(s->memory, s->size, MADV_POPULATE_WRITE) == 0)
        return;
#endif
    for (size_t at = 0; at < s->size; at += SMALLEST_PAGE)
        ((volatile uint8_t *)s->memory)[at] = 0;
}

void miner_scratch_free(miner_scratch *s)
{
    if (s->memory)
        unmap(s->memory, s->size);
    *s = (miner_scratch){ 0 };
}
