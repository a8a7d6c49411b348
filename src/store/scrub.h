/* SPDX-License-Identifier: MIT */
/*
 * scrub.h - reads and verifies all frames that somebody needs, of a store in use.
 *
 * A pass goes from the oldest frame to the newest one that there was when it
 * began. Where it is is one number, so it may stop anywhere and go on in another
 * mount, whatever the cleaner and the optimiser have moved since. Nothing is
 * changed. One thread for a pass; no lock may be held.
 */
#ifndef STORE_SCRUB_H
#define STORE_SCRUB_H

#include <stdint.h>

struct store;

struct scrub_pass {
	uint64_t after;     /* frames up to this one are done */
	uint64_t last;      /* where the pass ends; 0: it is to begin */
	uint64_t n_frames;  /* verified */
	uint64_t n_bytes;   /* of their payloads */
	uint64_t total_len; /* payloads of all frames, when it began */
	uint64_t n_damaged; /* frames */
};

/* A frame that does not give its bytes, or whose record is damaged. */
struct scrub_damage {
	uint64_t frame;
	uint64_t segment;
	uint64_t off; /* of its record */
	int rc;
};

struct scrub_watch {
	void *ctx;

	/* After each frame. May sleep, which is how a pass is throttled. Not 0:
	 * the pass stops, and returns that. */
	int (*step)(void *ctx, const struct scrub_pass *pass);

	/* Once for each damaged frame, before the step. */
	void (*found)(void *ctx, const struct scrub_damage *damage);
};

/* Goes on with `pass`, to its end: 0. Other errors: -ENOMEM, or the index cannot
 * be read. */
int scrub_run(struct store *s, struct scrub_pass *pass,
	      const struct scrub_watch *watch);

#endif
