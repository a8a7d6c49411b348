/* SPDX-License-Identifier: MIT */
/*
 * atime.h - times of access: when a read moves them, and those that are not
 * logged yet.
 *
 * A read changes memory only: the inode, and a table by inode number from which
 * an inode that was evicted gets its time again. What waits there is logged with
 * the next change of its inode, when much waits, by volume_sync() and at the
 * end. So reading alone makes no commit, and a crash takes what waits.
 */
#ifndef VOLUME_ATIME_H
#define VOLUME_ATIME_H

#include "volume/volume.h"

struct atimes;

int atimes_new(unsigned rule, struct atimes **ret);
void atimes_free(struct atimes *t);

/* Whether a read at `now` moves the time of access, by VOLUME_ATIME_... Pure. */
bool atime_moves(const struct volume_attr *attr, unsigned rule,
		 struct volume_time now);

/* Puts the time that waits for the inode, if one does, into attributes that come
 * from its row. INDEX is held. */
void atimes_fill(struct volume *v, uint64_t ino, struct volume_attr *attr);

/* The inode's image is being logged: nothing waits any more. INDEX and the
 * inode's lock are held. */
void atimes_logged(struct volume *v, uint64_t ino);

/* Logs all that wait, or only if they are many. No lock held; takes INDEX for
 * some of them at a time. Fails as the store does. */
int atimes_log(struct volume *v, bool if_many);

#endif
