/* sha256d, eight nonces to an AVX2 register.
 *
 * Bound by vector arithmetic, for there are no rotates and no three-way logic: counted in the binary, a round with its
 * message word is 56 operations, 720 a hash, of which Zen 4 could do four a cycle (shifts two) and does 3.2. */
#include "isa.h"
#ifdef MINER_X86
#include "vec_avx2.h"
#define SHA256D_SHARE_ROUNDS 1
#include "sha256d_lanes.h"

SHA256D_KERNEL(miner_sha256d_avx2, "avx2", MINER_CPU_AVX2, LANES, sha256d_lanes_scan);

MINER_ISA_END
#endif
