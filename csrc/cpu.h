/* What this CPU and its operating system can run. */
#ifndef MINER_CPU_H
#define MINER_CPU_H

#include <stdint.h>

/* MINER_CPU_* bits (kernel.h). */
uint32_t miner_cpu_features(void);

#endif
