/* SPDX-License-Identifier: MIT */
/*
 * test_grace.c - who waits waits for those who were inside, and for nobody else.
 */
#include "unit/base/suites.h"

#include "base/bytes.h"
#include "base/grace.h"
#include "lib/suite.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { N_THREADS = 4, N_ROUNDS = 2000 };

static struct grace grace;
static atomic_bool waited;

static void *wait_once(void *arg)
{
	grace_wait(&grace);
	atomic_store(&waited, true);
	return arg;
}

START_TEST(nobody_is_inside)
{
	grace_init(&grace);
	grace_wait(&grace);
	grace_leave(&grace, grace_enter(&grace));
	grace_wait(&grace);
	grace_release(&grace);
}
END_TEST

START_TEST(who_was_inside_is_waited_for)
{
	pthread_t thread;
	unsigned first;
	unsigned second;
	unsigned late;

	grace_init(&grace);
	atomic_store(&waited, false);
	first = grace_enter(&grace);
	second = grace_enter(&grace);
	ck_ok(pthread_create(&thread, NULL, wait_once, NULL));
	/* Until somebody waits, who enters is among those who were inside. */
	do {
		late = grace_enter(&grace);
		if (late == first)
			grace_leave(&grace, late);
	} while (late == first);
	grace_leave(&grace, second);
	ck_assert(!atomic_load(&waited));
	grace_leave(&grace, first);
	ck_ok(pthread_join(thread, NULL));
	ck_assert(atomic_load(&waited));
	grace_leave(&grace, late);
	grace_wait(&grace);
	grace_release(&grace);
}
END_TEST

/* Two things, of which one may be found; the other is taken away. */
static atomic_bool alive[2];
static atomic_uint found;
static atomic_uint n_bad;

static void *take_away(void *arg)
{
	unsigned i;

	for (i = 0; i < N_ROUNDS / 20; i++) {
		unsigned old = atomic_load(&found);

		atomic_store(&alive[1 - old], true);
		atomic_store(&found, 1 - old);
		grace_wait(&grace);
		atomic_store(&alive[old], false);
	}
	return arg;
}

static void *use(void *arg)
{
	unsigned i;

	for (i = 0; i < N_ROUNDS; i++) {
		unsigned turn = grace_enter(&grace);
		unsigned mine = atomic_load(&found);

		if (i % 16 == 0)
			(void)sched_yield();
		if (!atomic_load(&alive[mine]))
			atomic_fetch_add(&n_bad, 1);
		grace_leave(&grace, turn);
	}
	return arg;
}

START_TEST(what_is_in_use_stays)
{
	pthread_t threads[N_THREADS + 1];
	unsigned i;

	grace_init(&grace);
	atomic_store(&found, 0);
	atomic_store(&alive[0], true);
	atomic_store(&n_bad, 0);
	for (i = 0; i < N_THREADS + 1; i++)
		ck_ok(pthread_create(&threads[i], NULL,
				     i < N_THREADS ? use : take_away, NULL));
	for (i = 0; i < N_THREADS + 1; i++)
		ck_ok(pthread_join(threads[i], NULL));
	ck_assert_uint_eq(atomic_load(&n_bad), 0);
	grace_release(&grace);
}
END_TEST

Suite *suite_grace(void)
{
	const TTest *const tests[] = {
		nobody_is_inside,
		who_was_inside_is_waited_for,
		what_is_in_use_stays,
	};

	return suite_of("base/grace", tests, ARRAY_LEN(tests), 30);
}
