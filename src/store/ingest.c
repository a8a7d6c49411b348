/* SPDX-License-Identifier: MIT */
/*
 * ingest.c - parcels: a bounded number, encoded by workers.
 *
 * When the queue is full for long, less is tried: the encoder takes a faster
 * level, and candidates whose frame would have to be decoded are left alone.
 * Writers wait out a burst, which is encoded as well as ever; one file that
 * goes on and on is soon enough no burst.
 */
#include "store/ingest.h"

#include "base/clock.h"
#include "codec/sniff.h"
#include "store/intake.h"
#include "store/state.h"

#include <stdlib.h>
#include <unistd.h>

enum {
	N_PARCELS = 64,
	N_RESERVED = 8, /* for those who may not wait */
	N_REFILL = 48,  /* who had to wait finds room for several */
	LOAD_HIGH = 50, /* per cent of the queue: a burst begins */
	LOAD_LOW = 10,  /* it is over */

	GOAL_BINARY = 40 << 10,
	GOAL_TEXT = PARCEL_RAW_MAX - (16 << 10),
	/* The faster level gains 0.8 % from length, not 8. */
	GOAL_TEXT_HURRY = 72 << 10,
};

/* A burst that lasts so long is more than writers should wait out; and so long,
 * what lies beyond the first BULK_OFF bytes of a file. */
#define BURST_NS ((uint64_t)3000000000)
#define BULK_NS  ((uint64_t)50000000)
#define BULK_OFF ((uint64_t)48 << 20)

struct ingest {
	struct workers *workers;
	unsigned n_workers;
	atomic_uint_fast64_t burst_ns; /* atomic: when the burst began, 0: none.
					* A hint, so relaxed */

	struct sync_mutex lock;         /* QUEUE */
	struct sync_cond room;          /* n_out fell to N_REFILL */
	struct sync_cond room_reserved; /* and below what the reserve adds */
	struct sync_cond landed;        /* `oldest` has changed */
	struct parcel *idle GUARDED_BY(lock); /* by work.next */
	size_t n_out GUARDED_BY(lock);
	/* Submitted or running, by the order in which they were. */
	struct parcel *oldest GUARDED_BY(lock), *newest GUARDED_BY(lock);
	uint64_t last_serial GUARDED_BY(lock);
};

/* ---- parcels ------------------------------------------------------------- */

static unsigned n_cpus(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > 64 ? 64 : (unsigned)n;
}

int ingest_start(struct store *s)
{
	struct ingest *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	sync_mutex_init(&g->lock, RANK_QUEUE);
	sync_cond_init(&g->room);
	sync_cond_init(&g->room_reserved);
	sync_cond_init(&g->landed);
	s->ingest = g;
	g->n_workers = s->options.n_workers ? s->options.n_workers : n_cpus();
	return workers_new("encode", g->n_workers, N_PARCELS, &g->workers);
}

void ingest_end(struct store *s)
{
	struct ingest *g = s->ingest;

	if (!g)
		return;
	workers_free(g->workers);
	while (g->idle) {
		struct parcel *p = g->idle;

		g->idle = (struct parcel *)p->work.next;
		free(p->raw);
		free(p);
	}
	sync_cond_release(&g->room);
	sync_cond_release(&g->room_reserved);
	sync_cond_release(&g->landed);
	sync_mutex_release(&g->lock);
	free(g);
	s->ingest = NULL;
}

static struct parcel *parcel_new(void)
{
	struct parcel *p = malloc(sizeof(*p));

	if (!p)
		return NULL;
	p->raw = malloc(PARCEL_RAW_MAX);
	if (p->raw)
		return p;
	free(p);
	return NULL;
}

static void gave_back(struct ingest *g, struct parcel *p)
{
	sync_lock(&g->lock);
	if (p) {
		p->work.next = (struct work *)g->idle;
		g->idle = p;
	}
	g->n_out--;
	/* One parcel is for one waiter: to wake them all was 119,000 context
	 * switches for each GB that a dozen threads wrote. And a writer who had to
	 * wait goes on for a while: for each single parcel, it was 30,000. */
	sync_signal(&g->room_reserved);
	if (g->n_out <= N_REFILL)
		sync_signal(&g->room);
	sync_unlock(&g->lock);
}

/* Waits for leave to have one more parcel. NULL: leave is given, but no parcel
 * is idle. */
static struct parcel *take_idle(struct ingest *g, bool may_wait)
{
	size_t limit = N_PARCELS + (may_wait ? 0 : N_RESERVED);
	struct sync_cond *room = may_wait ? &g->room : &g->room_reserved;
	struct parcel *p;

	sync_lock(&g->lock);
	while (g->n_out >= limit)
		sync_wait(room, &g->lock);
	g->n_out++;
	p = g->idle;
	if (p)
		g->idle = (struct parcel *)p->work.next;
	sync_unlock(&g->lock);
	return p;
}

int parcel_get(struct store *s, bool may_wait, struct parcel **ret)
{
	struct parcel *p = take_idle(s->ingest, may_wait);

	if (!p)
		p = parcel_new();
	if (!p) {
		gave_back(s->ingest, NULL);
		return -ENOMEM;
	}
	p->store = s;
	p->raw_len = 0;
	p->n_chunks = 0;
	p->intent = false;
	p->policy = (struct policy){ 0 };
	p->done = NULL;
	*ret = p;
	return 0;
}

void parcel_put(struct parcel *p)
{
	if (p)
		gave_back(p->store->ingest, p);
}

bool ingest_pressed(struct store *s)
{
	return atomic_load_explicit(&s->ingest->burst_ns,
				    memory_order_relaxed) != 0;
}

static bool is_bulk(const struct parcel *p)
{
	return p->chunks[p->n_chunks - 1].file_off >= BULK_OFF;
}

size_t parcel_goal(const struct parcel *p)
{
	if (!sniff_is_text(span_of(p->raw, p->raw_len)))
		return GOAL_BINARY;
	return is_bulk(p) && ingest_pressed(p->store) ? GOAL_TEXT_HURRY
						      : GOAL_TEXT;
}

/* ---- running ------------------------------------------------------------- */

static void fly(struct parcel *p)
{
	struct ingest *g = p->store->ingest;

	sync_lock(&g->lock);
	p->serial = ++g->last_serial;
	p->newer = NULL;
	p->older = g->newest;
	if (p->older)
		p->older->newer = p;
	else
		g->oldest = p;
	g->newest = p;
	sync_unlock(&g->lock);
}

static void land(struct parcel *p)
{
	struct ingest *g = p->store->ingest;

	sync_lock(&g->lock);
	if (p->newer)
		p->newer->older = p->older;
	else
		g->newest = p->older;
	if (p->older) {
		p->older->newer = p->newer;
	} else {
		g->oldest = p->newer;
		sync_broadcast(&g->landed);
	}
	sync_unlock(&g->lock);
}

static void run_parcel(struct parcel *p, enum pressure pressure)
{
	intake_run(p, pressure);
	space_settle(p->store, p->raw_len);
	land(p);
	gave_back(p->store->ingest, p);
}

/* Whether the queue has been rather full for longer than a burst may last. */
static enum pressure pressure_of(struct ingest *g, bool bulk)
{
	unsigned load = workers_load_percent(g->workers);
	uint64_t since =
		atomic_load_explicit(&g->burst_ns, memory_order_relaxed);
	uint64_t now;

	if (load < LOAD_LOW || (since == 0 && load < LOAD_HIGH)) {
		atomic_store_explicit(&g->burst_ns, 0, memory_order_relaxed);
		return PRESSURE_NONE;
	}
	now = clock_mono_ns();
	if (since == 0)
		atomic_store_explicit(&g->burst_ns, now, memory_order_relaxed);
	if (since == 0 || now - since <= (bulk ? BULK_NS : BURST_NS))
		return PRESSURE_NONE;
	return bulk ? PRESSURE_BULK : PRESSURE_LONG;
}

static void work_run(struct work *w, unsigned worker)
{
	struct parcel *p = (struct parcel *)w;

	(void)worker;
	run_parcel(p, pressure_of(p->store->ingest, is_bulk(p)));
}

void ingest_submit(struct parcel *p)
{
	fly(p);
	p->work.run = work_run;
	workers_submit(p->store->ingest->workers, &p->work);
}

void ingest_run(struct parcel *p)
{
	fly(p);
	run_parcel(p, PRESSURE_NONE);
}

void ingest_drain(struct store *s)
{
	struct ingest *g = s->ingest;
	uint64_t until;

	sync_lock(&g->lock);
	until = g->last_serial;
	while (g->oldest && g->oldest->serial <= until)
		sync_wait(&g->landed, &g->lock);
	sync_unlock(&g->lock);
}
