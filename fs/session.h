/* SPDX-License-Identifier: MIT */
/*
 * session.h - one mount, from opening the store to closing it.
 */
#ifndef FS_SESSION_H
#define FS_SESSION_H

#include "options.h"

struct daemon;

struct session_config {
	const char *store; /* absolute */
	const char *dir;   /* absolute, an existing directory */
	const struct mount_options *options;
	struct daemon *daemon; /* told when the mount is there */
};

/*
 * Mounts, serves until it is unmounted, makes everything durable. Blocks the
 * signals that ask to end; each then means: unmount, losing nothing. Says
 * itself what went wrong. Main thread, before there are others.
 */
int session_run(const struct session_config *config);

#endif
