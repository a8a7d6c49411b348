/* SPDX-License-Identifier: MIT */
/*
 * inode_reap.c - deleting inodes behind the backs of those who unlinked them.
 *
 * An inode without links whose last user has gone is doomed: a thread deletes a
 * bunch of them in one transaction. What it has not come to when the program
 * ends is an orphan, or not in the log at all.
 */
#include "volume/inodes.h"

#include "volume/volume_impl.h"

enum {
	BUNCH = 64,        /* inodes that are worth a wake-up */
	DOOMED_MAX = 4096, /* beyond, whoever dooms one helps */
};

static struct inode *take_doomed(struct inodes *t)
{
	struct inode *list;

	sync_lock(&t->lock);
	list = t->doomed;
	t->doomed = NULL;
	t->n_doomed = 0;
	sync_unlock(&t->lock);
	return list;
}

void inodes_reap(struct volume *v)
{
	struct inode *list = take_doomed(v->inodes);

	while (list) {
		struct inode *bunch[BUNCH];
		size_t n = 0;

		for (; list && n < BUNCH; n++) {
			bunch[n] = list;
			list = list->lru_next;
			bunch[n]->lru_next = NULL;
		}
		inodes_delete(v, bunch, n);
	}
}

void inodes_help_reaping(struct volume *v)
{
	struct inodes *t = v->inodes;
	bool many;

	sync_lock(&t->lock);
	many = t->n_doomed > DOOMED_MAX;
	sync_unlock(&t->lock);
	if (many)
		inodes_reap(v);
}

static void reap(struct work *w, unsigned worker)
{
	struct inodes *t = (struct inodes *)((uint8_t *)w -
					     offsetof(struct inodes, reap_job));

	(void)worker;
	sync_lock(&t->lock);
	t->reaping = false;
	sync_unlock(&t->lock);
	inodes_reap(t->volume);
}

int inodes_start_reaping(struct inodes *t)
{
	t->reap_job.run = reap;
	return workers_new("reap", 1, 1, &t->reapers);
}

void inodes_end_reaping(struct volume *v)
{
	struct inodes *t = v->inodes;

	sync_lock(&t->lock);
	t->reaping = true; /* nobody queues it again */
	sync_unlock(&t->lock);
	workers_free(t->reapers);
	t->reapers = NULL;
	inodes_reap(v);
}

void inode_doom(struct volume *v, struct inode *inode)
{
	struct inodes *t = v->inodes;
	bool wake;

	sync_lock(&t->lock);
	inode->lru_next = t->doomed;
	t->doomed = inode;
	t->n_doomed++;
	wake = !t->reaping && t->n_doomed >= BUNCH;
	t->reaping = t->reaping || wake;
	sync_unlock(&t->lock);
	if (wake)
		(void)workers_try_submit(t->reapers, &t->reap_job);
}
