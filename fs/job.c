/* SPDX-License-Identifier: MIT */
/*
 * job.c - asks five times a second.
 */
#include "job.h"

#include "json.h"

#include <signal.h>
#include <stdbool.h>
#include <time.h>

#define POLL_NS 200000000

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
