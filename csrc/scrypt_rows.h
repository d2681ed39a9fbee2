/* Where the lanes' rows of a scrypt kernel are: the scratchpads of two sets, one after the other. */
#ifndef MINER_SCRYPT_ROWS_H
#define MINER_SCRYPT_ROWS_H

#include <stddef.h>
#include <stdint.h>

enum {
    SETS = 2,
    ROW = 128,          /* bytes of one hash's block */
};

/* A scratchpad has one row more than it needs: a power of two apart, the same row of all hashes would fall into the
 * same few sets of the cache. */
static inline size_t scrypt_stride(uint32_t n)
{
    return ((size_t)n + 1) * ROW;
}

#endif
