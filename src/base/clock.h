/* SPDX-License-Identifier: MIT */
/*
 * clock.h - the clocks, in nanoseconds.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Since some fixed point; never jumps. For intervals and deadlines. */
uint64_t clock_mono_ns(void);

/* CPU time that the calling thread has used. */
uint64_t clock_thread_ns(void);

/* Since 1970, negative before. */
int64_t clock_real_ns(void);

/* The same by the clock with which the kernel stamps files: that of its last
 * tick, some ms behind. What is stamped here and there stays in order. */
int64_t clock_stamp_ns(void);

#endif
