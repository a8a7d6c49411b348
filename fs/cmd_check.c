/* SPDX-License-Identifier: MIT */
/*
 * cmd_check.c - sigmafs check: reads everything, verifies everything.
 *
 * Changes nothing. A mounted store is refused.
 */
#include "cmd.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/report.h"
#include "explain.h"
#include "json.h"
#include "percent.h"
#include "store/check.h"
#include "volume/check.h"
#include "volume/volume.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static const struct option longs[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

enum { JSON_LIMIT = 64 << 20 };

struct checking {
	struct json json;
	bool as_json;
	struct percent percent;
};

/* ---- telling -------------------------------------------------------------- */

static void tell_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct checking *c = ctx;

	percent_tell(&c->percent, done, total);
}

static void tell_finding(void *ctx, const char *text)
{
	struct checking *c = ctx;

	percent_clear(&c->percent);
	if (c->as_json)
		json_text(&c->json, NULL, text);
	else
		(void)printf("%s\n", text);
}

static int finish_json(struct checking *c, const struct check_report *told,
		       int rc)
{
	const char *text;

	json_close(&c->json, ']');
	json_u64(&c->json, "n_findings", told->n_findings);
	json_bool(&c->json, "complete", rc == 0);
	json_bool(&c->json, "clean", rc == 0 && told->n_findings == 0);
	json_close(&c->json, '}');
	rc = json_end(&c->json, &text);
	if (rc == 0)
		(void)puts(text);
	return rc;
}

static void finish_text(const char *store, const struct check_report *told)
{
	if (told->n_findings == 0)
		(void)printf("'%s': clean\n", store);
	else
		(void)printf("'%s': %" PRIu64 " %s found\n", store,
			     told->n_findings,
			     told->n_findings == 1 ? "error" : "errors");
}

/* ---- checking ------------------------------------------------------------- */

static int check_open(struct checking *c, const char *store,
		      struct volume *volume)
{
	struct check_report told = {
		.ctx = c,
		.finding = tell_finding,
		.progress = tell_progress,
	};
	int rc;
	int json_rc = 0;

	json_open(&c->json, NULL, '{');
	json_text(&c->json, "store", store);
	json_open(&c->json, "findings", '[');
	rc = volume_check(volume, &told);
	percent_clear(&c->percent);
	if (c->as_json)
		json_rc = finish_json(c, &told, rc);
	else if (rc == 0)
		finish_text(store, &told);
	if (rc < 0 || json_rc < 0)
		report_error("'%s': the check could not be finished: %s", store,
			     error_text(rc < 0 ? rc : json_rc));
	return (rc < 0 || json_rc < 0 ? CHECK_ERROR : 0) |
	       (told.n_findings > 0 ? CHECK_UNCORRECTED : 0);
}

static int check(struct checking *c, const char *store)
{
	const struct volume_options options = { .store.read_only = true };
	char text[EXPLAIN_MAX];
	struct volume *volume;
	int status;
	int rc = volume_open(store, &options, &volume);

	if (rc < 0) {
		explain_open(store, rc, text);
		report_error("%s", text);
		return rc == -EUCLEAN ? CHECK_UNCORRECTED : CHECK_ERROR;
	}
	status = check_open(c, store, volume);
	rc = volume_close(volume);
	if (rc < 0)
		report_error("'%s': %s", store, error_text(rc));
	return status | (rc < 0 ? CHECK_ERROR : 0);
}

static int take_options(struct checking *c, int argc, char **argv)
{
	const struct cmd_options options = { ":anpyrfvC:h", longs };
	int opt;

	/* The rest is fsck(8)'s: there is no repair that it could choose. */
	while ((opt = cmd_getopt(&cmd_check, argc, argv, &options)) != -1) {
		if (opt == '?')
			return cmd_check.usage_status;
		c->as_json = c->as_json || opt == 'j';
	}
	return cmd_arguments(&cmd_check, argc, argv, 1);
}

static int run(int argc, char **argv)
{
	struct checking c = { .as_json = false };
	int status = take_options(&c, argc, argv);

	if (status != 0)
		return status;
	/* Nothing of the store was changed: nothing is to be put in order. */
	percent_begin(&c.percent, cmd_check.name, "checking");
	json_init(&c.json, JSON_LIMIT);
	status = check(&c, argv[optind]);
	json_release(&c.json);
	/* main() says so; its status would mean something else. */
	if (fflush(stdout) != 0 || ferror(stdout) != 0)
		status |= CHECK_ERROR;
	return status;
}

const struct command cmd_check = {
	.name = "check",
	.synopsis = "[--json] STORE",
	.summary = "Reads all of STORE and verifies it",
	.help = "Every record, every commit, every checksum, every reference "
		"count and every\n"
		"link of a directory. Nothing is changed. The store must not "
		"be mounted.\n"
		"\n"
		"  --json               one JSON object on one line\n"
		"  -n -p -y -a -r -f -v -C FD   are taken for fsck(8)'s sake\n"
		"\n"
		"Exit status as fsck(8), a sum: 0 clean, 4 errors found, 8 "
		"could not be done,\n"
		"16 usage, 32 cancelled.\n",
	.usage_status = CHECK_USAGE,
	.run = run,
};
