/* sha256d, eight nonces to an AVX2 register.
 *
 * Bound by vector arithmetic, for there are no rotates and no three-way logic: counted in the binary, a round with its
 * message word is 56 operations, 730 a hash, of which Zen 3 and 4 could do four a cycle (shifts two) and do about three.
 * All stretches shared, which spares code to be fetched, and chains of shifts, which spare 160 of 930 moves: together 8%
 * (gcc 12, Zen 3 at 3 GHz, CPU time, median of 150 interleaved pairs), 6.5% of it by the sharing. Two sets side by side
 * with the state in memory do no more operations a cycle. */
#include "isa.h"
#ifdef MINER_X86
#include "vec_avx2.h"
#define SHA256D_SHARE_ROUNDS
#define SHA256_SHIFT_CHAINS
#include "sha256d_lanes.h"

SHA256D_KERNEL(miner_sha256d_avx2, "avx2", MINER_CPU_AVX2, LANES, sha256d_lanes_scan);

MINER_ISA_END
#endif
