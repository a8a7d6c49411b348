/* SPDX-License-Identifier: MIT */
/*
 * refusals.h - tells a program that its writes are refused while it writes.
 *
 * With the writeback cache write(2) asks nobody: pages that we refuse (a full
 * disk, a store that has failed) are told by the next fsync or close, and until
 * then a program would go on writing into the void. But before each write(2) the
 * kernel wants to be sure of the file's attributes. So a refusal makes it
 * forget those, and its question, which names an open file as no stat(2) does, is
 * answered with the error, once for each refusal.
 * Threads: any.
 */
#ifndef FS_REFUSALS_H
#define FS_REFUSALS_H

#include <stdint.h>

struct refusals;

/* `forget` makes the kernel forget the attributes of an inode. It may wait for
 * other requests, so it is called on a thread of ours. -ENOMEM, -EAGAIN. */
int refusals_new(void (*forget)(void *ctx, uint64_t ino), void *ctx,
		 struct refusals **ret);

/* NULL is fine. */
void refusals_free(struct refusals *r);

/* A write of `ino` out of the kernel's cache was answered with `rc`, a negative
 * errno. Never waits. */
void refusals_note(struct refusals *r, uint64_t ino, int rc);

/* What is still to be told of `ino`: a negative errno, which is then told, or
 * 0. */
int refusals_take(struct refusals *r, uint64_t ino);

#endif
