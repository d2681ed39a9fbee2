/* sha256d in plain C. */
#include "vec_scalar.h"
#include "sha256d_lanes.h"

SHA256D_KERNEL(miner_sha256d_portable, "portable", 0, LANES, sha256d_lanes_scan);
