/* SPDX-License-Identifier: MIT */
/*
 * test_workers.c - tests of src/base/workers.c.
 */
#include "unit/base/suites.h"

#include "base/bytes.h"
#include "base/sync.h"
#include "base/workers.h"
#include "lib/suite.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { N_JOBS = 2000 };

/* A gate that holds workers until it is opened. */
struct gate {
	struct sync_mutex lock;
	struct sync_cond changed;
	bool open;
	unsigned n_inside;
};

struct job {
	struct work work;
	struct gate *gate;     /* NULL: do not stop */
	atomic_uint *n_done;   /* counts the jobs that have run */
	struct workers *again; /* where to submit `next`, or NULL */
	struct job *next;
	unsigned order;  /* the value of *n_done when this ran */
	unsigned worker; /* who ran it */
};

static void gate_init(struct gate *g)
{
	*g = (struct gate){ 0 };
	sync_mutex_init(&g->lock, RANK_LEAF);
	sync_cond_init(&g->changed);
}

static void gate_release(struct gate *g)
{
	sync_cond_release(&g->changed);
	sync_mutex_release(&g->lock);
}

static void gate_pass(struct gate *g)
{
	sync_lock(&g->lock);
	g->n_inside++;
	sync_broadcast(&g->changed);
	while (!g->open)
		sync_wait(&g->changed, &g->lock);
	sync_unlock(&g->lock);
}

/* Until `n` workers stand inside. */
static void gate_await(struct gate *g, unsigned n)
{
	sync_lock(&g->lock);
	while (g->n_inside < n)
		sync_wait(&g->changed, &g->lock);
	sync_unlock(&g->lock);
}

static void gate_open(struct gate *g)
{
	sync_lock(&g->lock);
	g->open = true;
	sync_broadcast(&g->changed);
	sync_unlock(&g->lock);
}

static void run_job(struct work *w, unsigned worker)
{
	struct job *job = (struct job *)w;

	job->worker = worker;
	if (job->gate)
		gate_pass(job->gate);
	if (job->again)
		ck_assert(workers_try_submit(job->again, &job->next->work));
	job->order = atomic_fetch_add(job->n_done, 1);
}

START_TEST(every_job_runs_once)
{
	struct job *jobs = calloc(N_JOBS, sizeof(*jobs));
	struct workers *w = NULL;
	atomic_uint n_done = 0;
	unsigned i;

	ck_assert_ptr_nonnull(jobs);
	ck_ok(workers_new("test", 4, 8, &w));
	ck_assert_uint_eq(workers_n_threads(w), 4);
	for (i = 0; i < N_JOBS; i++) {
		jobs[i] =
			(struct job){ .work.run = run_job, .n_done = &n_done };
		workers_submit(w, &jobs[i].work);
		ck_assert_uint_le(workers_waiting(w), 8);
	}
	workers_free(w);
	ck_assert_uint_eq(n_done, N_JOBS);
	for (i = 0; i < N_JOBS; i++)
		ck_assert_uint_lt(jobs[i].worker, 4);
	free(jobs);
}
END_TEST

START_TEST(one_worker_keeps_the_order)
{
	struct job jobs[100];
	struct workers *w = NULL;
	atomic_uint n_done = 0;
	unsigned i;

	ck_ok(workers_new("a name longer than the kernel takes", 1, 3, &w));
	for (i = 0; i < ARRAY_LEN(jobs); i++) {
		jobs[i] =
			(struct job){ .work.run = run_job, .n_done = &n_done };
		workers_submit(w, &jobs[i].work);
	}
	workers_free(w);
	for (i = 0; i < ARRAY_LEN(jobs); i++)
		ck_assert_uint_eq(jobs[i].order, i);
}
END_TEST

START_TEST(full_queue_refuses)
{
	struct workers *w = NULL;
	atomic_uint n_done = 0;
	struct gate gate;
	struct job jobs[4];
	unsigned i;

	gate_init(&gate);
	for (i = 0; i < ARRAY_LEN(jobs); i++)
		jobs[i] =
			(struct job){ .work.run = run_job, .n_done = &n_done };
	jobs[0].gate = &gate;
	ck_ok(workers_new("test", 1, 2, &w));
	ck_assert_uint_eq(workers_load_percent(w), 0);
	workers_submit(w, &jobs[0].work);
	gate_await(&gate, 1);
	ck_assert(workers_try_submit(w, &jobs[1].work));
	ck_assert_uint_eq(workers_load_percent(w), 50);
	ck_assert(workers_try_submit(w, &jobs[2].work));
	ck_assert(!workers_try_submit(w, &jobs[3].work));
	ck_assert_uint_eq(workers_waiting(w), 2);
	ck_assert_uint_eq(workers_load_percent(w), 100);
	gate_open(&gate);
	workers_submit(w, &jobs[3].work);
	workers_free(w);
	ck_assert_uint_eq(n_done, 4);
	gate_release(&gate);
}
END_TEST

START_TEST(all_threads_work_at_once)
{
	struct workers *w = NULL;
	atomic_uint n_done = 0;
	struct gate gate;
	struct job jobs[3];
	unsigned seen = 0;
	unsigned i;

	gate_init(&gate);
	ck_ok(workers_new("test", 3, 3, &w));
	for (i = 0; i < ARRAY_LEN(jobs); i++) {
		jobs[i] = (struct job){ .work.run = run_job,
					.gate = &gate,
					.n_done = &n_done };
		workers_submit(w, &jobs[i].work);
	}
	gate_await(&gate, 3);
	gate_open(&gate);
	workers_free(w);
	for (i = 0; i < ARRAY_LEN(jobs); i++)
		seen |= 1U << jobs[i].worker;
	ck_assert_uint_eq(seen, 7);
	gate_release(&gate);
}
END_TEST

/* A chain in which each job submits the next, while the pool ends. */
START_TEST(ending_runs_what_jobs_submit)
{
	struct workers *w = NULL;
	atomic_uint n_done = 0;
	struct job jobs[50];
	struct gate gate;
	unsigned i;

	gate_init(&gate);
	ck_ok(workers_new("test", 2, 4, &w));
	for (i = 0; i < ARRAY_LEN(jobs); i++)
		jobs[i] =
			(struct job){ .work.run = run_job, .n_done = &n_done };
	for (i = 0; i + 1 < ARRAY_LEN(jobs); i++) {
		jobs[i].again = w;
		jobs[i].next = &jobs[i + 1];
	}
	workers_submit(w, &jobs[0].work);
	workers_free(w);
	ck_assert_uint_eq(n_done, ARRAY_LEN(jobs));
	gate_release(&gate);
}
END_TEST

struct producer {
	struct workers *pool;
	atomic_uint *n_done;
	struct job jobs[200];
};

static void *produce(void *arg)
{
	struct producer *p = arg;
	size_t i;

	for (i = 0; i < ARRAY_LEN(p->jobs); i++) {
		p->jobs[i] = (struct job){ .work.run = run_job,
					   .n_done = p->n_done };
		workers_submit(p->pool, &p->jobs[i].work);
	}
	return NULL;
}

START_TEST(many_producers_share_a_small_queue)
{
	static struct producer producers[4];
	pthread_t threads[4];
	struct workers *w = NULL;
	atomic_uint n_done = 0;
	size_t i;

	ck_ok(workers_new("test", 2, 1, &w));
	for (i = 0; i < ARRAY_LEN(threads); i++) {
		producers[i].pool = w;
		producers[i].n_done = &n_done;
		ck_ok(pthread_create(&threads[i], NULL, produce,
				     &producers[i]));
	}
	for (i = 0; i < ARRAY_LEN(threads); i++)
		ck_ok(pthread_join(threads[i], NULL));
	workers_free(w);
	ck_assert_uint_eq(n_done,
			  ARRAY_LEN(threads) * ARRAY_LEN(producers[0].jobs));
}
END_TEST

struct mask_job {
	struct work work;
	bool term_is_blocked;
};

static void ask_mask(struct work *w, unsigned worker)
{
	struct mask_job *job = (struct mask_job *)w;
	sigset_t now;

	(void)worker;
	(void)pthread_sigmask(SIG_SETMASK, NULL, &now);
	job->term_is_blocked = sigismember(&now, SIGTERM) == 1;
}

START_TEST(signals_are_for_others)
{
	struct mask_job job = { .work.run = ask_mask };
	struct workers *w = NULL;
	sigset_t now;

	ck_ok(workers_new("test", 1, 1, &w));
	workers_submit(w, &job.work);
	workers_free(w);
	ck_assert(job.term_is_blocked);
	ck_ok(pthread_sigmask(SIG_SETMASK, NULL, &now));
	ck_assert_int_eq(sigismember(&now, SIGTERM), 0);
}
END_TEST

START_TEST(idle_pool_ends)
{
	struct workers *w = NULL;

	ck_ok(workers_new("test", 8, 1, &w));
	workers_free(w);
	workers_free(NULL);
}
END_TEST

Suite *suite_workers(void)
{
	const TTest *const tests[] = {
		every_job_runs_once,
		one_worker_keeps_the_order,
		full_queue_refuses,
		all_threads_work_at_once,
		ending_runs_what_jobs_submit,
		many_producers_share_a_small_queue,
		signals_are_for_others,
		idle_pool_ends,
	};

	return suite_of("base/workers", tests, ARRAY_LEN(tests), 60);
}
