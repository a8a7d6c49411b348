/* SPDX-License-Identifier: MIT */
/*
 * job.h - waits for long work of a daemon, or of this process, which answers
 * "poll" and "stop" on its control socket.
 */
#ifndef SIGMAFS_JOB_H
#define SIGMAFS_JOB_H

struct job {
	/* Has the answer to `arguments` put into `reply`. 0 or -errno. */
	int (*ask)(void *ctx, const char *arguments);
	void (*show)(const void *ctx); /* what the last answer says */
	void *ctx;
	const char *reply; /* a JSON object */
};

/* From now on SIGINT, SIGTERM and SIGHUP stop the job, not the process. */
void job_catch_signals(void);

/* Until the job has ended; the last answer is in the reply. Blocks for as long as
 * it takes. Errors as `ask`. */
int job_wait(const struct job *j);

#endif
