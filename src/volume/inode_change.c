/* SPDX-License-Identifier: MIT */
/*
 * inode_change.c - changed inodes: listing, logging once for each batch, deleting.
 *
 * A change is made in memory and listed; the image is logged before the batch
 * ends, so that an inode changed many times costs one operation. An inode that
 * was made and deleted within a batch is never logged.
 */
#include "volume/inodes.h"

#include "volume/atime.h"
#include "volume/data.h"
#include "volume/ops.h"
#include "volume/volume_impl.h"

#include <sys/stat.h>

enum { CHANGED_MAX = 4096 /* listed inodes that a transaction leaves */ };

void inode_changed(struct volume *v, struct inode *inode)
{
	struct inodes *t = v->inodes;

	if (inode->gone)
		return;
	txn_touch(v->store);
	inode->mark = txn_mark(v->store);
	if (inode->listed)
		return;
	inode->listed = true;
	inode->next_changed = NULL;
	*t->changed_end = inode;
	t->changed_end = &inode->next_changed;
	t->n_changed++;
}

int inode_log(struct volume *v, struct inode *inode)
{
	uint8_t body[OP_INODE_MAX];
	struct inode_image image;
	bool gone;
	int rc;

	sync_lock(&inode->lock);
	gone = inode->gone;
	image = inode->image;
	if (S_ISREG(image.attr.mode))
		image.attr.size = inode->logged_size;
	atimes_logged(v, inode->ino);
	sync_unlock(&inode->lock);
	if (gone)
		return 0;
	rc = txn_op(v->store, OP_INODE,
		    span_of(body, op_inode_put(inode->ino, &image, body)));
	if (!rc && !inode->has_row) {
		inode->has_row = true;
		v->inodes->n_new--;
	}
	return rc;
}

int inodes_log_changed(struct volume *v)
{
	struct inodes *t = v->inodes;
	int rc = 0;

	if (t->logging)
		return 0;
	t->logging = true;
	while (t->changed) {
		struct inode *inode = t->changed;

		rc = inode_log(v, inode);
		if (rc)
			break;
		t->changed = inode->next_changed;
		if (!t->changed)
			t->changed_end = &t->changed;
		t->n_changed--;
		inode_unlist(v, inode);
	}
	t->logging = false;
	return rc;
}

uint64_t inodes_n_new(const struct volume *v)
{
	return v->inodes->n_new;
}

void inodes_txn_end(struct volume *v)
{
	/* A failure fails the store, which says so. */
	if (v->inodes->n_changed > CHANGED_MAX)
		(void)inodes_log_changed(v);
	txn_end(v->store);
	inodes_reap(v);
}

/* ---- deleting ------------------------------------------------------------------- */

/* Whether operations on the inode may be in the log or the batch. Other than a
 * regular file or symbolic link it has no rows but its own. */
static bool was_logged(struct inode *inode)
{
	bool logged;

	sync_lock(&inode->lock);
	logged = inode->has_row || inode->data || inode->image.flags ||
		 inode->image.attr.allocated > 0 ||
		 S_ISLNK(inode->image.attr.mode);
	sync_unlock(&inode->lock);
	return logged;
}

/* In a transaction. */
static int delete_now(struct volume *v, struct inode *inode)
{
	uint8_t body[VARINT_MAX];
	int rc = 0;

	if (was_logged(inode))
		rc = txn_op(v->store, OP_INODE_DEL,
			    span_of(body, op_inode_del_put(inode->ino, body)));
	if (rc)
		return rc;
	if (!inode->has_row)
		v->inodes->n_new--;
	sync_lock(&inode->lock);
	inode->gone = true;
	sync_unlock(&inode->lock);
	inode_unhash(v, inode);
	return 0;
}

int inode_try_delete(struct volume *v, struct inode *inode)
{
	bool busy;
	int rc;

	sync_lock(&inode->lock);
	busy = file_data_busy(inode->data);
	sync_unlock(&inode->lock);
	if (busy || !inode_alone(v, inode))
		return 0;
	/* That takes more than one transaction: see inode_delete(). */
	rc = file_is_long(v, inode);
	if (rc)
		return rc < 0 ? rc : 0;
	return delete_now(v, inode);
}

/* One transaction of a deletion. 1: more are needed. */
static int delete_step(struct volume *v, struct inode *inode)
{
	bool gone;
	int rc = txn_begin(v->store);

	if (rc)
		return rc;
	sync_lock(&inode->lock);
	gone = inode->gone;
	sync_unlock(&inode->lock);
	if (!gone)
		rc = file_shorten(v, inode);
	if (!gone && rc == 0)
		rc = delete_now(v, inode);
	txn_end(v->store);
	return rc;
}

void inode_delete(struct volume *v, struct inode *inode)
{
	int rc;

	/* When it cannot be deleted, the next mount does it. */
	do
		rc = delete_step(v, inode);
	while (rc == 1);
	inode_unpin(v, inode);
}
