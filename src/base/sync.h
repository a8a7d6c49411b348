/* SPDX-License-Identifier: MIT */
/*
 * sync.h - mutexes that know their rank, conditions on the monotonic clock.
 *
 * In debug builds (without NDEBUG) taking a lock whose rank is not higher than
 * all that the thread holds, or unlocking one that it does not hold, aborts.
 */
#ifndef BASE_SYNC_H
#define BASE_SYNC_H

#include "base/rank.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#if defined(__clang__)
# define SYNC_ATTR(x) __attribute__((x))
#else
# define SYNC_ATTR(x)
#endif

#define GUARDED_BY(lock)
#define REQUIRES(lock) SYNC_ATTR(requires_capability(lock))
#define ACQUIRES(lock) SYNC_ATTR(acquire_capability(lock))
#define RELEASES(lock) SYNC_ATTR(release_capability(lock))
/* For functions that take or give back a lock across their end, or their middle. */
#define LOCK_UNCHECKED SYNC_ATTR(no_thread_safety_analysis)

struct SYNC_ATTR(capability("mutex")) sync_mutex {
	pthread_mutex_t mutex;
	enum rank rank; /* immutable */
};

struct sync_cond {
	pthread_cond_t cond;
};

void sync_mutex_init(struct sync_mutex *m, enum rank rank);
void sync_mutex_release(struct sync_mutex *m);
void sync_lock(struct sync_mutex *m) ACQUIRES(*m);
void sync_unlock(struct sync_mutex *m) RELEASES(*m);

/* True when it was taken. The rank rule holds as for sync_lock(). */
bool sync_trylock(struct sync_mutex *m)
	SYNC_ATTR(try_acquire_capability(true, *m));

void sync_cond_init(struct sync_cond *c);
void sync_cond_release(struct sync_cond *c);
void sync_wait(struct sync_cond *c, struct sync_mutex *m) REQUIRES(*m);

/* False when `deadline_ns` (clock_mono_ns()) has passed. */
bool sync_wait_until(struct sync_cond *c, struct sync_mutex *m,
		     uint64_t deadline_ns) REQUIRES(*m);
void sync_signal(struct sync_cond *c);
void sync_broadcast(struct sync_cond *c);

#endif
