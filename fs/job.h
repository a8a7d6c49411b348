/* SPDX-License-Identifier: MIT */
/*
 * job.h - waits for long work of a daemon, or of this process, which answers
 * "poll" and "stop" on its control socket.
 */
#ifndef SIGMAFS_JOB_H
#define SIGMAFS_JOB_H

#include <stdbool.h>

struct job {
	/* Has the answer to `arguments` put into `reply`. 0 or -errno. */
	int (*ask)(void *ctx, const char *arguments);
	void (*show)(const void *ctx); /* what the last answer says */
	void *ctx;
	const char *reply; /* a JSON object */
};

struct volume;

/* Opens a store that no daemon serves, to do such work here; with `or_read`, to
 * read where nothing can be written. Errors as volume_open(); then *ret is NULL. */
int job_open_store(const char *store, bool or_read, struct volume **ret);

/* Closes it, if it is not NULL. `rc` if that is an error, else that of closing. */
int job_close_store(struct volume *volume, int rc);

/* From now on SIGINT, SIGTERM and SIGHUP stop the job, not the process. */
void job_catch_signals(void);

/* Until the job has ended; the last answer is in the reply. Blocks for as long as
 * it takes. Errors as `ask`. */
int job_wait(const struct job *j);

#endif
