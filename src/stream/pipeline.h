/* SPDX-License-Identifier: MIT */
/*
 * pipeline.h - reader, bounded queue, workers, ordered writer.
 *
 * The caller is the reader: it takes a parcel, fills it, submits it. Workers
 * turn its bytes into others; one thread then hands them on in the order in
 * which they were submitted. The number of parcels bounds the memory. A failure
 * sticks: nothing is worked on or written after it.
 *
 * One thread gets, submits and drains.
 */
#ifndef STREAM_PIPELINE_H
#define STREAM_PIPELINE_H

#include "base/bytes.h"
#include "base/workers.h"

struct pipeline;

struct parcel {
	uint8_t *buf; /* buf_len bytes; who holds the parcel may use them */
	size_t len;   /* of them */
	uint64_t raw_off;
	uint32_t raw_len;
	unsigned kind; /* of the encoding */
	uint64_t hash; /* of what is to be written */
	int rc;        /* what `work` returned */

	/* the pipeline's */
	struct pipeline *owner;
	struct work encoding;
	struct work writing;
	struct parcel *next;
	bool done;
};

struct pipeline_options {
	unsigned n_workers;
	size_t buf_len;
	void *ctx;

	/*
	 * Makes new bytes for `p` at `out` (buf_len bytes) from those in
	 * p->buf, and sets p->len to their number. Then `out` is p->buf. On
	 * any worker.
	 */
	int (*work)(void *ctx, unsigned worker, struct parcel *p, uint8_t *out);

	/* In order, one at a time, also when `work` has failed: what it returns
	 * is what counts. */
	int (*write)(void *ctx, const struct parcel *p);
};

/* Parcels that are enough to keep `n_workers` busy; and with it the bytes of
 * all buffers. */
size_t pipeline_n_parcels(unsigned n_workers);
size_t pipeline_memory(unsigned n_workers, size_t buf_len);

/* -ENOMEM, -EAGAIN (no thread). */
int pipeline_new(const struct pipeline_options *options, struct pipeline **ret);

/* Ends the threads. What is not written by now will not be. NULL is fine. */
void pipeline_free(struct pipeline *p);

/* An empty parcel; waits for one. Fails with the pipeline's failure. */
int pipeline_get(struct pipeline *p, struct parcel **ret);

/* Takes the parcel. */
void pipeline_submit(struct pipeline *p, struct parcel *parcel);

/* Gives it back without work. */
void pipeline_put(struct pipeline *p, struct parcel *parcel);

/* Waits until all that was submitted is written. */
int pipeline_drain(struct pipeline *p);

#endif
