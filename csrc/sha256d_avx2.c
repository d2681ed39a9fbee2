/* sha256d, eight nonces to an AVX2 register.
 *
 * Bound by vector arithmetic, for AVX2 has no rotates and no three-way logic. Counted in the binary, a round with its
 * message word is 56 operations, and a hash is 730. Zen 3 and 4 could do four a cycle (shifts two) and do about three.
 * All stretches are shared, which spares code to be fetched; shifts are chained, which spares 160 of 930 moves. Both
 * together bring 8%, the sharing alone 6.5% (gcc 12, Zen 3 at 3 GHz, CPU time, median of 150 interleaved pairs). Two
 * sets side by side, with the state in memory, do no more operations a cycle. */
#include "isa.h"
#ifdef MINER_X86
#include "vec_avx2.h"
#define SHA256D_SHARE_ROUNDS
#define SHA256_SHIFT_CHAINS
#include "sha256d_lanes.h"

SHA256D_KERNEL(miner_sha256d_avx2, "avx2", MINER_CPU_AVX2, LANES, sha256d_lanes_scan);

MINER_ISA_END
#endif
