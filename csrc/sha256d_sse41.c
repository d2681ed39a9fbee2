/* sha256d, four nonces to an SSE register. */
#include "isa.h"
#ifdef MINER_X86
#define MINER_VEC_ISA "sse4.1"
#include "vec_sse2.h"
#define SHA256D_SHARE_ROUNDS 2
#include "sha256d_lanes.h"

SHA256D_KERNEL(miner_sha256d_sse41, "sse41", MINER_CPU_SSE41, LANES, sha256d_lanes_scan);

MINER_ISA_END
#endif
