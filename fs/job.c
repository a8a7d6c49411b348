/* SPDX-License-Identifier: MIT */
/*
 * job.c - asks five times a second.
 */
#include "job.h"

#include "json.h"
#include "tune.h"
#include "volume/volume.h"

#include <signal.h>
#include <time.h>

#define POLL_NS 200000000

int job_open_store(const char *store, bool or_read, struct volume **ret)
{
	struct volume_options options = { .store.effort = EFFORT_BALANCED };
	int rc;

	tune_memory();
	rc = volume_open(store, &options, ret);
	if (rc == -EROFS && or_read) {
		options.store.read_only = true;
		rc = volume_open(store, &options, ret);
	}
	if (rc < 0)
		*ret = NULL;
	return rc;
}

int job_close_store(struct volume *volume, int rc)
{
	int close_rc = volume ? volume_close(volume) : 0;

	return rc < 0 ? rc : close_rc;
}

static volatile sig_atomic_t interrupted;

static void interrupt(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

void job_catch_signals(void)
{
	const struct sigaction action = { .sa_handler = interrupt };

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
}

int job_wait(const struct job *j)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	bool running = true;
	bool told = false;
	int rc = 0;

	for (;;) {
		if (interrupted && !told) {
			rc = j->ask(j->ctx, "stop");
			told = true;
		}
		if (rc == 0)
			rc = j->ask(j->ctx, "poll");
		if (rc == 0)
			rc = json_get_bool(j->reply, "running", &running);
		if (rc < 0 || !running)
			return rc;
		j->show(j->ctx);
		(void)nanosleep(&pause, NULL);
	}
}
