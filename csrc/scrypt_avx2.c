/* scrypt, two sets of six hashes, two hashes to an AVX2 register. */
#include "isa.h"
#ifdef MINER_X86
#include "vec_avx2.h"
#include "romix_avx2.h"
#include "scrypt_lanes.h"

SCRYPT_KERNEL(miner_scrypt_avx2, "avx2", MINER_CPU_AVX2);

MINER_ISA_END
#endif
