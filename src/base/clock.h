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

/* Since 1970, negative before. For time stamps. */
int64_t clock_real_ns(void);

#endif
