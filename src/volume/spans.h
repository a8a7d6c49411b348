/* SPDX-License-Identifier: MIT */
/*
 * spans.h - bytes written to a file and not yet handed to ingest.
 *
 * A sorted list of disjoint pieces of memory; the newest bytes of a range win.
 * The owner locks. Errors: -ENOMEM, nothing changed except that part of the
 * range may hold the new bytes already.
 */
#ifndef VOLUME_SPANS_H
#define VOLUME_SPANS_H

#include "base/bytes.h"
#include "base/pool.h"

enum { SPAN_MAX = 256 << 10 /* bytes of one piece */ };

struct dirty_span {
	uint64_t off;
	uint32_t len;  /* at least 1 */
	uint32_t skip; /* bytes of `mem` before the first one that counts */
	uint32_t cap;  /* of `mem`; SPAN_MAX: a block of the pool */
	uint8_t *mem;
	uint64_t stamp; /* when it began, by spans_mark() */
};

struct spans {
	struct dirty_span *list; /* owned */
	size_t n;
	size_t cap;
	size_t len;       /* bytes in all pieces */
	uint64_t changes; /* grows when bytes that are there change, or go */
	uint64_t stamp;   /* of pieces that begin now */
};

#define SPANS_STAMP_MAX UINT64_MAX

static inline uint64_t span_end(const struct dirty_span *s)
{
	return s->off + s->len;
}

static inline const uint8_t *span_bytes(const struct dirty_span *s)
{
	return s->mem + s->skip;
}

/* `pool` has blocks of SPAN_MAX bytes. */
int spans_write(struct spans *spans, struct pool *pool, uint64_t off,
		struct span bytes);

/* Forgets all bytes in [from, to). */
int spans_drop(struct spans *spans, struct pool *pool, uint64_t from,
	       uint64_t to);

/* Forgets everything and frees the list. */
void spans_release(struct spans *spans, struct pool *pool);

/* Index of the first piece that ends after `off`; n for none. */
size_t spans_search(const struct spans *spans, uint64_t off);

/* Copies up to `cap` bytes from `off` on, without a gap; returns the count. */
size_t spans_copy(const struct spans *spans, uint64_t off, uint8_t *dst,
		  size_t cap);

/* The highest stamp of what is there: what begins from now on has a higher one,
 * and none of what is there grows. */
uint64_t spans_mark(struct spans *spans);

/* Index of the first piece that ends after `off` and whose stamp is at most
 * `stamp`; n for none. */
size_t spans_search_marked(const struct spans *spans, uint64_t off,
			   uint64_t stamp);

/* Where the bytes from `off` on (which are there) with at most that stamp first
 * stop. */
uint64_t spans_run_end(const struct spans *spans, uint64_t off, uint64_t stamp);

#endif
