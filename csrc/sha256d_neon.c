/* sha256d, four nonces to a NEON register. */
#include "isa.h"
#ifdef MINER_ARM64
#include "vec_neon.h"
#define SHA256D_SHARE_ROUNDS
#include "sha256d_lanes.h"

SHA256D_KERNEL(miner_sha256d_neon, "neon", MINER_CPU_NEON, LANES, sha256d_lanes_scan);
#endif
