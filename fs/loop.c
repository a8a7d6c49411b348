/* SPDX-License-Identifier: MIT */
/*
 * loop.c - the leader reads, followers wait to take over.
 *
 * Happy path: the leader finds a request within SPIN_NS of the last one, serves
 * it and looks again: to sleep and be woken would take longer. Before a long
 * request it arms the followers' epoll: if another request comes meanwhile, the
 * kernel wakes one of them, which takes the lead; if none comes, nobody was woken.
 * It disarms it before it answers, since whoever waits for the answer is likely to
 * ask again. A short request that takes long all the same (the index is being
 * committed): a follower on watch sees after WATCH_MS that the leader is still at
 * it, and takes the lead. Who has lost the lead joins the followers when it is done.
 *
 * Nobody ever gives up the lead before somebody takes it, so no wake-up can be
 * lost: a request that nobody was woken for is found by the leader, when it is
 * done, or by the first follower that comes free while the leader is not.
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
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

enum {
	SPIN_NS = 50000,
	SPIN_BULK_NS =
		20000, /* after a long WRITE: encoders want the processor */
	WATCH_MS = 2,
	QUIET_US = 20000, /* without a request for so long nobody watches */
	POLL_MS = 1000,   /* how late an ended session is noticed */
	SMALL_WRITE = 16 << 10, /* bytes that a short WRITE carries */
};

/* What woke a follower. */
enum { WOKEN_BY_REQUEST, WOKEN_BY_POKE };

struct loop {
	struct fuse_session *session; /* immutable */
	loop_serve_fn *fn;            /* immutable */
	void *ctx;                    /* immutable; for `fn` */
	int fd;                       /* immutable; the session's */
	int followers; /* immutable; epoll: the session, when armed, and `poke` */
	int poke;      /* immutable; eventfd: watching is due, or the end */
	struct sync_mutex lock;         /* QUEUE */
	bool armed GUARDED_BY(lock);    /* the leader is at a long request */
	bool watched GUARDED_BY(lock);  /* a follower is on watch */
	uint64_t turn GUARDED_BY(lock); /* grows when the lead changes */
	atomic_ulong
		busy_since;   /* atomic: when the leader began a short one, us;
				  * 0: it did not. Only compared with a clock */
	atomic_ulong last_us; /* atomic: when the newest request came */
	atomic_bool ended;    /* atomic: a flag, seen within POLL_MS */
	atomic_int error;
};

struct seat {
	struct loop *loop;
	pthread_t thread;
	struct fuse_buf buf; /* mem is libfuse's, freed at the end */
	uint64_t turn;       /* of the lead that this thread took last */
	bool arming;         /* it is at a long request, not answered yet */
	uint64_t spin_ns;    /* to wait for the next one without sleep */
};

/* Of a thread that serves requests. */
static _Thread_local struct seat *this_seat;

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

static uint64_t spin_after(const struct fuse_buf *buf)
{
	struct fuse_in_header in;

	memcpy(&in, buf->mem, sizeof(in));
	return in.opcode == FUSE_WRITE && buf->size > SMALL_WRITE ? SPIN_BULK_NS
								  : SPIN_NS;
}

/* ---- the lead ------------------------------------------------------------------ */

/* Has epoll tell one follower of a request. */
static void arm(struct loop *l)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLONESHOT,
				 .data.u32 = WOKEN_BY_REQUEST };

	if (epoll_ctl(l->followers, EPOLL_CTL_ADD, l->fd, &e) < 0)
		(void)epoll_ctl(l->followers, EPOLL_CTL_MOD, l->fd, &e);
}

/* Takes the session out: one that is there without events still wakes a
 * follower in the kernel for each request, if only to let it sleep again. */
static void disarm(struct loop *l)
{
	(void)epoll_ctl(l->followers, EPOLL_CTL_DEL, l->fd, NULL);
}

static void poke(struct loop *l)
{
	(void)eventfd_write(l->poke, 1);
}

/* All followers see it: from now on the poke stays. */
static void end(struct loop *l, int rc)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = WOKEN_BY_POKE };

	if (rc)
		atomic_store(&l->error, rc);
	atomic_store(&l->ended, true);
	poke(l);
	(void)epoll_ctl(l->followers, EPOLL_CTL_MOD, l->poke, &e);
}

/* The leader has been at one short request for too long. */
static bool leader_hangs(struct loop *l)
{
	unsigned long since = atomic_load(&l->busy_since);

	return since != 0 && now_us() - since > (unsigned long)WATCH_MS * 1000;
}

static bool is_active(struct loop *l)
{
	return now_us() - atomic_load(&l->last_us) < QUIET_US;
}

/* Whether this follower is to watch the leader. */
static bool begin_watch(struct loop *l)
{
	bool watch;

	sync_lock(&l->lock);
	watch = !l->watched && is_active(l);
	l->watched |= watch;
	sync_unlock(&l->lock);
	return watch;
}

/* After a wait: takes the lead if there is reason to. */
static bool try_lead(struct seat *s, bool watched, bool request)
{
	struct loop *l = s->loop;
	bool taken;

	sync_lock(&l->lock);
	if (watched)
		l->watched = false;
	taken = (request && l->armed) || leader_hangs(l);
	if (taken) {
		s->turn = ++l->turn;
		l->armed = false;
		atomic_store(&l->busy_since, 0);
	}
	sync_unlock(&l->lock);
	return taken;
}

/* Waits for the lead; false: the session has ended. While requests come in, one
 * of those who wait looks from time to time whether the leader hangs. */
static bool take_lead(struct seat *s)
{
	struct loop *l = s->loop;
	bool taken = false;

	while (!taken && !atomic_load(&l->ended)) {
		bool watch = begin_watch(l);
		struct epoll_event e;
		int n = epoll_wait(l->followers, &e, 1, watch ? WATCH_MS : -1);

		taken = try_lead(s, watch,
				 n == 1 && e.data.u32 == WOKEN_BY_REQUEST);
	}
	return taken;
}

/* Before a request. */
static void begin_request(struct seat *s, bool is_long)
{
	struct loop *l = s->loop;

	s->arming = is_long;
	if (!is_long) {
		atomic_store(&l->busy_since, now_us());
		return;
	}
	sync_lock(&l->lock);
	l->armed = true;
	sync_unlock(&l->lock);
	arm(l);
}

/* Whether this thread still leads; if so, it is at something short (`since`),
 * or at nothing (0). */
static bool still_leads(struct seat *s, unsigned long since)
{
	struct loop *l = s->loop;
	bool leads;

	sync_lock(&l->lock);
	leads = l->turn == s->turn;
	if (leads) {
		l->armed = false;
		atomic_store(&l->busy_since, since);
	}
	sync_unlock(&l->lock);
	return leads;
}

void loop_answering(void)
{
	struct seat *s = this_seat;

	if (!s || !s->arming)
		return;
	s->arming = false;
	/* A follower that is woken before the second finds nothing armed. */
	if (still_leads(s, now_us()))
		disarm(s->loop);
}

/* After it: whether this thread still leads. */
static bool end_request(struct seat *s)
{
	loop_answering();
	return still_leads(s, 0);
}

/* After a pause: somebody is to watch the leader again. */
static void call_watch(struct loop *l)
{
	bool watched;

	sync_lock(&l->lock);
	watched = l->watched;
	sync_unlock(&l->lock);
	if (!watched)
		poke(l);
}

/* ---- requests ------------------------------------------------------------------- */

/* Reads one request; 0: the session has ended. Spins for a while, then sleeps. */
static int receive(struct seat *s)
{
	struct fuse_session *se = s->loop->session;
	struct pollfd p = { .fd = s->loop->fd, .events = POLLIN };
	uint64_t until = clock_mono_ns() + s->spin_ns;

	while (!fuse_session_exited(se) && !atomic_load(&s->loop->ended)) {
		int rc = fuse_session_receive_buf(se, &s->buf);

		if (rc != -EAGAIN && rc != -EINTR) {
			bool watch = !is_active(s->loop);

			atomic_store(&s->loop->last_us, now_us());
			if (watch)
				call_watch(s->loop);
			return rc;
		}
		if (clock_mono_ns() < until)
			continue;
		(void)poll(&p, 1, POLL_MS);
		until = clock_mono_ns() + s->spin_ns;
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

		if (rc <= 0) {
			end(l, rc);
			return;
		}
		s->spin_ns = spin_after(&s->buf);
		begin_request(s, is_long(&s->buf));
		l->fn(l->ctx, l->session, &s->buf);
		leads = end_request(s);
	}
}

static void *serve(void *arg)
{
	struct seat *s = arg;

	this_seat = s;
	while (take_lead(s))
		lead(s);
	this_seat = NULL;
	free(s->buf.mem);
	return NULL;
}

/* ---- the whole ------------------------------------------------------------------ */

static void loop_release(struct loop *l)
{
	if (l->followers >= 0)
		(void)close(l->followers);
	if (l->poke >= 0)
		(void)close(l->poke);
	sync_mutex_release(&l->lock);
}

static int loop_init(struct loop *l, struct fuse_session *se)
{
	struct epoll_event poke = { .events = EPOLLIN | EPOLLET,
				    .data.u32 = WOKEN_BY_POKE };

	*l = (struct loop){ .session = se, .fd = fuse_session_fd(se) };
	sync_mutex_init(&l->lock, RANK_QUEUE);
	l->followers = epoll_create1(EPOLL_CLOEXEC);
	l->poke = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->followers >= 0 && l->poke >= 0 &&
	    fcntl(l->fd, F_SETFL, fcntl(l->fd, F_GETFL) | O_NONBLOCK) == 0 &&
	    epoll_ctl(l->followers, EPOLL_CTL_ADD, l->poke, &poke) == 0)
		return 0;
	loop_release(l);
	return -EAGAIN;
}

/* This thread leads first. */
static void serve_first(struct seat *s)
{
	this_seat = s;
	s->turn = s->loop->turn;
	lead(s);
	(void)serve(s);
}

int loop_run(struct fuse_session *se, unsigned n_threads, loop_serve_fn *fn,
	     void *ctx)
{
	struct seat *seats = calloc(n_threads, sizeof(*seats));
	struct loop loop;
	unsigned n = 1;
	int rc;

	if (!seats)
		return -ENOMEM;
	rc = loop_init(&loop, se);
	if (rc) {
		free(seats);
		return rc;
	}
	loop.fn = fn;
	loop.ctx = ctx;
	for (unsigned i = 0; i < n_threads; i++)
		seats[i].loop = &loop;
	while (n < n_threads &&
	       pthread_create(&seats[n].thread, NULL, serve, &seats[n]) == 0)
		n++;
	if (n < 2)
		end(&loop, -EAGAIN);
	serve_first(&seats[0]);
	for (unsigned i = 1; i < n; i++)
		(void)pthread_join(seats[i].thread, NULL);
	rc = atomic_load(&loop.error);
	loop_release(&loop);
	free(seats);
	return rc;
}
