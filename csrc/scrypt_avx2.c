/* scrypt, two sets of eight hashes to AVX2's registers. */
#include "isa.h"
#ifdef MINER_X86
#include <string.h>

#include "vec_avx2.h"
#include "salsa_lanes.h"
#include "scrypt_rows256.h"
#include "romix_lanes.h"
#include "scrypt_lanes.h"

SCRYPT_KERNEL(miner_scrypt_avx2, "avx2", MINER_CPU_AVX2);

MINER_ISA_END
#endif
