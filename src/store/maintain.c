/* SPDX-License-Identifier: MIT */
/*
 * maintain.c - wakes every second and looks whether there is something to do.
 *
 * What fails is tried again a minute later.
 */
#include "store/maintain.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/report.h"
#include "store/checkpoint.h"
#include "store/state.h"

#include <stdlib.h>

#define NS_PER_S ((uint64_t)1000000000)

enum { RETRY_SECONDS = 60 };

struct maintain {
	struct work work;       /* the loop; first, it is cast */
	struct sync_mutex lock; /* LEAF */
	struct sync_cond wake;
	bool ending GUARDED_BY(lock);
	struct workers *thread; /* immutable; one, all ours */
	struct store *store;    /* immutable */
};

void maintain_enter(struct store *s)
{
	struct upkeep *u = &s->upkeep;

	sync_lock(&u->lock);
	/* What is done at leisure gives way. */
	if (u->busy)
		store_use(s);
	while (u->busy)
		sync_wait(&u->free, &u->lock);
	u->busy = true;
	sync_unlock(&u->lock);
}

bool maintain_try_enter(struct store *s)
{
	struct upkeep *u = &s->upkeep;
	bool entered;

	sync_lock(&u->lock);
	entered = !u->busy;
	u->busy = true;
	sync_unlock(&u->lock);
	if (!entered)
		store_use(s);
	return entered;
}

void maintain_leave(struct store *s)
{
	struct upkeep *u = &s->upkeep;

	sync_lock(&u->lock);
	u->busy = false;
	sync_signal(&u->free);
	sync_unlock(&u->lock);
}

bool maintain_pause(struct store *s, uint64_t ns)
{
	struct maintain *m = s->maintain;
	uint64_t deadline = clock_mono_ns() + ns;
	bool on_time = true;
	bool ending;

	if (!m)
		return true;
	sync_lock(&m->lock);
	while (!m->ending && on_time)
		on_time = sync_wait_until(&m->wake, &m->lock, deadline);
	ending = m->ending;
	sync_unlock(&m->lock);
	return !ending;
}

/* A disk that is full is known already. */
static void tell(int rc, const char *what)
{
	if (rc < 0 && rc != -ECANCELED && rc != -EROFS && rc != -ENOSPC)
		report_warn("%s: %s", what, error_text(rc));
}

/* What is due. */
static int work(struct store *s)
{
	int rc = 0;

	if (checkpoint_due(s)) {
		rc = checkpoint_write(s);
		tell(rc, "a checkpoint could not be written");
	}
	/* A full disk keeps the cleaner from nothing. */
	if ((rc == 0 || rc == -ENOSPC) && clean_due(s)) {
		rc = clean_run(s, false);
		tell(rc, "space could not be given back");
	}
	if (rc == 0)
		tell(leisure_work(s), "what is stored could not be optimised");
	return rc;
}

static void maintain_main(struct work *w, unsigned worker)
{
	struct maintain *m = (struct maintain *)w;
	struct store *s = m->store;
	uint64_t pause = NS_PER_S;
	int rc;

	(void)worker;
	while (maintain_pause(s, pause)) {
		pause = NS_PER_S;
		if (store_writable(s) < 0)
			continue;
		rc = work(s);
		if (rc < 0 && rc != -ECANCELED && rc != -EROFS)
			pause = RETRY_SECONDS * NS_PER_S;
	}
}

static void maintain_free(struct store *s)
{
	struct maintain *m = s->maintain;

	s->maintain = NULL;
	leisure_end(s);
	sync_cond_release(&m->wake);
	sync_mutex_release(&m->lock);
	free(m);
}

int maintain_start(struct store *s)
{
	struct maintain *m = calloc(1, sizeof(*m));
	int rc;

	if (!m)
		return -ENOMEM;
	sync_mutex_init(&m->lock, RANK_LEAF);
	sync_cond_init(&m->wake);
	m->store = s;
	m->work.run = maintain_main;
	s->maintain = m;
	leisure_begin(s);
	rc = workers_new("maintain", 1, 1, &m->thread);
	if (rc < 0)
		maintain_free(s);
	else
		workers_submit(m->thread, &m->work);
	return rc;
}

void maintain_end(struct store *s)
{
	struct maintain *m = s->maintain;

	if (!m)
		return;
	sync_lock(&m->lock);
	m->ending = true;
	sync_broadcast(&m->wake);
	sync_unlock(&m->lock);
	store_use(s);
	workers_free(m->thread);
	maintain_free(s);
}
