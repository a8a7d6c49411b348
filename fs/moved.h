/* SPDX-License-Identifier: MIT */
/*
 * moved.h - how far an export or import is, on a terminal.
 */
#ifndef FS_MOVED_H
#define FS_MOVED_H

#include <stdbool.h>
#include <stdint.h>

struct tar_job;

struct moved {
	const char *verb; /* borrowed; NULL: nobody looks */
	uint64_t shown_ns;
	bool shown;
};

void moved_begin(struct moved *m, const char *verb);

/* tar_job.progress */
void moved_show(void *ctx, const struct tar_job *job);

/* A last time, and ends the line. */
void moved_done(struct moved *m, const struct tar_job *job);

#endif
