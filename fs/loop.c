/* SPDX-License-Identifier: MIT */
/*
 * loop.c - the leader reads, followers wait to take over.
 *
 * Happy path: the leader finds a request within SPIN_NS of the last one, serves
 * it and looks again. A long request: it wakes a follower, which becomes the
 * leader, and joins the followers when it is done. A short request that takes
 * long all the same (the index is being committed): a follower on watch sees
 * after WATCH_NS that the leader is still at it, and takes the lead.
 */
#include "loop.h"

#include "base/clock.h"
#include "base/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

enum {
	SPIN_NS = 20000,
	WATCH_NS = 2000000,
	QUIET_US = 20000, /* without a request for so long nobody watches */
	POLL_MS = 1000,   /* how late an ended session is noticed */
	SMALL_WRITE = 16 << 10, /* bytes that a short WRITE carries */
};

struct loop {
	struct fuse_session *session; /* immutable */
	struct sync_mutex lock;       /* QUEUE */
	struct sync_cond free;        /* the lead is free, or watching is due */
	bool led GUARDED_BY(lock);
	bool watched GUARDED_BY(lock);  /* a follower is on watch */
	uint64_t turn GUARDED_BY(lock); /* grows when the lead changes */
	atomic_ulong
		busy_since;   /* atomic: when the leader began to serve, us; 0:
				  * it reads. Only compared with a clock */
	atomic_ulong last_us; /* atomic: when the newest request came */
	atomic_bool ended;    /* atomic: a flag, seen within POLL_MS */
	atomic_int error;
};

struct seat {
	struct loop *loop;
	pthread_t thread;
	struct fuse_buf buf; /* mem is libfuse's, freed at the end */
	uint64_t turn;       /* of the lead that this thread took last */
};

static unsigned long now_us(void)
{
	return (unsigned long)(clock_mono_ns() / 1000) | 1;
}

/* Whether serving the request may take long, or wait for others. */
static bool is_long(const struct fuse_buf *buf)
{
	struct fuse_in_header in;

	memcpy(&in, buf->mem, sizeof(in));
	switch (in.opcode) {
	case FUSE_WRITE:
		return buf->size > SMALL_WRITE;
	case FUSE_READ:
	case FUSE_FSYNC:
	case FUSE_FSYNCDIR:
	case FUSE_RENAME:
	case FUSE_RENAME2:
	case FUSE_FALLOCATE:
	case FUSE_COPY_FILE_RANGE:
	case FUSE_LSEEK:
	case FUSE_DESTROY:
		return true;
	default:
		return false;
	}
}

/* ---- the lead ------------------------------------------------------------------ */

static void end(struct loop *l, int rc)
{
	if (rc)
		atomic_store(&l->error, rc);
	atomic_store(&l->ended, true);
	sync_lock(&l->lock);
	sync_broadcast(&l->free);
	sync_unlock(&l->lock);
}

/* The leader has been at one request for too long. */
static bool leader_hangs(struct loop *l)
{
	unsigned long since = atomic_load(&l->busy_since);

	return since != 0 && now_us() - since > WATCH_NS / 1000;
}

static bool is_active(struct loop *l)
{
	return now_us() - atomic_load(&l->last_us) < QUIET_US;
}

/* Waits for the lead; false: the session has ended. While requests come in, one
 * of those who wait looks from time to time whether the leader hangs. */
static bool take_lead(struct seat *s)
{
	struct loop *l = s->loop;
	bool taken = false;

	sync_lock(&l->lock);
	while (!taken && !atomic_load(&l->ended)) {
		if (!l->led || leader_hangs(l)) {
			taken = true;
		} else if (!l->watched && is_active(l)) {
			l->watched = true;
			(void)sync_wait_until(&l->free, &l->lock,
					      clock_mono_ns() + WATCH_NS);
			l->watched = false;
		} else {
			sync_wait(&l->free, &l->lock);
		}
	}
	if (taken) {
		l->led = true;
		s->turn = ++l->turn;
		atomic_store(&l->busy_since, 0);
	}
	sync_unlock(&l->lock);
	return taken;
}

static bool still_leads(struct seat *s)
{
	struct loop *l = s->loop;
	bool leads;

	sync_lock(&l->lock);
	leads = l->turn == s->turn;
	if (leads)
		atomic_store(&l->busy_since, 0);
	sync_unlock(&l->lock);
	return leads;
}

static void give_lead(struct seat *s)
{
	struct loop *l = s->loop;

	sync_lock(&l->lock);
	l->led = false;
	sync_signal(&l->free);
	sync_unlock(&l->lock);
}

/* After a pause: somebody is to watch the leader again. */
static void call_watch(struct loop *l)
{
	sync_lock(&l->lock);
	if (!l->watched)
		sync_signal(&l->free);
	sync_unlock(&l->lock);
}

/* ---- requests ------------------------------------------------------------------- */

/* Reads one request; 0: the session has ended. Spins for a while, then sleeps. */
static int receive(struct seat *s)
{
	struct fuse_session *se = s->loop->session;
	struct pollfd p = { .fd = fuse_session_fd(se), .events = POLLIN };
	uint64_t until = clock_mono_ns() + SPIN_NS;
	bool paused = false;

	while (!fuse_session_exited(se) && !atomic_load(&s->loop->ended)) {
		int rc = fuse_session_receive_buf(se, &s->buf);

		if (rc != -EAGAIN && rc != -EINTR) {
			bool watch = paused && !is_active(s->loop);

			atomic_store(&s->loop->last_us, now_us());
			if (watch)
				call_watch(s->loop);
			return rc;
		}
		if (clock_mono_ns() < until)
			continue;
		(void)poll(&p, 1, POLL_MS);
		paused = true;
		until = clock_mono_ns() + SPIN_NS;
	}
	return 0;
}

/* Serves requests as long as this thread leads. */
static void lead(struct seat *s)
{
	struct loop *l = s->loop;
	bool leads = true;

	while (leads) {
		int rc = receive(s);
		bool hand_over;

		if (rc <= 0) {
			end(l, rc);
			return;
		}
		hand_over = is_long(&s->buf);
		if (hand_over)
			give_lead(s);
		else
			atomic_store(&l->busy_since, now_us());
		fuse_session_process_buf(l->session, &s->buf);
		leads = !hand_over && still_leads(s);
	}
}

static void *serve(void *arg)
{
	struct seat *s = arg;

	while (take_lead(s))
		lead(s);
	free(s->buf.mem);
	return NULL;
}

static void loop_init(struct loop *l, struct fuse_session *se)
{
	l->session = se;
	sync_mutex_init(&l->lock, RANK_QUEUE);
	sync_cond_init(&l->free);
}

int loop_run(struct fuse_session *se, unsigned n_threads)
{
	struct seat *seats = calloc(n_threads, sizeof(*seats));
	struct loop loop = { .led = false };
	int fd = fuse_session_fd(se);
	unsigned n = 1;

	if (!seats)
		return -ENOMEM;
	loop_init(&loop, se);
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	for (unsigned i = 0; i < n_threads; i++)
		seats[i].loop = &loop;
	while (n < n_threads &&
	       pthread_create(&seats[n].thread, NULL, serve, &seats[n]) == 0)
		n++;
	if (n < 2)
		end(&loop, -EAGAIN);
	(void)serve(&seats[0]);
	for (unsigned i = 1; i < n; i++)
		(void)pthread_join(seats[i].thread, NULL);
	sync_cond_release(&loop.free);
	sync_mutex_release(&loop.lock);
	free(seats);
	return atomic_load(&loop.error);
}
