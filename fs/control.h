/* SPDX-License-Identifier: MIT */
/*
 * control.h - the socket through which a mounted store is spoken to.
 *
 * STORE/control, a unix socket of mode 0600. A request is one line,
 * "sigmafs 1 VERB" or "sigmafs 1 VERB ARGUMENTS"; the answer is a JSON object on one line, with "ok" and
 * either what was asked for or "error" and "errno". Only root and the owner
 * of the daemon are answered. One thread serves; a client that is silent is
 * hung up on.
 */
#ifndef FS_CONTROL_H
#define FS_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

struct control;
struct json;

#define CONTROL_NAME "control"

enum {
	CONTROL_VERSION = 1,
	CONTROL_REQUEST_MAX = 8192,
	CONTROL_REPLY_MAX = 65536
};

enum control_verb {
	CONTROL_STATUS,   /* who serves, and where */
	CONTROL_STAT,     /* what the store holds */
	CONTROL_SYNC,     /* everything received is durable */
	CONTROL_CODEBOOK, /* codebook_serve() */
	CONTROL_OPTIMIZE, /* optimizer_serve() */
	CONTROL_GC,       /* gc_serve() */
	CONTROL_SCRUB,    /* scrubber_serve() */
	CONTROL_EXPLAIN,  /* how a file is stored: "INODE OFFSET" */
	CONTROL_ATIME,    /* another rule for times of access: a number */
	CONTROL_UNMOUNT,  /* answered when everything is durable and closed */
	CONTROL_N_VERBS
};

struct control_request {
	enum control_verb verb;
	const char *arguments; /* "" for none; borrowed */
};

/*
 * Serves one request on the control thread. Adds what it has to say to
 * `reply`, an open object. For CONTROL_UNMOUNT success means that the end is
 * near: the client waits for control_finish().
 */
typedef int control_fn(void *ctx, const struct control_request *request,
		       struct json *reply);

/* Serves a request for this process alone: answers as control_ask() does. */
int control_serve_here(control_fn *serve, void *ctx,
		       const struct control_request *request, char *ret_reply);

/* The words of the protocol. */
const char *control_verb_name(enum control_verb verb);

/* Parses a request without its newline, which has to stay. -EINVAL: none of
 * ours. -EOPNOTSUPP: of another version. */
int control_parse(const char *line, struct control_request *ret);

/* Makes the socket in the directory `dir_fd`, replacing a stale one, and
 * serves it. */
int control_start(int dir_fd, control_fn *serve, void *ctx,
		  struct control **ret);

/* Removes the socket and ends the thread. Those who wait for the end stay. */
void control_stop(struct control *c);

/* Tells those who wait how it ended, and frees. NULL is fine. */
void control_finish(struct control *c, int rc);

/* ---- the other side: control_client.c ------------------------------------- */

/*
 * Asks the daemon of the store at `path` and waits for its answer, at most
 * CONTROL_REPLY_MAX bytes with the NUL; none is "". -ENOENT, -ECONNREFUSED: there is none.
 * -ECONNRESET: it is about to end, and did not take the request. -EPIPE: it took
 * it, and died. Other errors are the daemon's own.
 */
int control_ask(const char *path, const struct control_request *request,
		char *ret_reply);

/* The same without arguments. */
int control_ask_verb(const char *path, enum control_verb verb, char *ret_reply);

/* Whether an error of these says that there is no daemon: no socket, or one that
 * a dead daemon has left. */
bool control_is_absent(int rc);

/* Whether one of them says that a daemon that has answered before has gone, or is
 * about to: it may end with a request taken. */
bool control_is_gone(int rc);

#endif
