/* SPDX-License-Identifier: MIT */
/*
 * pipeline.c - parcels go round: free, filled, worked on, written, free.
 *
 * A parcel is a job of two pools at once: of the workers, and of the writer,
 * whose single thread takes its jobs in their order and waits for each to have
 * been worked on. A worker makes the new bytes in a spare buffer of its own and
 * exchanges it for the parcel's.
 */
#include "stream/pipeline.h"

#include "base/sync.h"

#include <assert.h>
#include <stdlib.h>

struct pipeline {
	struct pipeline_options options; /* immutable */
	size_t n_parcels;                /* immutable */
	struct workers *workers;         /* owned */
	struct workers *writer;          /* owned, one thread */
	struct parcel *parcels;          /* owned */
	uint8_t **spares;                /* owned; each its worker's */
	struct sync_mutex lock;
	struct sync_cond worked;  /* the writer waits */
	struct sync_cond written; /* the reader waits */
	/* In the order in which they came free: so all are in use soon, and
	 * what is resident does not depend on who was fast. */
	struct parcel *free GUARDED_BY(lock);
	struct parcel **free_end GUARDED_BY(lock);
	size_t n_free GUARDED_BY(lock);
	int rc GUARDED_BY(lock); /* the first failure */
};

static struct parcel *parcel_of(struct work *w, size_t member_off)
{
	return (struct parcel *)(void *)((char *)w - member_off);
}

static int failure(struct pipeline *p)
{
	int rc;

	sync_lock(&p->lock);
	rc = p->rc;
	sync_unlock(&p->lock);
	return rc;
}

/* ---- the threads ---------------------------------------------------------- */

static void run_work(struct work *w, unsigned worker)
{
	struct parcel *parcel = parcel_of(w, offsetof(struct parcel, encoding));
	struct pipeline *p = parcel->owner;
	uint8_t *out = p->spares[worker];

	if (failure(p) == 0) {
		parcel->rc =
			p->options.work(p->options.ctx, worker, parcel, out);
		p->spares[worker] = parcel->buf;
		parcel->buf = out;
	}
	sync_lock(&p->lock);
	parcel->done = true;
	sync_signal(&p->worked);
	sync_unlock(&p->lock);
}

static void free_parcel(struct pipeline *p, struct parcel *parcel, int rc)
{
	sync_lock(&p->lock);
	parcel->next = NULL;
	*p->free_end = parcel;
	p->free_end = &parcel->next;
	p->n_free++;
	if (rc < 0 && p->rc == 0)
		p->rc = rc;
	sync_signal(&p->written);
	sync_unlock(&p->lock);
}

static void run_write(struct work *w, unsigned worker)
{
	struct parcel *parcel = parcel_of(w, offsetof(struct parcel, writing));
	struct pipeline *p = parcel->owner;
	int rc;

	(void)worker;
	sync_lock(&p->lock);
	while (!parcel->done)
		sync_wait(&p->worked, &p->lock);
	rc = p->rc;
	sync_unlock(&p->lock);
	if (rc == 0)
		rc = p->options.write(p->options.ctx, parcel);
	free_parcel(p, parcel, rc);
}

/* ---- the whole ------------------------------------------------------------ */

/* One that is filled, one with the writer, and as many that wait as there are
 * workers beyond the first. */
size_t pipeline_n_parcels(unsigned n_workers)
{
	return 2 * (size_t)n_workers + 1;
}

size_t pipeline_memory(unsigned n_workers, size_t buf_len)
{
	return (pipeline_n_parcels(n_workers) + n_workers) * buf_len;
}

static int make_buffers(struct pipeline *p)
{
	size_t i;

	p->parcels = calloc(p->n_parcels, sizeof(*p->parcels));
	p->spares = calloc(p->options.n_workers, sizeof(*p->spares));
	if (!p->parcels || !p->spares)
		return -ENOMEM;
	for (i = 0; i < p->options.n_workers; i++) {
		p->spares[i] = malloc(p->options.buf_len);
		if (!p->spares[i])
			return -ENOMEM;
	}
	for (i = 0; i < p->n_parcels; i++) {
		struct parcel *parcel = &p->parcels[i];

		parcel->buf = malloc(p->options.buf_len);
		if (!parcel->buf)
			return -ENOMEM;
		parcel->owner = p;
		parcel->encoding.run = run_work;
		parcel->writing.run = run_write;
		free_parcel(p, parcel, 0);
	}
	return 0;
}

static void free_buffers(struct pipeline *p)
{
	size_t i;

	for (i = 0; p->spares && i < p->options.n_workers; i++)
		free(p->spares[i]);
	for (i = 0; p->parcels && i < p->n_parcels; i++)
		free(p->parcels[i].buf);
	free(p->spares);
	free(p->parcels);
}

int pipeline_new(const struct pipeline_options *options, struct pipeline **ret)
{
	struct pipeline *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return -ENOMEM;
	p->options = *options;
	p->n_parcels = pipeline_n_parcels(options->n_workers);
	p->free_end = &p->free;
	sync_mutex_init(&p->lock, RANK_QUEUE);
	sync_cond_init(&p->worked);
	sync_cond_init(&p->written);
	rc = make_buffers(p);
	if (rc == 0)
		rc = workers_new("encode", options->n_workers, p->n_parcels,
				 &p->workers);
	if (rc == 0)
		rc = workers_new("write", 1, p->n_parcels, &p->writer);
	if (rc < 0) {
		pipeline_free(p);
		return rc;
	}
	*ret = p;
	return 0;
}

void pipeline_free(struct pipeline *p)
{
	if (!p)
		return;
	sync_lock(&p->lock);
	if (p->rc == 0)
		p->rc = -ECANCELED;
	sync_unlock(&p->lock);
	workers_free(p->workers);
	workers_free(p->writer);
	free_buffers(p);
	sync_cond_release(&p->written);
	sync_cond_release(&p->worked);
	sync_mutex_release(&p->lock);
	free(p);
}

int pipeline_get(struct pipeline *p, struct parcel **ret)
{
	struct parcel *parcel;
	int rc;

	sync_lock(&p->lock);
	while (!p->free && p->rc == 0)
		sync_wait(&p->written, &p->lock);
	rc = p->rc;
	parcel = rc == 0 ? p->free : NULL;
	if (parcel) {
		p->free = parcel->next;
		if (!p->free)
			p->free_end = &p->free;
		p->n_free--;
	}
	sync_unlock(&p->lock);
	if (!parcel)
		return rc;
	parcel->len = 0;
	parcel->rc = 0;
	parcel->done = false;
	*ret = parcel;
	return 0;
}

/* Neither queue can be full: each has room for all parcels. */
void pipeline_submit(struct pipeline *p, struct parcel *parcel)
{
	workers_submit(p->workers, &parcel->encoding);
	workers_submit(p->writer, &parcel->writing);
}

void pipeline_put(struct pipeline *p, struct parcel *parcel)
{
	free_parcel(p, parcel, 0);
}

int pipeline_drain(struct pipeline *p)
{
	int rc;

	sync_lock(&p->lock);
	while (p->n_free < p->n_parcels)
		sync_wait(&p->written, &p->lock);
	rc = p->rc;
	sync_unlock(&p->lock);
	return rc;
}
