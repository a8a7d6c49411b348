/* SPDX-License-Identifier: MIT */
/*
 * cmd_gc.c - sigmafs gc: gives back what nobody needs any more.
 *
 * A mounted store is asked through its daemon, another one is opened.
 */
#include "cmd_gc.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/report.h"
#include "cmd.h"
#include "control.h"
#include "explain.h"
#include "job.h"
#include "json.h"
#include "store/clean.h"
#include "store/maintain.h"
#include "volume/volume.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BUSY_NS = 100000000 };

static const struct option longs[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* One run of the command. */
struct asked {
	char store[PATH_MAX];
	char reply[CONTROL_REPLY_MAX];
	struct volume *volume; /* NULL: the daemon is asked */
	struct clean_result all;
	bool more;
};

/* ---- where the store is open ---------------------------------------------- */

static int serve_step(struct store *s, struct json *reply)
{
	struct clean_result r = { 0 };
	int rc = clean_step(s, &r);

	if (rc < 0)
		return rc;
	json_bool(reply, "more", rc == 1);
	json_u64(reply, "segments", r.n_removed);
	json_u64(reply, "freed_bytes", r.removed);
	json_u64(reply, "moved_frames", r.n_moved);
	json_u64(reply, "moved_bytes", r.moved);
	return 0;
}

int gc_serve(struct store *s, const char *arguments, struct json *reply)
{
	int rc = -EINVAL;

	/* One thread answers all requests: it waits for nobody's long work. */
	if (!maintain_try_enter(s)) {
		json_bool(reply, "busy", true);
		return 0;
	}
	if (strcmp(arguments, "begin") == 0)
		rc = clean_begin(s);
	else if (strcmp(arguments, "step") == 0)
		rc = serve_step(s, reply);
	maintain_leave(s);
	if (rc == 0)
		return 0;
	json_text(reply, "problem",
		  rc == -EROFS ? "the store is read-only" : error_text(rc));
	/* Not to be taken for those of a socket that is not there. */
	return rc == -ENOENT || rc == -ENOTDIR || rc == -ECONNREFUSED ? -EIO
								      : rc;
}

/* ---- asking ---------------------------------------------------------------- */

static int serve(void *ctx, const struct control_request *request,
		 struct json *reply)
{
	return gc_serve(ctx, request->arguments, reply);
}

static int ask_once(struct asked *a, const char *arguments)
{
	const struct control_request request = { CONTROL_GC, arguments };

	if (a->volume)
		return control_serve_here(serve, volume_store(a->volume),
					  &request, a->reply);
	return control_ask(a->store, &request, a->reply);
}

/* Waits while a checkpoint is written, or the store optimised. */
static int ask(struct asked *a, const char *arguments)
{
	static const struct timespec while_busy = { 0, BUSY_NS };
	bool busy = true;
	int rc = 0;

	while (rc == 0 && busy) {
		rc = ask_once(a, arguments);
		if (rc < 0 || json_get_bool(a->reply, "busy", &busy) < 0)
			busy = false;
		if (busy)
			(void)nanosleep(&while_busy, NULL);
	}
	return rc;
}

static int begin(struct asked *a)
{
	int rc = ask(a, "begin");

	if (control_is_absent(rc)) {
		rc = job_open_store(a->store, false, &a->volume);
		if (rc == 0)
			rc = ask(a, "begin");
	}
	return rc;
}

static int take_reply(struct asked *a)
{
	struct clean_result r = { 0 };
	int rc = json_get_bool(a->reply, "more", &a->more);

	if (rc == 0)
		rc = json_get_u64(a->reply, "segments", &r.n_removed);
	if (rc == 0)
		rc = json_get_u64(a->reply, "freed_bytes", &r.removed);
	if (rc == 0)
		rc = json_get_u64(a->reply, "moved_frames", &r.n_moved);
	if (rc == 0)
		rc = json_get_u64(a->reply, "moved_bytes", &r.moved);
	a->all.n_removed += r.n_removed;
	a->all.removed += r.removed;
	a->all.n_moved += r.n_moved;
	a->all.moved += r.moved;
	return rc;
}

static int run_all(struct asked *a)
{
	int rc = begin(a);

	a->more = true;
	while (rc == 0 && a->more) {
		rc = ask(a, "step");
		/* It was there a moment ago. */
		if (!a->volume && control_is_gone(rc))
			rc = -ECONNRESET;
		if (rc == 0)
			rc = take_reply(a);
	}
	return rc;
}

/* ---- telling ---------------------------------------------------------------- */

static int fail(const struct asked *a, int rc)
{
	char text[EXPLAIN_MAX];

	if (rc == -ECONNRESET)
		(void)snprintf(text, sizeof(text),
			       "'%.512s': was unmounted meanwhile", a->store);
	else if (json_get_text(a->reply, "problem", text, sizeof(text)) < 0)
		explain_open(a->store, rc, text);
	report_error("%s", text);
	return STATUS_FAILED;
}

static int tell_json(const struct asked *a)
{
	struct json json;
	const char *text;
	int rc;

	json_init(&json, CONTROL_REPLY_MAX);
	json_open(&json, NULL, '{');
	json_text(&json, "store", a->store);
	json_u64(&json, "segments", a->all.n_removed);
	json_u64(&json, "freed_bytes", a->all.removed);
	json_u64(&json, "moved_frames", a->all.n_moved);
	json_u64(&json, "moved_bytes", a->all.moved);
	json_close(&json, '}');
	rc = json_end(&json, &text);
	if (rc == 0)
		(void)puts(text);
	json_release(&json);
	return rc < 0 ? STATUS_FAILED : STATUS_OK;
}

static int tell(const struct asked *a, bool json)
{
	char freed[CMD_BYTES_MAX];
	char moved[CMD_BYTES_MAX];

	if (json)
		return tell_json(a);
	(void)printf("gave back %s (%" PRIu64 " segments), moved %s (%" PRIu64
		     " frames)\n",
		     cmd_bytes(a->all.removed, freed), a->all.n_removed,
		     cmd_bytes(a->all.moved, moved), a->all.n_moved);
	return STATUS_OK;
}

/* ---- the whole ---------------------------------------------------------------- */

static int run(int argc, char **argv)
{
	const struct cmd_options options = { ":h", longs };
	AUTO_FREE struct asked *a = calloc(1, sizeof(*a));
	bool json = false;
	int status;
	int opt;
	int rc;

	if (!a)
		return STATUS_FAILED;
	while ((opt = cmd_getopt(&cmd_gc, argc, argv, &options)) != -1) {
		if (opt != 'j')
			return cmd_gc.usage_status;
		json = true;
	}
	status = cmd_arguments(&cmd_gc, argc, argv, 1);
	if (status != STATUS_OK)
		return status;
	cmd_find_store(argv[optind], a->store);
	rc = run_all(a);
	rc = job_close_store(a->volume, rc);
	return rc < 0 ? fail(a, rc) : tell(a, json);
}

const struct command cmd_gc = {
	.name = "gc",
	.synopsis = "[--json] STORE|DIR",
	.summary = "Gives back the space of what was deleted",
	.help = "  --json   one JSON object on one line\n"
		"\n"
		"What is still in use moves out of the parts of the log in "
		"which there is\n"
		"little of it, and those parts are removed. A mounted store "
		"does the same by\n"
		"itself when a quarter of it is of no use, or its disk is "
		"nearly full.\n"
		"\n"
		"Exit status: 0, 1 failure, 2 usage.\n",
	.usage_status = STATUS_USAGE,
	.run = run,
};
