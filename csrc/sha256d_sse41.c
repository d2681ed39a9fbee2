/* sha256d, four nonces to an SSE register.
 *
 * Bound by the number of instructions: counted in the binary, a round with its message word is 56 operations and a
 * fifth as many copies, for an SSE operation overwrites an operand. Zen 4 does about 3.5 of them a cycle. */
#include "isa.h"
#ifdef MINER_X86
#define MINER_VEC_ISA "sse4.1"
#include "vec_sse2.h"
#define SHA256D_SHARE_ROUNDS
#define SHA256_SHIFT_CHAINS
#include "sha256d_lanes.h"

SHA256D_KERNEL(miner_sha256d_sse41, "sse41", MINER_CPU_SSE41, LANES, sha256d_lanes_scan);

MINER_ISA_END
#endif
