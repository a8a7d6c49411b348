/* SPDX-License-Identifier: MIT */
/*
 * cmd_optimize.h - optimising as a job in the background that is asked how far it
 * is: by a command through the control socket, or in its own process.
 */
#ifndef FS_CMD_OPTIMIZE_H
#define FS_CMD_OPTIMIZE_H

struct json;
struct optimizer;
struct volume;

/* `volume` stays until optimizer_free(). -ENOMEM. */
int optimizer_new(struct volume *volume, struct optimizer **ret);

/* Ends a job that is under way, and waits for that. NULL is fine. */
void optimizer_free(struct optimizer *o);

/*
 * Serves a request:
 *
 *     start FRAME SPEED THREADS IDLE [INODE ...]
 *     estimate FRAME SPEED THREADS IDLE
 *     poll
 *     stop
 *
 * FRAME in bytes, SPEED in bytes a second, 0 for the defaults; IDLE 0 or 1;
 * without INODE all of the store. One job at a time: -EBUSY. `poll` tells how
 * far the last one is or how it ended; a job that nobody asks after for 10
 * seconds ends, because whoever began it is gone.
 */
int optimizer_serve(struct optimizer *o, const char *arguments,
		    struct json *reply);

#endif
