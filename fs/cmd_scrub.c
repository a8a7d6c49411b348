/* SPDX-License-Identifier: MIT */
/*
 * cmd_scrub.c - sigmafs scrub: reads and verifies all data, also of a mount.
 *
 * A mounted store is scrubbed by its daemon, another one is opened. Either way
 * the job is begun and asked how far it is until it has ended.
 */
#include "cmd_scrub.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/report.h"
#include "cmd.h"
#include "cmd_scrub_state.h"
#include "control.h"
#include "explain.h"
#include "job.h"
#include "json.h"
#include "options.h"
#include "volume/volume.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPT_JSON = 256 };

static const struct option longs[] = {
	{ "rate", required_argument, NULL, 'r' },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* One run of the command. */
struct scrubbing {
	char store[PATH_MAX];
	uint64_t rate; /* 0: none */
	bool json;
	bool show;                 /* the progress */
	struct volume *volume;     /* opened here; NULL: mounted */
	struct scrubber *scrubber; /* with `volume` */
	char reply[CONTROL_REPLY_MAX];
	char entry[CONTROL_REPLY_MAX];
};

/* ---- asking --------------------------------------------------------------- */

static int serve(void *ctx, const struct control_request *request,
		 struct json *reply)
{
	return scrubber_serve(ctx, request->arguments, reply);
}

static int ask(struct scrubbing *s, const char *arguments, char *reply)
{
	const struct control_request request = { CONTROL_SCRUB, arguments };

	if (s->volume)
		return control_serve_here(serve, s->scrubber, &request, reply);
	return control_ask(s->store, &request, reply);
}

/* Not mounted: the store is ours. */
static int open_here(struct scrubbing *s)
{
	int rc = job_open_store(s->store, true, &s->volume);

	return rc < 0 ? rc : scrubber_new(s->volume, &s->scrubber);
}

static int close_here(struct scrubbing *s, int rc)
{
	scrubber_free(s->scrubber);
	return job_close_store(s->volume, rc);
}

/* ---- telling -------------------------------------------------------------- */

static uint64_t number(const struct scrubbing *s, const char *key)
{
	uint64_t value = 0;

	(void)json_get_u64(s->reply, key, &value);
	return value;
}

static void show_progress(const struct scrubbing *s)
{
	uint64_t total = number(s, "scrub_total_bytes");
	uint64_t done = number(s, "scrub_bytes");
	char text[CMD_BYTES_MAX];

	if (!s->show || total == 0)
		return;
	(void)fprintf(stderr, "\rscrubbing: %3.0f %%, %s, %" PRIu64 " damaged ",
		      100.0 * (double)min_u64(done, total) / (double)total,
		      cmd_bytes(done, text), number(s, "scrub_damaged"));
	(void)fflush(stderr);
}

static void clear_progress(const struct scrubbing *s)
{
	if (s->show)
		(void)fprintf(stderr, "\r%70s\r", "");
}

/* A line for each thing that was found. */
static int tell_entries(struct scrubbing *s)
{
	uint64_t n = number(s, "scrub_entries");
	struct scrub_entry entry;
	char line[SCRUB_LINE_MAX];
	uint64_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < n; i++) {
		(void)snprintf(line, sizeof(line), "found %" PRIu64, i);
		rc = ask(s, line, s->entry);
		if (rc == 0)
			rc = scrub_entry_get(s->entry, &entry);
		if (rc < 0)
			break;
		scrub_entry_line(&entry, line);
		(void)puts(s->json ? s->entry : line);
	}
	return rc;
}

static void tell_sum(const struct scrubbing *s)
{
	uint64_t n = number(s, "scrub_damaged");
	char text[CMD_BYTES_MAX];

	if (s->json)
		(void)puts(s->reply);
	else
		(void)printf("'%s': %s in %" PRIu64 " frames verified, %" PRIu64
			     " damaged\n",
			     s->store,
			     cmd_bytes(number(s, "scrub_bytes"), text),
			     number(s, "scrub_frames"), n);
}

/* How the job ended. A status. */
static int tell(struct scrubbing *s)
{
	uint64_t result = number(s, "result");
	char text[256] = "";
	int status = number(s, "scrub_damaged") > 0 ? CHECK_UNCORRECTED : 0;
	int rc;

	clear_progress(s);
	rc = tell_entries(s);
	tell_sum(s);
	if (rc < 0)
		report_error("'%s': %s", s->store, error_text(rc));
	if (result == 0)
		return status | (rc < 0 ? CHECK_ERROR : 0);
	(void)json_get_text(s->reply, "problem", text, sizeof(text));
	if (result == ECANCELED)
		report_error("'%s': stopped; the next scrub goes on from here",
			     s->store);
	else
		report_error("'%s': %s", s->store, text);
	return status | (result == ECANCELED ? CHECK_CANCELLED : CHECK_ERROR);
}

/* ---- the job -------------------------------------------------------------- */

static int ask_job(void *scrubbing, const char *arguments)
{
	struct scrubbing *s = scrubbing;

	return ask(s, arguments, s->reply);
}

static void show_job(const void *scrubbing)
{
	show_progress(scrubbing);
}

static int wait_for_end(struct scrubbing *s)
{
	return job_wait(
		&(struct job){ ask_job, show_job, s, .reply = s->reply });
}

static int fail(const struct scrubbing *s, int rc)
{
	char text[EXPLAIN_MAX];

	clear_progress(s);
	if (rc == -EBUSY && !s->volume)
		report_error("'%s': is being scrubbed already", s->store);
	else if (rc == -ECONNRESET)
		report_error("'%s': was unmounted meanwhile", s->store);
	else {
		explain_open(s->store, rc, text);
		report_error("%s", text);
	}
	return rc == -EUCLEAN && !s->volume ? CHECK_UNCORRECTED : CHECK_ERROR;
}

static int scrub_store(struct scrubbing *s)
{
	char arguments[64];
	int status = STATUS_OK;
	int rc;

	(void)snprintf(arguments, sizeof(arguments), "start %" PRIu64, s->rate);
	job_catch_signals();
	rc = ask(s, arguments, s->reply);
	if (control_is_absent(rc)) {
		rc = open_here(s);
		if (rc == 0)
			rc = ask(s, arguments, s->reply);
	}
	if (rc == 0) {
		rc = wait_for_end(s);
		/* It was there a moment ago. */
		if (!s->volume && control_is_gone(rc))
			rc = -ECONNRESET;
	}
	if (rc == 0)
		status = tell(s);
	rc = close_here(s, rc);
	return rc < 0 ? status | fail(s, rc) : status;
}

/* ---- the command line ----------------------------------------------------- */

static int take_option(struct scrubbing *s, int opt)
{
	if (opt == OPT_JSON) {
		s->json = true;
		return STATUS_OK;
	}
	if (opt == 'r' && options_parse_size(optarg, &s->rate) == 0 &&
	    s->rate > 0)
		return STATUS_OK;
	if (opt == 'r')
		return cmd_usage(
			&cmd_scrub,
			"'%s' is no rate: bytes a second, with K, M or "
			"G",
			optarg);
	return cmd_scrub.usage_status;
}

static int run(int argc, char **argv)
{
	const struct cmd_options options = { ":hr:", longs };
	AUTO_FREE struct scrubbing *s = calloc(1, sizeof(*s));
	int status = s ? STATUS_OK : CHECK_ERROR;
	int opt;

	while (status == STATUS_OK &&
	       (opt = cmd_getopt(&cmd_scrub, argc, argv, &options)) != -1)
		status = take_option(s, opt);
	if (status == STATUS_OK)
		status = cmd_arguments(&cmd_scrub, argc, argv, 1);
	if (status != STATUS_OK)
		return status;
	cmd_find_store(argv[optind], s->store);
	report_blank(s->store);
	s->show = isatty(STDERR_FILENO) != 0;
	return scrub_store(s);
}

const struct command cmd_scrub = {
	.name = "scrub",
	.synopsis = "[OPTION]... STORE|DIR",
	.summary = "Reads and verifies all data, also of a mount",
	.help = "Every frame is read, decoded and compared, with the lowest "
		"priority. A mounted\n"
		"store can be used meanwhile. What is damaged is told with the "
		"files that it\n"
		"costs, and 'sigmafs stat' tells it again. May be stopped at "
		"any time; the next\n"
		"scrub goes on from there.\n"
		"\n"
		"  -r, --rate=SIZE   bytes that are read a second, with K, M or "
		"G (default: no\n"
		"                    limit)\n"
		"      --json        one JSON object a line: for each damage, "
		"then the sum\n"
		"\n"
		"Exit status as fsck(8), a sum: 0 clean, 4 damage found, 8 "
		"could not be done,\n"
		"16 usage, 32 stopped.\n",
	.usage_status = CHECK_USAGE,
	.run = run,
};
