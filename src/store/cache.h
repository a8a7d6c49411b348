/* SPDX-License-Identifier: MIT */
/*
 * cache.h - decoded frames, by frame: a byte budget, least recently used out.
 *
 * A chunk that was decoded by itself is kept as a frame of its own.
 * Who asks for a frame that is not there loads it; others that ask meanwhile
 * wait for him. A frame in use stays, whatever the budget says.
 * Threads: any. Knows frames, neither log nor bank.
 */
#ifndef STORE_CACHE_H
#define STORE_CACHE_H

#include "base/bytes.h"

struct cache;

struct cached_chunk {
	uint64_t id;
	uint32_t off; /* in the frame's raw bytes */
	uint32_t len;
};

enum cached_state { CACHED_LOADING, CACHED_READY, CACHED_FAILED };

/* A decoded frame. Immutable once it is READY, but for the cache's fields. */
struct cached {
	uint64_t frame;
	uint8_t *raw; /* owned; cache_block() */
	size_t raw_len;
	struct cached_chunk *chunks; /* owned; malloc */
	size_t n_chunks;
	bool ascending; /* chunks' ids are */
	bool has_deltas;

	struct cache *cache; /* immutable */

	/* the cache's, under its lock */
	size_t cost; /* bytes that the budget is charged, once it is READY */
	bool mapped; /* found by its frame; else freed with its last pin */
	bool leaf;   /* its loader's */
	enum cached_state state;
	int rc;
	unsigned n_refs;
	struct cached *newer;
	struct cached *older;
};

/* `budget`: bytes of memory for frames, tables included. */
int cache_new(size_t budget, struct cache **ret);
void cache_free(struct cache *c);

/* Memory for a frame's raw bytes. */
uint8_t *cache_block(struct cache *c, size_t len);
void cache_block_put(struct cache *c, uint8_t *block, size_t len);

struct cache_loader {
	/* Fills raw, raw_len, chunks, n_chunks. After a failure what is set
	 * is freed by the cache. No lock held. */
	int (*load)(void *ctx, struct cached *fill);
	void *ctx;
	bool leaf; /* load() needs no other frame */
};

/*
 * The frame, pinned. Blocks while somebody loads it. -ENOMEM, or what the
 * loader said. A leaf loader waits for leaf loaders only, so that loads which
 * need other frames never wait for each other in a circle: where somebody else
 * is at it, it loads a frame of its own.
 */
int cache_get(struct cache *c, uint64_t frame, const struct cache_loader *l,
	      struct cached **ret);

/* The frame, pinned, if it is there or on its way (then this waits for it), else
 * NULL. */
struct cached *cache_find(struct cache *c, uint64_t frame);

/* Whether the frame is there, or on its way. */
bool cache_has(struct cache *c, uint64_t frame);

/* Adds a frame that was just made, pinned. If it is there already, the result
 * is for the caller alone and goes with its pin. Takes `raw` and `chunks`,
 * but not when there is no memory: NULL. */
struct cached *cache_take_insert(struct cache *c, const struct cached *made);

/* Gives back a pin. NULL is fine. */
void cache_put(struct cached *e);

/* Orders the table, once it is filled. */
void cached_index(struct cached *e);

/* The bytes of a chunk. -ENOENT: not in this frame. */
int cached_find(const struct cached *e, uint64_t chunk, struct span *ret);

struct cache_stats {
	uint64_t len; /* bytes of memory for frames */
	uint64_t hits;
	uint64_t misses;
};
void cache_stat(struct cache *c, struct cache_stats *ret);

#endif
