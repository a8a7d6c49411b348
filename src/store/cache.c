/* SPDX-License-Identifier: MIT */
/*
 * cache.c - shards, each a map and a list from oldest to newest.
 *
 *     (absent) --get--> LOADING --ok--> READY --evicted--> (absent)
 *                          `--error--> FAILED --last put--> (absent)
 *
 * A FAILED frame is out of the map at once: who waits gets the error, who
 * comes later tries again. One that was made while somebody loaded it, and one
 * that a leaf loader made for itself, are never in the map.
 */
#include "store/cache.h"

#include "base/idmap.h"
#include "base/slabs.h"
#include "base/sync.h"

#include <assert.h>
#include <stdlib.h>

enum {
	N_SHARDS = 8,
	PAGED_MIN = 8 << 10, /* less would waste much of its last page */
};

struct shard {
	struct sync_mutex lock;
	struct sync_cond loaded;
	struct idmap map GUARDED_BY(lock); /* frame -> struct cached * */
	struct cached *oldest GUARDED_BY(lock);
	struct cached *newest GUARDED_BY(lock);
	size_t len GUARDED_BY(lock); /* cost of READY frames */
	uint64_t hits GUARDED_BY(lock);
	uint64_t misses GUARDED_BY(lock);
};

struct cache {
	size_t shard_budget;  /* immutable */
	struct slabs *blocks; /* immutable; of the raw bytes */
	struct shard shards[N_SHARDS];
};

int cache_new(size_t budget, struct cache **ret)
{
	struct cache *c = calloc(1, sizeof(*c));
	size_t i;

	if (!c)
		return -ENOMEM;
	if (slabs_new(&c->blocks) < 0) {
		free(c);
		return -ENOMEM;
	}
	c->shard_budget = budget / N_SHARDS;
	for (i = 0; i < N_SHARDS; i++) {
		sync_mutex_init(&c->shards[i].lock, RANK_CACHE);
		sync_cond_init(&c->shards[i].loaded);
		idmap_init(&c->shards[i].map);
	}
	*ret = c;
	return 0;
}

static bool in_slabs(size_t len)
{
	return len >= PAGED_MIN && len <= SLABS_BLOCK_MAX;
}

uint8_t *cache_block(struct cache *c, size_t len)
{
	return in_slabs(len) ? slabs_get(c->blocks, len) : malloc(len);
}

void cache_block_put(struct cache *c, uint8_t *block, size_t len)
{
	if (in_slabs(len))
		slabs_put(c->blocks, block, len);
	else
		free(block);
}

/* What a loaded frame takes of the memory. */
static size_t cost_of(const struct cached *e)
{
	size_t raw = e->raw_len;

	if (in_slabs(raw))
		raw = (raw + SLABS_PAGE_LEN - 1) / SLABS_PAGE_LEN *
		      SLABS_PAGE_LEN;
	return sizeof(*e) + e->n_chunks * sizeof(*e->chunks) + raw;
}

static void cached_free(struct cache *c, struct cached *e)
{
	cache_block_put(c, e->raw, e->raw_len);
	free(e->chunks);
	free(e);
}

static void shard_release(struct cache *c, struct shard *s)
{
	while (s->oldest) {
		struct cached *e = s->oldest;

		assert(e->n_refs == 0);
		s->oldest = e->newer;
		cached_free(c, e);
	}
	idmap_release(&s->map);
	sync_cond_release(&s->loaded);
	sync_mutex_release(&s->lock);
}

void cache_free(struct cache *c)
{
	size_t i;

	for (i = 0; c && i < N_SHARDS; i++)
		shard_release(c, &c->shards[i]);
	if (c)
		slabs_free(c->blocks);
	free(c);
}

static struct shard *shard_of(struct cache *c, uint64_t frame)
{
	return &c->shards[frame % N_SHARDS];
}

static void unlink_locked(struct shard *s, struct cached *e) REQUIRES(s->lock)
{
	*(e->older ? &e->older->newer : &s->oldest) = e->newer;
	*(e->newer ? &e->newer->older : &s->newest) = e->older;
	e->older = NULL;
	e->newer = NULL;
}

static void link_locked(struct shard *s, struct cached *e) REQUIRES(s->lock)
{
	e->older = s->newest;
	e->newer = NULL;
	*(s->newest ? &s->newest->newer : &s->oldest) = e;
	s->newest = e;
}

/* Takes what the budget does not allow off the list; the result is a chain
 * (by `newer`) to free without the lock. */
static struct cached *evict_locked(struct cache *c, struct shard *s)
	REQUIRES(s->lock)
{
	struct cached *chain = NULL;
	struct cached *e = s->oldest;

	while (e && s->len > c->shard_budget) {
		struct cached *next = e->newer;

		if (e->n_refs == 0) {
			unlink_locked(s, e);
			(void)idmap_del(&s->map, e->frame);
			e->mapped = false;
			s->len -= e->cost;
			e->newer = chain;
			chain = e;
		}
		e = next;
	}
	return chain;
}

static void free_chain(struct cache *c, struct cached *chain)
{
	while (chain) {
		struct cached *next = chain->newer;

		cached_free(c, chain);
		chain = next;
	}
}

/* A frame that is whole may be used. Returns what has to go for it, as a
 * chain. */
static struct cached *publish_locked(struct cache *c, struct shard *s,
				     struct cached *e) REQUIRES(s->lock)
{
	e->state = CACHED_READY;
	e->cost = cost_of(e);
	s->len += e->cost;
	link_locked(s, e);
	return evict_locked(c, s);
}

/* Loads what the caller has entered into the map. */
static int fill(struct cache *c, struct shard *s, struct cached *e,
		const struct cache_loader *l)
{
	struct cached *chain = NULL;
	int rc = l->load(l->ctx, e);

	sync_lock(&s->lock);
	if (rc == 0) {
		chain = publish_locked(c, s, e);
	} else {
		e->state = CACHED_FAILED;
		e->rc = rc;
		e->mapped = false;
		(void)idmap_del(&s->map, e->frame);
	}
	sync_broadcast(&s->loaded);
	sync_unlock(&s->lock);
	free_chain(c, chain);
	return rc;
}

static struct cached *cached_new(struct cache *c, uint64_t frame)
{
	struct cached *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->cache = c;
	e->frame = frame;
	e->n_refs = 1;
	return e;
}

/* Enters a new one. NULL: no memory. */
static struct cached *enter_locked(struct cache *c, struct shard *s,
				   uint64_t frame) REQUIRES(s->lock)
{
	struct cached *e = cached_new(c, frame);

	if (!e)
		return NULL;
	e->state = CACHED_LOADING;
	e->mapped = idmap_set(&s->map, frame, (uintptr_t)e) == 0;
	if (e->mapped)
		return e;
	free(e);
	return NULL;
}

/* A frame that nobody else sees. */
static int load_apart(struct cache *c, uint64_t frame,
		      const struct cache_loader *l, struct cached **ret)
{
	struct cached *e = cached_new(c, frame);
	int rc;

	if (!e)
		return -ENOMEM;
	rc = l->load(l->ctx, e);
	if (rc < 0) {
		cached_free(c, e);
		return rc;
	}
	e->state = CACHED_READY;
	*ret = e;
	return 0;
}

/* One more pin on a frame that is there or on its way. */
static int share_locked(struct shard *s, struct cached *e) REQUIRES(s->lock)
{
	s->hits++;
	e->n_refs++;
	while (e->state == CACHED_LOADING)
		sync_wait(&s->loaded, &s->lock);
	if (e->state == CACHED_READY) {
		unlink_locked(s, e);
		link_locked(s, e);
	}
	return e->rc;
}

struct cached *cache_find(struct cache *c, uint64_t frame)
{
	struct shard *s = shard_of(c, frame);
	struct cached *e;
	int rc = 0;

	sync_lock(&s->lock);
	e = idmap_ptr(&s->map, frame);
	if (e)
		rc = share_locked(s, e);
	sync_unlock(&s->lock);
	if (rc == 0)
		return e;
	cache_put(e);
	return NULL;
}

int cache_get(struct cache *c, uint64_t frame, const struct cache_loader *l,
	      struct cached **ret)
{
	struct shard *s = shard_of(c, frame);
	struct cached *e;
	bool ours;
	bool apart;
	int rc = 0;

	sync_lock(&s->lock);
	e = idmap_ptr(&s->map, frame);
	ours = e == NULL;
	apart = e && e->state == CACHED_LOADING && l->leaf && !e->leaf;
	s->misses += ours || apart;
	if (ours) {
		e = enter_locked(c, s, frame);
		if (e)
			e->leaf = l->leaf;
	} else if (!apart) {
		rc = share_locked(s, e);
	}
	sync_unlock(&s->lock);
	if (!e)
		return -ENOMEM;
	if (apart)
		return load_apart(c, frame, l, ret);
	if (ours)
		rc = fill(c, s, e, l);
	if (rc < 0)
		cache_put(e);
	else
		*ret = e;
	return rc;
}

bool cache_has(struct cache *c, uint64_t frame)
{
	struct shard *s = shard_of(c, frame);
	bool has;

	sync_lock(&s->lock);
	has = idmap_find(&s->map, frame) != NULL;
	sync_unlock(&s->lock);
	return has;
}

struct cached *cache_take_insert(struct cache *c, const struct cached *made)
{
	struct shard *s = shard_of(c, made->frame);
	struct cached *chain = NULL;
	struct cached *e = cached_new(c, made->frame);

	if (!e)
		return NULL;
	e->raw = made->raw;
	e->raw_len = made->raw_len;
	e->chunks = made->chunks;
	e->n_chunks = made->n_chunks;
	e->has_deltas = made->has_deltas;
	cached_index(e);
	e->state = CACHED_READY;
	sync_lock(&s->lock);
	e->mapped = !idmap_find(&s->map, e->frame) &&
		    idmap_set(&s->map, e->frame, (uintptr_t)e) == 0;
	if (e->mapped)
		chain = publish_locked(c, s, e);
	sync_unlock(&s->lock);
	free_chain(c, chain);
	return e;
}

void cache_put(struct cached *e)
{
	struct cache *c;
	struct shard *s;
	struct cached *chain = NULL;
	bool last;

	if (!e)
		return;
	c = e->cache;
	s = shard_of(c, e->frame);
	sync_lock(&s->lock);
	assert(e->n_refs > 0);
	e->n_refs--;
	last = e->n_refs == 0 && !e->mapped;
	if (e->n_refs == 0 && e->mapped)
		chain = evict_locked(c, s);
	sync_unlock(&s->lock);
	if (last)
		cached_free(c, e);
	free_chain(c, chain);
}

void cached_index(struct cached *e)
{
	size_t i;

	e->ascending = true;
	for (i = 1; i < e->n_chunks; i++)
		e->ascending &= e->chunks[i - 1].id < e->chunks[i].id;
}

static const struct cached_chunk *find_ascending(const struct cached *e,
						 uint64_t chunk)
{
	size_t low = 0;
	size_t high = e->n_chunks;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (e->chunks[mid].id < chunk)
			low = mid + 1;
		else
			high = mid;
	}
	return low < e->n_chunks && e->chunks[low].id == chunk ? &e->chunks[low]
							       : NULL;
}

static const struct cached_chunk *find_any(const struct cached *e,
					   uint64_t chunk)
{
	size_t i;

	for (i = 0; i < e->n_chunks; i++) {
		if (e->chunks[i].id == chunk)
			return &e->chunks[i];
	}
	return NULL;
}

int cached_find(const struct cached *e, uint64_t chunk, struct span *ret)
{
	const struct cached_chunk *c =
		e->ascending ? find_ascending(e, chunk) : find_any(e, chunk);

	if (!c)
		return -ENOENT;
	*ret = span_of(e->raw + c->off, c->len);
	return 0;
}

void cache_stat(struct cache *c, struct cache_stats *ret)
{
	size_t i;

	*ret = (struct cache_stats){ 0 };
	for (i = 0; i < N_SHARDS; i++) {
		struct shard *s = &c->shards[i];

		sync_lock(&s->lock);
		ret->len += s->len;
		ret->hits += s->hits;
		ret->misses += s->misses;
		sync_unlock(&s->lock);
	}
}
