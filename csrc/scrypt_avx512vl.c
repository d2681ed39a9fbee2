/* scrypt, two sets of eight hashes to half of AVX-512's registers: half the memory of scrypt_avx512.c, which is faster
 * where a CPU computes on 512 bits no faster than on 256, or where the third-level cache is small or busy. */
#include "isa.h"
#ifdef MINER_X86
#include <string.h>

#include "vec_avx512vl.h"
#define SALSA_REGISTER "ymm"
#define SALSA_BYTES "32"
#include "salsa_avx512.h"
#include "scrypt_rows256.h"
#include "scrypt_lanes.h"

SCRYPT_KERNEL(miner_scrypt_avx512vl, "avx512vl", MINER_CPU_AVX512);

MINER_ISA_END
#endif
