/* SPDX-License-Identifier: MIT */
/*
 * ending.h - ends a mount in order: flushed, unmounted, and only then left.
 *
 * Watches for SIGTERM, SIGINT and SIGHUP on a thread of its own.
 */
#ifndef FS_ENDING_H
#define FS_ENDING_H

#include "base/workers.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

struct ending {
	struct work work; /* the thread's only job */
	struct workers *thread;
	int signal_fd;
	int stop_fd; /* readable: end the thread */

	const char *store; /* immutable, borrowed: what is mounted */

	/* atomic: set once, before which there is nothing to unmount. */
	atomic_uint_fast64_t dev;
};

/* Blocks the signals, for all threads that are made from here on. */
int ending_init(struct ending *e, const char *store);
int ending_watch(struct ending *e);

/* Ends the thread. Fine on what is only half begun. */
void ending_release(struct ending *e);

/* The mount is at `dir`; returns its device, 0 when it is not there. */
dev_t ending_mounted(struct ending *e, const char *dir);

/* Has the kernel hand over all that it holds. */
int ending_flush(struct ending *e);

/* Flushes and unmounts, wherever it is mounted. -EBUSY: it is in use; with
 * `force` it then leaves the tree, and is served until the last user is gone. */
int ending_unmount(struct ending *e, bool force);

#endif
