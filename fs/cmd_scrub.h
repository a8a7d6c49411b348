/* SPDX-License-Identifier: MIT */
/*
 * cmd_scrub.h - verifying all data as a job in the background that is asked how
 * far it is: by a command through the control socket, or in its own process.
 */
#ifndef FS_CMD_SCRUB_H
#define FS_CMD_SCRUB_H

struct json;
struct scrub_state;
struct scrubber;
struct volume;

/* `volume` stays until scrubber_free(). -ENOMEM. */
int scrubber_new(struct volume *volume, struct scrubber **ret);

/* Ends a job that is under way, and waits for that. NULL is fine. */
void scrubber_free(struct scrubber *s);

/*
 * Serves a request:
 *
 *     start RATE     bytes of the log a second, 0: as fast as it goes
 *     poll
 *     found N        the N-th entry, from 0; -ENODATA: there are not so many
 *     stop
 *
 * A job goes on with a pass that has not ended. One at a time: -EBUSY. `poll`
 * tells how far the last one is or how it ended; a job that nobody asks after for
 * 10 seconds ends, because whoever began it is gone.
 */
int scrubber_serve(struct scrubber *s, const char *arguments,
		   struct json *reply);

/* What is known of the last pass, as members of an open object. */
void scrubber_tell(struct scrubber *s, struct json *reply);

/* ---- cmd_scrub_where.c --------------------------------------------------------- */

/*
 * Finds out which files need the damaged frames of `state`: reads all names and
 * all maps. No lock may be held. Not 0 from `stop` ends it: -ECANCELED. -ENOMEM.
 */
int scrub_where(struct volume *v, int (*stop)(void *ctx), void *ctx,
		struct scrub_state *state);

#endif
