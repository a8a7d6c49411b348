/* SPDX-License-Identifier: MIT */
/*
 * daemon.h - going to the background, early, with a parent that waits.
 *
 * The child is made before it opens anything: neither threads nor SQLite nor
 * locks may travel across a fork. What the caller had open besides the standard
 * streams is closed in it: it may be somebody's lock, or the end of a pipe.
 */
#ifndef FS_DAEMON_H
#define FS_DAEMON_H

#include <stdbool.h>

struct daemon {
	int ready_fd; /* the child's end of the pipe; -1: in the foreground */
};

/* What daemon_fork() returns in the parent when it could not fork. */
enum { DAEMON_NO_FORK = -1 };

/*
 * True in the child, which goes on. False in the parent once the child has
 * called daemon_ready() (*ret_status 0) or has ended (its exit status; at least
 * 1, and 128 + the signal that killed it).
 */
bool daemon_fork(struct daemon *d, int *ret_status);

/* For a program that stays in the foreground: daemon_ready() does nothing. */
void daemon_stay(struct daemon *d);

/* Leaves the terminal and lets the parent go. Messages go to syslog. */
void daemon_ready(struct daemon *d);

#endif
