/* SPDX-License-Identifier: MIT */
/*
 * workers.c - threads that take jobs from one bounded queue.
 *
 * The queue is a list through the jobs themselves, so submitting allocates
 * nothing. While the pool ends, queued jobs still run, and may submit more:
 * a worker leaves only when it finds the queue empty, after its own job.
 */
#include "base/workers.h"

#include "base/sync.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NAME_LEN = 16 };

struct worker {
	struct workers *pool;
	pthread_t thread;
	unsigned index;
};

struct workers {
	struct sync_mutex lock;
	struct sync_cond not_empty;
	struct sync_cond not_full;
	struct work *first GUARDED_BY(lock);
	struct work *last GUARDED_BY(lock);
	size_t n_waiting GUARDED_BY(lock);
	bool ending GUARDED_BY(lock);
	size_t n_queue;      /* immutable */
	unsigned n_threads;  /* immutable once workers_new() has returned */
	char name[NAME_LEN]; /* immutable */
	struct worker workers[];
};

/* The next job; waits for one. NULL: the pool ends. */
static struct work *take(struct workers *w)
{
	struct work *job;

	sync_lock(&w->lock);
	while (!w->first && !w->ending)
		sync_wait(&w->not_empty, &w->lock);
	job = w->first;
	if (job) {
		w->first = job->next;
		if (!w->first)
			w->last = NULL;
		w->n_waiting--;
		sync_signal(&w->not_full);
	}
	sync_unlock(&w->lock);
	return job;
}

static void *worker_main(void *arg)
{
	struct worker *self = arg;
	struct work *job;

	while ((job = take(self->pool)) != NULL)
		job->run(job, self->index);
	return NULL;
}

/* With all signals blocked, which the thread inherits: they are for the
 * thread that waits for them. */
static int start_thread(struct worker *worker)
{
	sigset_t all;
	sigset_t old;
	int rc;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&worker->thread, NULL, worker_main, worker);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0)
		return -rc;
	(void)pthread_setname_np(worker->thread, worker->pool->name);
	return 0;
}

static int start_threads(struct workers *w, unsigned n_threads)
{
	int rc = 0;

	while (rc == 0 && w->n_threads < n_threads) {
		struct worker *worker = &w->workers[w->n_threads];

		worker->pool = w;
		worker->index = w->n_threads;
		rc = start_thread(worker);
		if (rc == 0)
			w->n_threads++;
	}
	return rc;
}

int workers_new(const char *name, unsigned n_threads, size_t n_queue,
		struct workers **ret)
{
	struct workers *w;
	int rc;

	assert(n_threads > 0 && n_queue > 0);
	w = calloc(1, sizeof(*w) + n_threads * sizeof(w->workers[0]));
	if (!w)
		return -ENOMEM;
	sync_mutex_init(&w->lock, RANK_QUEUE);
	sync_cond_init(&w->not_empty);
	sync_cond_init(&w->not_full);
	w->n_queue = n_queue;
	(void)snprintf(w->name, sizeof(w->name), "%s", name);
	rc = start_threads(w, n_threads);
	if (rc < 0) {
		workers_free(w);
		return rc;
	}
	*ret = w;
	return 0;
}

void workers_free(struct workers *w)
{
	unsigned i;

	if (!w)
		return;
	sync_lock(&w->lock);
	w->ending = true;
	sync_broadcast(&w->not_empty);
	sync_unlock(&w->lock);
	for (i = 0; i < w->n_threads; i++)
		(void)pthread_join(w->workers[i].thread, NULL);
	assert(!w->first);
	sync_cond_release(&w->not_full);
	sync_cond_release(&w->not_empty);
	sync_mutex_release(&w->lock);
	free(w);
}

static void put_locked(struct workers *w, struct work *job) REQUIRES(w->lock)
{
	job->next = NULL;
	if (w->last)
		w->last->next = job;
	else
		w->first = job;
	w->last = job;
	w->n_waiting++;
	sync_signal(&w->not_empty);
}

void workers_submit(struct workers *w, struct work *job)
{
	sync_lock(&w->lock);
	while (w->n_waiting >= w->n_queue)
		sync_wait(&w->not_full, &w->lock);
	put_locked(w, job);
	sync_unlock(&w->lock);
}

bool workers_try_submit(struct workers *w, struct work *job)
{
	bool room;

	sync_lock(&w->lock);
	room = w->n_waiting < w->n_queue;
	if (room)
		put_locked(w, job);
	sync_unlock(&w->lock);
	return room;
}

size_t workers_waiting(struct workers *w)
{
	size_t n;

	sync_lock(&w->lock);
	n = w->n_waiting;
	sync_unlock(&w->lock);
	return n;
}

unsigned workers_load_percent(struct workers *w)
{
	return (unsigned)(workers_waiting(w) * 100 / w->n_queue);
}

void workers_step_back(void)
{
	/* Of Linux: a thread's id stands for that thread alone. Not SCHED_IDLE,
	 * which may not run at all on a busy machine; then nobody could end. */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
}

unsigned workers_n_threads(const struct workers *w)
{
	return w->n_threads;
}
