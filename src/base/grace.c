/* SPDX-License-Identifier: MIT */
/*
 * grace.c - two counters: who waits turns from one to the other, and waits for
 * the first one to fall to nothing.
 *
 * One waits at a time; so the counter that is turned to is always empty.
 */
#include "base/grace.h"

#include <assert.h>

void grace_init(struct grace *g)
{
	*g = (struct grace){ .turn = 0 };
	sync_mutex_init(&g->lock, RANK_LEAF);
	sync_cond_init(&g->left);
}

void grace_release(struct grace *g)
{
	sync_cond_release(&g->left);
	sync_mutex_release(&g->lock);
}

unsigned grace_enter(struct grace *g)
{
	unsigned turn;

	sync_lock(&g->lock);
	turn = g->turn;
	g->n_inside[turn]++;
	sync_unlock(&g->lock);
	return turn;
}

void grace_leave(struct grace *g, unsigned turn)
{
	sync_lock(&g->lock);
	assert(g->n_inside[turn] > 0);
	if (--g->n_inside[turn] == 0 && g->waiting)
		sync_broadcast(&g->left);
	sync_unlock(&g->lock);
}

void grace_wait(struct grace *g)
{
	unsigned before;

	sync_lock(&g->lock);
	while (g->waiting)
		sync_wait(&g->left, &g->lock);
	g->waiting = true;
	before = g->turn;
	assert(g->n_inside[1 - before] == 0);
	g->turn = 1 - before;
	while (g->n_inside[before] > 0)
		sync_wait(&g->left, &g->lock);
	g->waiting = false;
	sync_broadcast(&g->left);
	sync_unlock(&g->lock);
}
