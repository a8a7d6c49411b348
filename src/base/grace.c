/* SPDX-License-Identifier: MIT */
/*
 * grace.c - two counters: who waits turns from one to the other, and waits for
 * the first one to fall to nothing.
 *
 * One waits at a time; so the counter that is turned to is always empty. Every
 * read enters: threads are dealt out to shards, so that they do not all meet at
 * one lock, and who waits waits for one shard after the other. Who was inside
 * before he began had entered his shard before it was turned.
 */
#include "base/grace.h"

#include <assert.h>
#include <stdatomic.h>

/* Of this thread. */
static unsigned shard_number(void)
{
	static atomic_uint n_threads;
	static _Thread_local unsigned number;

	if (number == 0)
		number = 1 + atomic_fetch_add(&n_threads, 1) % GRACE_SHARDS;
	return number - 1;
}

void grace_init(struct grace *g)
{
	unsigned i;

	*g = (struct grace){ 0 };
	for (i = 0; i < GRACE_SHARDS; i++) {
		sync_mutex_init(&g->shards[i].lock, RANK_LEAF);
		sync_cond_init(&g->shards[i].left);
	}
}

void grace_release(struct grace *g)
{
	unsigned i;

	for (i = 0; i < GRACE_SHARDS; i++) {
		sync_cond_release(&g->shards[i].left);
		sync_mutex_release(&g->shards[i].lock);
	}
}

unsigned grace_enter(struct grace *g)
{
	unsigned number = shard_number();
	struct grace_shard *s = &g->shards[number];
	unsigned turn;

	sync_lock(&s->lock);
	turn = s->turn;
	s->n_inside[turn]++;
	sync_unlock(&s->lock);
	return 2 * number + turn;
}

void grace_leave(struct grace *g, unsigned entered)
{
	struct grace_shard *s = &g->shards[entered / 2];
	unsigned turn = entered % 2;

	sync_lock(&s->lock);
	assert(s->n_inside[turn] > 0);
	if (--s->n_inside[turn] == 0 && s->waiting)
		sync_broadcast(&s->left);
	sync_unlock(&s->lock);
}

static void wait_for(struct grace_shard *s)
{
	unsigned before;

	sync_lock(&s->lock);
	while (s->waiting)
		sync_wait(&s->left, &s->lock);
	s->waiting = true;
	before = s->turn;
	assert(s->n_inside[1 - before] == 0);
	s->turn = 1 - before;
	while (s->n_inside[before] > 0)
		sync_wait(&s->left, &s->lock);
	s->waiting = false;
	sync_broadcast(&s->left);
	sync_unlock(&s->lock);
}

void grace_wait(struct grace *g)
{
	unsigned i;

	for (i = 0; i < GRACE_SHARDS; i++)
		wait_for(&g->shards[i]);
}
