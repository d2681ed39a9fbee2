/* The core's own table, and one algorithm more. */
#include "kernel.h"

extern const miner_algorithm miner_toy_algorithm;
#define MINER_MORE_ALGORITHMS &miner_toy_algorithm,
#include "../../csrc/algorithms.c"
