/* SPDX-License-Identifier: MIT */
/*
 * cmd_rebuild.c - sigmafs rebuild: all of a store's index from its log.
 *
 * A mount does the same by itself when it finds the index missing or damaged; this
 * is for an index that is believed to be wrong, and for a store without superblock.
 */
#include "cmd.h"

#include "base/error.h"
#include "base/report.h"
#include "explain.h"
#include "json.h"
#include "percent.h"
#include "stats.h"
#include "store/superblock_restore.h"
#include "volume/volume.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

static const struct option longs[] = {
	{ "dry-run", no_argument, NULL, 'n' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

enum { JSON_LIMIT = 64 << 10 };

struct rebuilding {
	const char *store;
	bool as_json;
	bool dry_run;
	bool new_superblock;
	bool rebuilt;
	bool was_read; /* the log; what follows is known then */
	bool from_checkpoint;
	const char *why; /* it cannot give all, or only to read; or NULL */
	struct stats stats;
	struct percent percent;
};

/* ---- telling -------------------------------------------------------------- */

static void tell_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct rebuilding *r = ctx;

	percent_tell(&r->percent, done, total);
}

static int print_json(const struct rebuilding *r)
{
	struct json json;
	const char *text;
	int rc;

	json_init(&json, JSON_LIMIT);
	json_open(&json, NULL, '{');
	json_text(&json, "store", r->store);
	json_bool(&json, "dry_run", r->dry_run);
	json_bool(&json, "rebuilt", r->rebuilt);
	json_bool(&json, "new_superblock", r->new_superblock);
	if (r->was_read) {
		json_bool(&json, "from_checkpoint", r->from_checkpoint);
		json_u64(&json, "files", r->stats.values[STATS_FILES]);
		json_u64(&json, "raw_bytes", r->stats.values[STATS_RAW]);
		if (r->why)
			json_text(&json, "read_only", r->why);
	}
	json_close(&json, '}');
	rc = json_end(&json, &text);
	if (rc == 0)
		(void)puts(text);
	json_release(&json);
	return rc;
}

static void print_text(const struct rebuilding *r)
{
	char raw[CMD_BYTES_MAX];

	if (!r->was_read)
		return;
	(void)printf("'%s': the log tells of %" PRIu64 " %s, %s%s\n", r->store,
		     r->stats.values[STATS_FILES],
		     r->stats.values[STATS_FILES] == 1 ? "file" : "files",
		     cmd_bytes(r->stats.values[STATS_RAW], raw),
		     r->dry_run ? "; nothing was changed" : "");
	if (r->why)
		(void)printf("'%s': %s%s\n", r->store,
			     r->rebuilt ? "read-only, because " : "", r->why);
}

/* ---- rebuilding ----------------------------------------------------------- */

static int fail(const struct rebuilding *r, int rc)
{
	char text[EXPLAIN_MAX];

	explain_open(r->store, rc, text);
	report_error("%s", text);
	return rc == -EUCLEAN ? CHECK_UNCORRECTED : CHECK_ERROR;
}

static int read_log(struct rebuilding *r, bool only_look)
{
	const struct volume_options options = {
		.store = {
			.read_only = only_look,
			.rebuild = true,
			.progress = tell_progress,
			.progress_ctx = r,
		},
	};
	const struct store_opened *opened;
	struct volume *volume;
	int close_rc;
	int rc = volume_open(r->store, &options, &volume);

	percent_clear(&r->percent);
	if (rc < 0)
		return fail(r, rc);
	opened = store_opened(volume_store(volume));
	r->from_checkpoint = opened->from_checkpoint;
	r->why = only_look ? opened->damage : opened->read_only;
	r->was_read = true;
	rc = stats_read(volume, &r->stats);
	close_rc = volume_close(volume);
	if (rc == 0)
		rc = close_rc;
	if (rc < 0) {
		report_error("'%s': %s", r->store, error_text(rc));
		return CHECK_ERROR;
	}
	r->rebuilt = !only_look;
	return r->why ? CHECK_UNCORRECTED : 0;
}

static bool has_index(const struct rebuilding *r)
{
	char path[PATH_MAX];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/index.db", r->store);
	return lstat(path, &st) == 0;
}

/* An index may know what a damaged log does not tell any more: it stays then. */
static int rebuild_index(struct rebuilding *r)
{
	int status = 0;

	if (r->dry_run || has_index(r))
		status = read_log(r, true);
	if (r->dry_run)
		return status;
	if (status != 0 && r->was_read)
		report_error("'%s': the index is left as it is, because the "
			     "log would not give all of it",
			     r->store);
	return status != 0 ? status : read_log(r, false);
}

/* Without a superblock the log cannot even be looked at. */
static int rebuild(struct rebuilding *r)
{
	struct superblock sb = { 0 };
	int status;
	int rc = superblock_restore(r->store, r->dry_run, &sb);

	if (rc < 0)
		return fail(r, rc);
	r->new_superblock = rc == 1;
	if (r->new_superblock)
		report_warn("'%s': the superblock %s from the headers of the "
			    "segments; its label is lost",
			    r->store,
			    r->dry_run ? "can be made again"
				       : "has been made again");
	if (r->new_superblock && r->dry_run)
		status = CHECK_UNCORRECTED;
	else
		status = rebuild_index(r) |
			 (r->new_superblock ? CHECK_CORRECTED : 0);
	if ((status & CHECK_ERROR) != 0)
		return status;
	if (!r->as_json)
		print_text(r);
	else if (print_json(r) < 0)
		status |= CHECK_ERROR;
	return status;
}

static int run(int argc, char **argv)
{
	const struct cmd_options options = { ":nh", longs };
	struct rebuilding r = { .dry_run = false };
	int status;
	int opt;

	while ((opt = cmd_getopt(&cmd_rebuild, argc, argv, &options)) != -1) {
		if (opt == '?')
			return cmd_rebuild.usage_status;
		r.as_json = r.as_json || opt == 'j';
		r.dry_run = r.dry_run || opt == 'n';
	}
	status = cmd_arguments(&cmd_rebuild, argc, argv, 1);
	if (status != 0)
		return status;
	r.store = argv[optind];
	/* An index that is half made is thrown away by whoever comes next. */
	percent_begin(&r.percent, cmd_rebuild.name, "rebuilding");
	status = rebuild(&r);
	/* main() says so; its status would mean something else. */
	if (fflush(stdout) != 0 || ferror(stdout) != 0)
		status |= CHECK_ERROR;
	return status;
}

const struct command cmd_rebuild = {
	.name = "rebuild",
	.synopsis = "[-n] [--json] STORE",
	.summary = "Makes the index of STORE again from its log",
	.help = "The log holds all names, attributes and data; the index is "
		"only a view of it.\n"
		"The one that is there is kept beside the new one, as "
		"index.db.bad-N; if the\n"
		"log is damaged, it stays. A superblock that is missing or "
		"damaged is made again, too.\n"
		"The store must not be mounted.\n"
		"\n"
		"  -n, --dry-run        say what the log tells, change nothing\n"
		"  --json               one JSON object on one line\n"
		"\n"
		"Exit status as fsck(8), a sum: 0 done, 1 the superblock was "
		"made again, 4 the\n"
		"log is damaged, so that not all of it can be told, 8 could "
		"not be done, 16 usage,\n"
		"32 cancelled.\n",
	.usage_status = CHECK_USAGE,
	.run = run,
};
