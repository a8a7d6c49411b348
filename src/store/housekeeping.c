/* SPDX-License-Identifier: MIT */
/*
 * housekeeping.c - the thread that ticks, flushes and commits in the
 * background.
 */
#include "store/maintain.h"
#include "store/state.h"
#include "store/trainer.h"

#include "base/clock.h"

#include <stdlib.h>

enum {
	NS_PER_S = 1000000000,
	IDLE_SECONDS = 5, /* without a change, before the index is committed */
};

struct housekeeping {
	struct work work;       /* the loop; first, it is cast */
	struct sync_mutex lock; /* LEAF */
	struct sync_cond wake;
	bool ending GUARDED_BY(lock);
	bool kicked GUARDED_BY(lock); /* an index commit is due */
	struct workers *thread;       /* one, all ours; NULL: ended */
	struct store *store;          /* immutable */

	/* the thread's own */
	uint64_t seen_mark;
	unsigned idle_s; /* without a change */
	uint64_t due_ns; /* when the next commit is */
};

void housekeeping_kick(struct store *s)
{
	struct housekeeping *h = s->housekeeping;

	if (!h)
		return;
	sync_lock(&h->lock);
	if (!h->kicked) {
		h->kicked = true;
		sync_signal(&h->wake);
	}
	sync_unlock(&h->lock);
}

/* Waits for the next second or a kick; false: the end. */
static bool wait_turn(struct housekeeping *h, uint64_t deadline,
		      bool *ret_kicked)
{
	bool on_time = true;
	bool ending;

	sync_lock(&h->lock);
	while (!h->ending && !h->kicked && on_time)
		on_time = sync_wait_until(&h->wake, &h->lock, deadline);
	*ret_kicked = h->kicked;
	h->kicked = false;
	ending = h->ending;
	sync_unlock(&h->lock);
	return !ending;
}

static uint64_t interval_ns(const struct store *s)
{
	return (uint64_t)s->options.commit_seconds * NS_PER_S;
}

/* Failures have failed the store; there is nobody to tell. */
static void every_second(struct store *s, struct housekeeping *h)
{
	uint64_t mark;

	space_tick(s);
	if (s->handlers.tick)
		s->handlers.tick(s->handlers.ctx);
	if (store_writable(s) < 0)
		return;
	trainer_tick(s->trainer);
	mark = txn_mark(s);
	h->idle_s = mark == h->seen_mark ? h->idle_s + 1 : 0;
	h->seen_mark = mark;
	(void)commit_flush(s);
	/* By the clock: a tick that waits for encoders takes longer than a
	 * second. */
	if (clock_mono_ns() >= h->due_ns) {
		h->due_ns = max_u64(h->due_ns, clock_mono_ns() - NS_PER_S) +
			    interval_ns(s);
		(void)commit_sync(s, mark);
	}
	if (h->idle_s == IDLE_SECONDS &&
	    (atomic_load(&s->n_ops) > 0 || bank_n_pending(s->bank) > 0))
		(void)index_commit(s);
	if (h->idle_s == IDLE_SECONDS)
		codebooks_trim(s->codebooks);
}

static void housekeeping_main(struct work *w, unsigned worker)
{
	struct housekeeping *h = (struct housekeeping *)w;
	struct store *s = h->store;
	uint64_t deadline = clock_mono_ns() + NS_PER_S;
	bool kicked;

	(void)worker;
	h->due_ns = deadline - NS_PER_S + interval_ns(s);
	while (wait_turn(h, deadline, &kicked)) {
		if (kicked)
			(void)index_commit(s);
		if (clock_mono_ns() < deadline)
			continue;
		every_second(s, h);
		deadline = max_u64(deadline + NS_PER_S, clock_mono_ns());
	}
}

void housekeeping_free(struct store *s)
{
	struct housekeeping *h = s->housekeeping;

	if (!h)
		return;
	s->housekeeping = NULL;
	sync_cond_release(&h->wake);
	sync_mutex_release(&h->lock);
	free(h);
}

int store_start(struct store *s)
{
	struct housekeeping *h = calloc(1, sizeof(*h));
	int rc;

	if (!h)
		return -ENOMEM;
	sync_mutex_init(&h->lock, RANK_LEAF);
	sync_cond_init(&h->wake);
	h->store = s;
	h->work.run = housekeeping_main;
	s->housekeeping = h;
	rc = workers_new("housekeeping", 1, 1, &h->thread);
	if (rc < 0)
		housekeeping_free(s);
	else
		workers_submit(h->thread, &h->work);
	return rc == 0 ? maintain_start(s) : rc;
}

void housekeeping_end(struct store *s)
{
	struct housekeeping *h = s->housekeeping;

	if (!h)
		return;
	sync_lock(&h->lock);
	h->ending = true;
	sync_signal(&h->wake);
	sync_unlock(&h->lock);
	workers_free(h->thread);
	h->thread = NULL;
}
