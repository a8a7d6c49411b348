/* SPDX-License-Identifier: MIT */
/*
 * workers.h - a pool of threads behind a bounded queue.
 *
 * Jobs run in the order of submission, on any worker; nothing is said about
 * the order in which they end. Threads: any.
 */
#ifndef BASE_WORKERS_H
#define BASE_WORKERS_H

#include <stdbool.h>
#include <stddef.h>

struct workers;

/* One unit of work, embedded in the caller's object, which the pool does not
 * own. `run` may free that object. `worker` is 0..n_threads-1, so that
 * per-thread contexts can be kept in an array. */
struct work {
	void (*run)(struct work *w, unsigned worker);
	struct work *next; /* the pool's */
};

/* `name`: up to 15 bytes, seen in top(1). `n_queue`: jobs that may wait.
 * -ENOMEM, -EAGAIN (no thread). */
int workers_new(const char *name, unsigned n_threads, size_t n_queue,
		struct workers **ret);

/* Runs all that is queued, then ends the threads. NULL is fine. */
void workers_free(struct workers *w);

/* Queues `job`; blocks while the queue is full, so a job that submits to its
 * own pool must use workers_try_submit(). */
void workers_submit(struct workers *w, struct work *job);

/* Queues `job` unless the queue is full; returns whether it did. */
bool workers_try_submit(struct workers *w, struct work *job);

/* Jobs waiting now, and 0..100 per cent of the queue. */
size_t workers_waiting(struct workers *w);
unsigned workers_load_percent(struct workers *w);

/* Gives the calling thread the lowest priority, for good. It may then be kept
 * from running for long: it must hold nothing that others wait for. */
void workers_step_back(void);

unsigned workers_n_threads(const struct workers *w);

#endif
