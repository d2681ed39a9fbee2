/* sha256d, sixteen nonces to an AVX-512 register. */
#include "isa.h"
#ifdef MINER_X86
#include "vec_avx512.h"
#include "sha256d_lanes.h"

SHA256D_KERNEL(miner_sha256d_avx512, "avx512", MINER_CPU_AVX512, LANES, sha256d_lanes_scan);

MINER_ISA_END
#endif
