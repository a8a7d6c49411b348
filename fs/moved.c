/* SPDX-License-Identifier: MIT */
/*
 * moved.c - a line that is written over five times a second.
 */
#include "moved.h"

#include "base/clock.h"
#include "cmd.h"
#include "tar.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define SHOW_EVERY_NS UINT64_C(200000000)

void moved_begin(struct moved *m, const char *verb)
{
	*m = (struct moved){
		.verb = isatty(STDERR_FILENO) ? verb : NULL,
		.shown_ns = clock_mono_ns(),
	};
}

static void show(struct moved *m, const struct tar_job *job)
{
	char text[CMD_BYTES_MAX];

	m->shown = true;
	(void)fprintf(stderr, "\r%s: %" PRIu64 " names, %s   ", m->verb,
		      job->n_entries, cmd_bytes(job->n_bytes, text));
	(void)fflush(stderr);
}

void moved_show(void *ctx, const struct tar_job *job)
{
	struct moved *m = ctx;
	uint64_t now;

	if (!m->verb)
		return;
	now = clock_mono_ns();
	if (now - m->shown_ns < SHOW_EVERY_NS)
		return;
	m->shown_ns = now;
	show(m, job);
}

void moved_done(struct moved *m, const struct tar_job *job)
{
	if (!m->shown)
		return;
	show(m, job);
	(void)fputc('\n', stderr);
}
