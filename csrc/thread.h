/* Where and how eagerly the calling thread runs. Not part of the search: for miner's threads only. */
#ifndef MINER_THREAD_H
#define MINER_THREAD_H

/* miner_thread_pin and miner_thread_nice return 0, an errno value, or this where the system has no such thing. */
enum { MINER_THREAD_UNSUPPORTED = -1 };

/* Run only on this CPU (numbered as the system does). */
int miner_thread_pin(int cpu);

/* The thread's own nice value, -20 to 19. */
int miner_thread_nice(int value);

#endif
