/* sha256d, sixteen nonces to an AVX-512 register.
 *
 * Bound by vector arithmetic: counted in the binary (gcc 12), sixteen hashes are 2,855 operations, 1,176 of them
 * rotates and shifts. Zen 4 does two a cycle, one of them a rotate: 1,430 cycles at least; the kernel takes 1,790. */
#include "isa.h"
#ifdef MINER_X86
#include "vec_avx512.h"
#include "sha256d_lanes.h"

SHA256D_KERNEL(miner_sha256d_avx512, "avx512", MINER_CPU_AVX512, LANES, sha256d_lanes_scan);

MINER_ISA_END
#endif
