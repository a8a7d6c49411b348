/* SPDX-License-Identifier: MIT */
/*
 * slabs.c - a bit for each page of a slab; the first fit.
 *
 * At the head of a slab's first page stands where its bits are, so that they are
 * found by the address of a block. They are not there themselves: 2 MiB apart, those
 * of all slabs would share a few lines of the processor's cache, and a search took
 * 4 us. Slabs are searched in the order of their age, so that younger ones become
 * empty.
 */
#include "base/slabs.h"

#include "base/sync.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
	SLAB_LEN = 2 << 20,
	N_PAGES = SLAB_LEN / SLABS_PAGE_LEN,
	WORD_BITS = 64,
	N_WORDS = N_PAGES / WORD_BITS,
};

struct slab {
	struct slab *older;
	struct slab *younger;
	struct slab_head *head; /* owned; the memory */
	unsigned n_used;        /* pages, but the first */
	unsigned most;          /* no longer run of pages is free */
	uint64_t used[N_WORDS];
};

/* Where its memory begins. */
struct slab_head {
	struct slab *slab;
};

struct slabs {
	struct sync_mutex lock;
	struct slab *oldest GUARDED_BY(lock);
	struct slab *youngest GUARDED_BY(lock);
	unsigned n_empty GUARDED_BY(lock);
};

int slabs_new(struct slabs **ret)
{
	struct slabs *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	sync_mutex_init(&s->lock, RANK_LEAF);
	*ret = s;
	return 0;
}

static unsigned pages_of(size_t len)
{
	return (unsigned)((len + SLABS_PAGE_LEN - 1) / SLABS_PAGE_LEN);
}

/* The first page from `i` on that is used, or is not; N_PAGES: none. */
static unsigned next_page(const struct slab *b, unsigned i, bool used)
{
	while (i < N_PAGES) {
		uint64_t word =
			used ? b->used[i / WORD_BITS] : ~b->used[i / WORD_BITS];

		word >>= i % WORD_BITS;
		if (word)
			return i + (unsigned)__builtin_ctzll(word);
		i = (i / WORD_BITS + 1) * WORD_BITS;
	}
	return N_PAGES;
}

/* The first of `n` pages that are free; N_PAGES: there are none. */
static unsigned find_run(struct slab *b, unsigned n)
{
	unsigned from = 0;
	unsigned most = 0;
	unsigned to;

	if (b->most < n)
		return N_PAGES;
	for (;;) {
		from = next_page(b, from, false);
		if (from == N_PAGES) {
			b->most = most;
			return N_PAGES;
		}
		to = next_page(b, from, true);
		if (to - from >= n)
			return from;
		if (to - from > most)
			most = to - from;
		from = to;
	}
}

static void mark(struct slab *b, unsigned from, unsigned n, bool used)
{
	for (unsigned i = from; i < from + n; i++) {
		uint64_t bit = (uint64_t)1 << i % WORD_BITS;
		uint64_t *word = &b->used[i / WORD_BITS];

		assert(!(*word & bit) == used);
		*word = used ? *word | bit : *word & ~bit;
	}
}

/* ---- slabs ------------------------------------------------------------------- */

static struct slab *slab_new(void)
{
	struct slab *b = malloc(sizeof(*b));
	struct slab_head *head = b ? aligned_alloc(SLAB_LEN, SLAB_LEN) : NULL;

	if (!head) {
		free(b);
		return NULL;
	}
	/* Where it is refused, small pages do as well. */
	(void)madvise(head, SLAB_LEN, MADV_HUGEPAGE);
	head->slab = b;
	*b = (struct slab){ .head = head, .most = N_PAGES };
	mark(b, 0, 1, true);
	return b;
}

static void slab_free(struct slab *b)
{
	free(b->head);
	free(b);
}

static void link_locked(struct slabs *s, struct slab *b) REQUIRES(s->lock)
{
	b->older = s->youngest;
	b->younger = NULL;
	*(s->youngest ? &s->youngest->younger : &s->oldest) = b;
	s->youngest = b;
	s->n_empty++;
}

static void unlink_locked(struct slabs *s, struct slab *b) REQUIRES(s->lock)
{
	*(b->older ? &b->older->younger : &s->oldest) = b->younger;
	*(b->younger ? &b->younger->older : &s->youngest) = b->older;
	s->n_empty--;
}

void slabs_free(struct slabs *s)
{
	if (!s)
		return;
	while (s->oldest) {
		struct slab *b = s->oldest;

		assert(b->n_used == 0);
		s->oldest = b->younger;
		slab_free(b);
	}
	sync_mutex_release(&s->lock);
	free(s);
}

/* ---- blocks ------------------------------------------------------------------ */

static void *take_locked(struct slabs *s, unsigned n) REQUIRES(s->lock)
{
	unsigned from;

	for (struct slab *b = s->oldest; b; b = b->younger) {
		from = find_run(b, n);
		if (from == N_PAGES)
			continue;
		mark(b, from, n, true);
		s->n_empty -= b->n_used == 0;
		b->n_used += n;
		return (uint8_t *)b->head + (size_t)from * SLABS_PAGE_LEN;
	}
	return NULL;
}

void *slabs_get(struct slabs *s, size_t len)
{
	unsigned n = pages_of(len);
	struct slab *b;
	void *block;

	assert(len > 0 && len <= SLABS_BLOCK_MAX);
	sync_lock(&s->lock);
	block = take_locked(s, n);
	sync_unlock(&s->lock);
	if (block)
		return block;
	b = slab_new();
	if (!b)
		return NULL;
	sync_lock(&s->lock);
	link_locked(s, b);
	block = take_locked(s, n);
	sync_unlock(&s->lock);
	return block;
}

void slabs_put(struct slabs *s, void *block, size_t len)
{
	size_t off = (uintptr_t)block % SLAB_LEN;
	unsigned n = pages_of(len);
	struct slab_head *head;
	struct slab *b;
	bool drop = false;

	if (!block)
		return;
	head = (struct slab_head *)(void *)((uint8_t *)block - off);
	b = head->slab;
	sync_lock(&s->lock);
	mark(b, (unsigned)(off / SLABS_PAGE_LEN), n, false);
	b->most = N_PAGES;
	b->n_used -= n;
	if (b->n_used == 0)
		drop = s->n_empty++ > 0;
	if (drop)
		unlink_locked(s, b);
	sync_unlock(&s->lock);
	if (drop)
		slab_free(b);
}
