/* SPDX-License-Identifier: MIT */
/*
 * test_sync.c - tests of src/base/sync.c.
 */
#include "unit/base/suites.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/sync.h"
#include "lib/suite.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 5000 };

struct counter {
	struct sync_mutex lock;
	struct sync_cond changed;
	unsigned value;
	bool odd_turn;
};

static void counter_init(struct counter *c)
{
	*c = (struct counter){ 0 };
	sync_mutex_init(&c->lock, RANK_LEAF);
	sync_cond_init(&c->changed);
}

static void counter_release(struct counter *c)
{
	sync_cond_release(&c->changed);
	sync_mutex_release(&c->lock);
}

static void *count_up(void *arg)
{
	struct counter *c = arg;
	unsigned i;

	for (i = 0; i < ROUNDS; i++) {
		sync_lock(&c->lock);
		c->value++;
		sync_unlock(&c->lock);
	}
	return NULL;
}

START_TEST(mutex_excludes)
{
	pthread_t threads[4];
	struct counter c;
	size_t i;

	counter_init(&c);
	for (i = 0; i < ARRAY_LEN(threads); i++)
		ck_ok(pthread_create(&threads[i], NULL, count_up, &c));
	for (i = 0; i < ARRAY_LEN(threads); i++)
		ck_ok(pthread_join(threads[i], NULL));
	ck_assert_uint_eq(c.value, ROUNDS * ARRAY_LEN(threads));
	counter_release(&c);
}
END_TEST

/* Takes `n` turns of the given kind. */
static void take_turns(struct counter *c, bool odd)
{
	unsigned i;

	for (i = 0; i < ROUNDS; i++) {
		sync_lock(&c->lock);
		while (c->odd_turn != odd)
			sync_wait(&c->changed, &c->lock);
		c->value++;
		c->odd_turn = !odd;
		sync_signal(&c->changed);
		sync_unlock(&c->lock);
	}
}

static void *odd_turns(void *arg)
{
	take_turns(arg, true);
	return NULL;
}

START_TEST(condition_passes_turns)
{
	pthread_t thread;
	struct counter c;

	counter_init(&c);
	ck_ok(pthread_create(&thread, NULL, odd_turns, &c));
	take_turns(&c, false);
	ck_ok(pthread_join(thread, NULL));
	ck_assert_uint_eq(c.value, ROUNDS + ROUNDS);
	counter_release(&c);
}
END_TEST

START_TEST(deadline_passes)
{
	uint64_t deadline = clock_mono_ns() + 20000000;
	struct counter c;

	counter_init(&c);
	sync_lock(&c.lock);
	while (sync_wait_until(&c.changed, &c.lock, deadline))
		;
	ck_assert_uint_ge(clock_mono_ns(), deadline);
	ck_assert(!sync_wait_until(&c.changed, &c.lock, 0));
	sync_unlock(&c.lock);
	counter_release(&c);
}
END_TEST

static void *set_and_tell(void *arg)
{
	struct counter *c = arg;

	sync_lock(&c->lock);
	c->value = 1;
	sync_broadcast(&c->changed);
	sync_unlock(&c->lock);
	return NULL;
}

START_TEST(signal_beats_the_deadline)
{
	uint64_t deadline = clock_mono_ns() + UINT64_C(60000000000);
	bool in_time = true;
	pthread_t thread;
	struct counter c;

	counter_init(&c);
	sync_lock(&c.lock);
	ck_ok(pthread_create(&thread, NULL, set_and_tell, &c));
	while (c.value == 0 && in_time)
		in_time = sync_wait_until(&c.changed, &c.lock, deadline);
	sync_unlock(&c.lock);
	ck_assert(in_time);
	ck_ok(pthread_join(thread, NULL));
	counter_release(&c);
}
END_TEST

static void *try_it(void *arg)
{
	struct counter *c = arg;

	if (!sync_trylock(&c->lock))
		return NULL;
	c->value++;
	sync_unlock(&c->lock);
	return c;
}

/* What `run` returns on another thread. */
static void *elsewhere(void *(*run)(void *), void *arg)
{
	pthread_t thread;
	void *ret = NULL;

	ck_ok(pthread_create(&thread, NULL, run, arg));
	ck_ok(pthread_join(thread, &ret));
	return ret;
}

START_TEST(trylock_does_not_wait)
{
	struct counter c;

	counter_init(&c);
	sync_lock(&c.lock);
	ck_assert_ptr_null(elsewhere(try_it, &c));
	sync_unlock(&c.lock);
	ck_assert_ptr_eq(elsewhere(try_it, &c), &c);
	ck_assert_uint_eq(c.value, 1);
	counter_release(&c);
}
END_TEST

START_TEST(rising_ranks_in_any_release_order)
{
	struct sync_mutex low;
	struct sync_mutex mid;
	struct sync_mutex high;
	bool tried = false;

	sync_mutex_init(&low, RANK_INDEX);
	sync_mutex_init(&mid, RANK_BANK);
	sync_mutex_init(&high, RANK_LEAF);
	sync_lock(&low);
	sync_lock(&mid);
	sync_unlock(&low);
	sync_lock(&high);
	sync_unlock(&mid);
	sync_unlock(&high);
	sync_lock(&low);
	if (sync_trylock(&high)) {
		tried = true;
		sync_unlock(&high);
	}
	ck_assert(tried);
	sync_lock(&mid);
	sync_unlock(&mid);
	sync_unlock(&low);
	sync_mutex_release(&high);
	sync_mutex_release(&mid);
	sync_mutex_release(&low);
}
END_TEST

#ifndef NDEBUG

/* What follows breaks the rules on purpose, as clang would tell. */
# define UNCHECKED SYNC_ATTR(no_thread_safety_analysis)

/* Whether `run` ends its process by abort(). */
static bool dies(void (*run)(void))
{
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		(void)dup2(null, STDERR_FILENO);
		(void)alarm(10); /* a hang is a failure, too */
		run();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

/* Two locks of these ranks, taken in this order. */
static void take_two(enum rank first, enum rank second)
{
	struct sync_mutex a;
	struct sync_mutex b;

	sync_mutex_init(&a, first);
	sync_mutex_init(&b, second);
	sync_lock(&a);
	sync_lock(&b);
	sync_unlock(&b);
	sync_unlock(&a);
}

static void take_rising(void)
{
	take_two(RANK_INODE, RANK_BANK);
}

static void take_falling(void)
{
	take_two(RANK_BANK, RANK_INODE);
}

static void take_equal(void)
{
	take_two(RANK_INODE, RANK_INODE);
}

UNCHECKED static void take_same(void)
{
	struct sync_mutex m;

	sync_mutex_init(&m, RANK_INODE);
	sync_lock(&m);
	sync_lock(&m);
}

UNCHECKED static void try_falling(void)
{
	struct sync_mutex a;
	struct sync_mutex b;

	sync_mutex_init(&a, RANK_BANK);
	sync_mutex_init(&b, RANK_INODE);
	sync_lock(&a);
	(void)sync_trylock(&b);
}

UNCHECKED static void release_unheld(void)
{
	struct sync_mutex m;

	sync_mutex_init(&m, RANK_INODE);
	sync_unlock(&m);
}

UNCHECKED static void wait_unheld(void)
{
	struct counter c;

	counter_init(&c);
	(void)sync_wait_until(&c.changed, &c.lock, clock_mono_ns());
}

/* Taking the lock again after the wait would break the order. */
UNCHECKED static void wait_below_another(void)
{
	struct sync_mutex low;
	struct sync_mutex high;
	struct sync_cond cond;

	sync_mutex_init(&low, RANK_INODE);
	sync_mutex_init(&high, RANK_BANK);
	sync_cond_init(&cond);
	sync_lock(&low);
	sync_lock(&high);
	(void)sync_wait_until(&cond, &low, clock_mono_ns());
}

START_TEST(rank_violations_abort)
{
	ck_assert(!dies(take_rising));
	ck_assert(dies(take_falling));
	ck_assert(dies(take_equal));
	ck_assert(dies(take_same));
	ck_assert(dies(try_falling));
}
END_TEST

START_TEST(misuse_aborts)
{
	ck_assert(dies(release_unheld));
	ck_assert(dies(wait_unheld));
	ck_assert(dies(wait_below_another));
}
END_TEST

#endif

Suite *suite_sync(void)
{
	const TTest *const tests[] = {
		mutex_excludes,        condition_passes_turns,
		deadline_passes,       signal_beats_the_deadline,
		trylock_does_not_wait, rising_ranks_in_any_release_order,
#ifndef NDEBUG
		rank_violations_abort, misuse_aborts,
#endif
	};

	return suite_of("base/sync", tests, ARRAY_LEN(tests), 60);
}
