/* SPDX-License-Identifier: MIT */
/*
 * ingest.h - raw bytes in, chunks in the log out.
 *
 * A parcel is up to one frame of raw bytes, cut into chunks by its owner.
 * A worker looks each chunk up in the bank, encodes what is new as one frame,
 * appends it to the log and calls `done`. The number of parcels is bounded:
 * that is the backpressure of the whole write path.
 */
#ifndef STORE_INGEST_H
#define STORE_INGEST_H

#include "base/bytes.h"
#include "base/workers.h"
#include "codec/policy.h"

struct store;

enum {
	PARCEL_RAW_MAX = 256 << 10,
	PARCEL_CHUNKS_MAX = 512,
};

struct parcel_chunk {
	uint32_t raw_off; /* in the parcel */
	uint32_t len;     /* 1..CHUNK_MAX */
	uint64_t id;      /* out: valid in `done` when it is told 0 */
	void *owner;      /* the owner's own two fields */
	uint64_t file_off;
};

struct parcel {
	struct work work;             /* ingest's, as are the next three */
	struct parcel *older, *newer; /* in flight */
	uint64_t serial;              /* grows with each that flies */
	struct store *store;
	uint8_t *raw; /* room for PARCEL_RAW_MAX */
	size_t raw_len;
	size_t n_chunks;
	struct parcel_chunk chunks[PARCEL_CHUNKS_MAX];
	void *owner; /* the owner's */
	bool intent; /* on somebody's fsync path: be quick, not small */
	struct policy policy; /* the user's, for all of its chunks */

	/*
	 * Called once, on the thread that ran the parcel, no lock held, after
	 * the FRAME record is in the log's buffer. rc < 0: nothing was stored.
	 * The parcel and its raw bytes are still whole; afterwards gone.
	 */
	void (*done)(struct parcel *p, int rc);
};

/*
 * An empty parcel; blocks while too many are in flight, so hold no lock above
 * QUEUE. With `may_wait` false it takes one from a small reserve instead of
 * waiting (fsync path). -ENOMEM.
 */
int parcel_get(struct store *s, bool may_wait, struct parcel **ret);

/* Gives back a parcel that was not submitted. NULL is fine. */
void parcel_put(struct parcel *p);

/*
 * The raw length at which a parcel of one file is best handed over: text gains
 * from longer frames, and decodes faster; the rest is kept short, so that a
 * random read decodes little, and so is text that will be encoded in a hurry.
 * There is a chunk in it.
 */
size_t parcel_goal(const struct parcel *p);

/* Hands a filled parcel to a worker; blocks while the queue is full. */
void ingest_submit(struct parcel *p);

/* Does the work on this thread. */
void ingest_run(struct parcel *p);

/* Whether the queue has become rather full and not run empty since: what can
 * wait should. A hint. */
bool ingest_pressed(struct store *s);

/* Waits until the parcels that are in flight now have landed, whatever is submitted
 * meanwhile. */
void ingest_drain(struct store *s);

#endif
