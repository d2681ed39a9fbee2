/* sha256d, eight nonces to an AVX2 register. */
#include "isa.h"
#ifdef MINER_X86
#include "vec_avx2.h"
#define SHA256D_SHARE_ROUNDS 1
#include "sha256d_lanes.h"

SHA256D_KERNEL(miner_sha256d_avx2, "avx2", MINER_CPU_AVX2, LANES, sha256d_lanes_scan);

MINER_ISA_END
#endif
