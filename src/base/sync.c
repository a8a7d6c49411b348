/* SPDX-License-Identifier: MIT */
/*
 * sync.c - thin over pthread; debug builds keep the locks that a thread holds.
 *
 * A failing pthread call here means a broken caller, never a state of the
 * world, and aborts.
 */
#include "base/sync.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { NS_PER_S = 1000000000 };

static void must(int rc, const char *what)
{
	if (rc == 0)
		return;
	(void)fprintf(stderr, "sigmafs: bug: %s failed (%d)\n", what, rc);
	abort();
}

#ifndef NDEBUG

enum { HELD_MAX = 16 };

static _Thread_local const struct sync_mutex *held[HELD_MAX];
static _Thread_local unsigned n_held;

static _Noreturn void lock_bug(const char *what, const struct sync_mutex *m,
			       int other_rank)
{
	(void)fprintf(stderr, "sigmafs: bug: %s rank %d, holding rank %d\n",
		      what, (int)m->rank, other_rank);
	abort();
}

/* `m` must rank above all that the thread holds, itself left out. */
static void held_check(const struct sync_mutex *m, const char *what)
{
	unsigned i;

	for (i = 0; i < n_held; i++) {
		if (held[i] != m && held[i]->rank >= m->rank)
			lock_bug(what, m, (int)held[i]->rank);
	}
}

static void held_push(const struct sync_mutex *m)
{
	unsigned i;

	held_check(m, "taking");
	for (i = 0; i < n_held; i++) {
		if (held[i] == m)
			lock_bug("taking twice", m, (int)m->rank);
	}
	if (n_held == HELD_MAX)
		lock_bug("too many locks: taking", m, -1);
	held[n_held++] = m;
}

static void held_pop(const struct sync_mutex *m)
{
	unsigned i = n_held;

	while (i > 0 && held[i - 1] != m)
		i--;
	if (i == 0)
		lock_bug("releasing a lock not held,", m, -1);
	for (; i < n_held; i++)
		held[i - 1] = held[i];
	n_held--;
}

#else

static void held_check(const struct sync_mutex *m, const char *what)
{
	(void)m;
	(void)what;
}

static void held_push(const struct sync_mutex *m)
{
	(void)m;
}

static void held_pop(const struct sync_mutex *m)
{
	(void)m;
}

#endif

void sync_mutex_init(struct sync_mutex *m, enum rank rank)
{
	must(pthread_mutex_init(&m->mutex, NULL), "pthread_mutex_init");
	m->rank = rank;
}

void sync_mutex_release(struct sync_mutex *m)
{
	must(pthread_mutex_destroy(&m->mutex), "pthread_mutex_destroy");
}

/* The rule is checked before the wait: a violation is told, not hung on. */
/* The analysis cannot see that these functions are the locks themselves. */
LOCK_UNCHECKED void sync_lock(struct sync_mutex *m)
{
	held_push(m);
	must(pthread_mutex_lock(&m->mutex), "pthread_mutex_lock");
}

LOCK_UNCHECKED void sync_unlock(struct sync_mutex *m)
{
	held_pop(m);
	must(pthread_mutex_unlock(&m->mutex), "pthread_mutex_unlock");
}

LOCK_UNCHECKED bool sync_trylock(struct sync_mutex *m)
{
	held_push(m);
	if (pthread_mutex_trylock(&m->mutex) == 0)
		return true;
	held_pop(m);
	return false;
}

void sync_cond_init(struct sync_cond *c)
{
	pthread_condattr_t attr;

	must(pthread_condattr_init(&attr), "pthread_condattr_init");
	must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC),
	     "pthread_condattr_setclock");
	must(pthread_cond_init(&c->cond, &attr), "pthread_cond_init");
	must(pthread_condattr_destroy(&attr), "pthread_condattr_destroy");
}

void sync_cond_release(struct sync_cond *c)
{
	must(pthread_cond_destroy(&c->cond), "pthread_cond_destroy");
}

/*
 * A wait gives the lock back and takes it again. The second must obey the
 * rule too, so `m` has to be the highest lock held.
 */
LOCK_UNCHECKED void sync_wait(struct sync_cond *c, struct sync_mutex *m)
{
	held_check(m, "waiting with");
	held_pop(m);
	must(pthread_cond_wait(&c->cond, &m->mutex), "pthread_cond_wait");
	held_push(m);
}

LOCK_UNCHECKED bool sync_wait_until(struct sync_cond *c, struct sync_mutex *m,
				    uint64_t deadline_ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(deadline_ns / NS_PER_S),
		.tv_nsec = (long)(deadline_ns % NS_PER_S),
	};
	int rc;

	held_check(m, "waiting with");
	held_pop(m);
	rc = pthread_cond_timedwait(&c->cond, &m->mutex, &ts);
	held_push(m);
	if (rc == ETIMEDOUT)
		return false;
	must(rc, "pthread_cond_timedwait");
	return true;
}

void sync_signal(struct sync_cond *c)
{
	must(pthread_cond_signal(&c->cond), "pthread_cond_signal");
}

void sync_broadcast(struct sync_cond *c)
{
	must(pthread_cond_broadcast(&c->cond), "pthread_cond_broadcast");
}
