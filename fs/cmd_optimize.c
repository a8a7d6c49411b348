/* SPDX-License-Identifier: MIT */
/*
 * cmd_optimize.c - sigmafs optimize: what is stored, encoded again, smaller.
 *
 * A mounted store is optimised by its daemon, another one is opened. Either way
 * the job is begun and asked how far it is until it has ended.
 */
#include "cmd_optimize.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/report.h"
#include "cmd.h"
#include "control.h"
#include "explain.h"
#include "job.h"
#include "json.h"
#include "mountinfo.h"
#include "store/optimize.h"
#include "transfer.h"
#include "volume/volume.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

enum { OPT_MIN_SPEED = 256, OPT_JSON, OPT_DRY_RUN };

static const struct option longs[] = {
	{ "frame", required_argument, NULL, 'f' },
	{ "min-speed", required_argument, NULL, OPT_MIN_SPEED },
	{ "jobs", required_argument, NULL, 'j' },
	{ "dry-run", no_argument, NULL, 'n' },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* One run of the command. */
struct optimizing {
	char store[PATH_MAX];
	uint64_t frame_len; /* 0: default */
	uint64_t min_speed;
	unsigned n_threads;
	bool dry_run;
	bool json;
	bool show;                   /* the progress */
	struct volume *volume;       /* opened here; NULL: mounted */
	struct optimizer *optimizer; /* with `volume` */
	char arguments[CONTROL_REQUEST_MAX - 64];
	char reply[CONTROL_REPLY_MAX];
};

/* ---- asking --------------------------------------------------------------- */

static int serve(void *ctx, const struct control_request *request,
		 struct json *reply)
{
	return optimizer_serve(ctx, request->arguments, reply);
}

static int ask(struct optimizing *o, const char *arguments)
{
	const struct control_request request = { CONTROL_OPTIMIZE, arguments };

	if (o->volume)
		return control_serve_here(serve, o->optimizer, &request,
					  o->reply);
	return control_ask(o->store, &request, o->reply);
}

static bool is_mounted(struct optimizing *o)
{
	return control_ask_verb(o->store, CONTROL_STATUS, o->reply) == 0;
}

/* Not mounted: the store is ours. */
static int open_here(struct optimizing *o)
{
	int rc = job_open_store(o->store, false, &o->volume);

	return rc < 0 ? rc : optimizer_new(o->volume, &o->optimizer);
}

static int close_here(struct optimizing *o, int rc)
{
	optimizer_free(o->optimizer);
	return job_close_store(o->volume, rc);
}

/* ---- files ---------------------------------------------------------------- */

/* In a mount the kernel knows the path. */
static int find_in_mount(const struct optimizing *o, const char *path,
			 uint64_t *ret)
{
	AUTO_FREE struct mount_entry *entry = malloc(sizeof(*entry));
	struct stat st;

	if (!entry)
		return -ENOMEM;
	if (stat(path, &st) < 0)
		return -errno;
	if (mountinfo_find_store(path, entry) < 0 ||
	    strcmp(entry->source, o->store) != 0)
		return -EXDEV;
	*ret = st.st_ino;
	return 0;
}

/* In a store that is not mounted, from its root. */
static int find_in_store(struct optimizing *o, const char *path, uint64_t *ret)
{
	struct volume_attr attr = { .ino = VOLUME_ROOT };
	uint64_t ino = VOLUME_ROOT;
	int rc = 0;

	while (rc == 0 && *path != '\0') {
		size_t len = strcspn(path, "/");

		if (len > 0) {
			rc = volume_lookup(o->volume, ino, span_of(path, len),
					   &attr);
			if (rc == 0)
				volume_forget(o->volume, attr.ino, 1);
			ino = attr.ino;
		}
		path += len + (path[len] == '/');
	}
	*ret = ino;
	return rc;
}

/* Adds the inodes of `paths` to the arguments. A status. */
static int put_paths(struct optimizing *o, char *const *paths)
{
	for (; *paths; paths++) {
		size_t len = strlen(o->arguments);
		uint64_t ino = 0;
		int rc = o->volume ? find_in_store(o, *paths, &ino)
				   : find_in_mount(o, *paths, &ino);

		if (rc == -EXDEV) {
			report_error("'%s' is not in '%s'", *paths, o->store);
			return STATUS_FAILED;
		}
		if (rc < 0) {
			report_error("'%s': %s", *paths, error_text(rc));
			return STATUS_FAILED;
		}
		if (len + 24 > sizeof(o->arguments)) {
			report_error("too many paths");
			return STATUS_FAILED;
		}
		(void)snprintf(o->arguments + len, sizeof(o->arguments) - len,
			       " %" PRIu64, ino);
	}
	return STATUS_OK;
}

/* ---- telling -------------------------------------------------------------- */

static uint64_t number(const struct optimizing *o, const char *key)
{
	uint64_t value = 0;

	(void)json_get_u64(o->reply, key, &value);
	return value;
}

static void show_progress(const struct optimizing *o)
{
	uint64_t total = number(o, "total_bytes");
	uint64_t looked = number(o, "looked_bytes");
	uint64_t freed = number(o, "freed_bytes");
	uint64_t made = number(o, "new_bytes");
	char text[CMD_BYTES_MAX];
	char gained[CMD_BYTES_MAX];

	if (!o->show || o->dry_run)
		return;
	(void)fprintf(stderr, "\roptimising: ");
	if (total > 0)
		(void)fprintf(stderr, "%3.0f %%, ",
			      100.0 * (double)min_u64(looked, total) /
				      (double)total);
	(void)fprintf(stderr, "%s looked at, %s saved   ",
		      cmd_bytes(looked, text),
		      cmd_bytes(freed > made ? freed - made : 0, gained));
	(void)fflush(stderr);
}

static void clear_progress(const struct optimizing *o)
{
	if (o->show && !o->dry_run)
		(void)fprintf(stderr, "\r%70s\r", "");
}

static void tell_estimate(const struct optimizing *o)
{
	uint64_t before = number(o, "before_bytes");
	uint64_t after = number(o, "after_bytes");
	char text[CMD_BYTES_MAX];
	char less[CMD_BYTES_MAX];

	(void)printf("%-12s %s", "tried on",
		     cmd_bytes(number(o, "sampled_bytes"), text));
	(void)printf(": %s, optimised %s\n", cmd_bytes(before, text),
		     cmd_bytes(after, less));
	if (before == 0)
		return;
	(void)printf("%-12s %.1f %% (%.1f to %.1f) of what is stored\n",
		     "to gain", 100.0 - 100.0 * (double)after / (double)before,
		     100.0 - (double)number(o, "high_permille") / 10,
		     100.0 - (double)number(o, "low_permille") / 10);
}

static void tell_sum(const struct optimizing *o)
{
	uint64_t freed = number(o, "freed_bytes");
	uint64_t made = number(o, "new_bytes");
	char text[CMD_BYTES_MAX];
	char more[CMD_BYTES_MAX];

	(void)printf("%-12s %s", "looked at",
		     cmd_bytes(number(o, "looked_bytes"), text));
	(void)printf(", of which %s are in %" PRIu64 " new frames\n",
		     cmd_bytes(number(o, "moved_bytes"), text),
		     number(o, "frames"));
	(void)printf("%-12s %s instead of", "these take",
		     cmd_bytes(made, text));
	(void)printf(" %s\n", cmd_bytes(freed, text));
	(void)printf("%-12s %s before, %s now\n", "the store",
		     cmd_bytes(number(o, "stored_before_bytes"), text),
		     cmd_bytes(number(o, "stored_after_bytes"), more));
}

/* How the job ended. A status. */
static int tell(const struct optimizing *o)
{
	uint64_t result = number(o, "result");
	char text[256] = "";

	clear_progress(o);
	if (o->json)
		(void)puts(o->reply);
	else if (o->dry_run && result == 0)
		tell_estimate(o);
	else if (!o->dry_run)
		tell_sum(o);
	if (result == 0)
		return STATUS_OK;
	(void)json_get_text(o->reply, "problem", text, sizeof(text));
	if (result == ECANCELED)
		report_error("'%s': ended before all was done", o->store);
	else if (result == ENOSPC)
		report_error("'%s': no room on the disk for more", o->store);
	else
		report_error("'%s': %s", o->store, text);
	return STATUS_FAILED;
}

/* ---- the job -------------------------------------------------------------- */

static int ask_job(void *optimizing, const char *arguments)
{
	return ask(optimizing, arguments);
}

static void show_job(const void *optimizing)
{
	show_progress(optimizing);
}

static int wait_for_end(struct optimizing *o)
{
	return job_wait(
		&(struct job){ ask_job, show_job, o, .reply = o->reply });
}

static int fail(const struct optimizing *o, int rc)
{
	char text[EXPLAIN_MAX];

	clear_progress(o);
	if (rc == -EBUSY && !o->volume)
		report_error("'%s': is being optimised already", o->store);
	else if (rc == -EROFS)
		report_error("'%s': the store is read-only", o->store);
	else if (rc == -ECONNRESET)
		report_error("'%s': was unmounted meanwhile", o->store);
	else {
		explain_open(o->store, rc, text);
		report_error("%s", text);
	}
	return STATUS_FAILED;
}

static int optimize_store(struct optimizing *o, char *const *paths)
{
	int status = STATUS_OK;
	int rc = is_mounted(o) ? 0 : open_here(o);

	(void)snprintf(o->arguments, sizeof(o->arguments),
		       "%s %" PRIu64 " %" PRIu64 " %u %d",
		       o->dry_run ? "estimate" : "start", o->frame_len,
		       o->min_speed, o->n_threads, o->volume ? 0 : 1);
	if (rc == 0)
		status = put_paths(o, paths);
	if (rc == 0 && status == STATUS_OK) {
		job_catch_signals();
		rc = ask(o, o->arguments);
		if (rc == 0)
			rc = wait_for_end(o);
		/* It was there a moment ago. */
		if (!o->volume && control_is_gone(rc))
			rc = -ECONNRESET;
		if (rc == 0)
			status = tell(o);
	}
	rc = close_here(o, rc);
	return rc < 0 ? fail(o, rc) : status;
}

/* ---- the command line ----------------------------------------------------- */

/* "4M", "512K", in bytes; "500", in MB/s. -EINVAL. */
static int parse_number(const char *text, uint64_t max, const char *units,
			uint64_t *ret)
{
	unsigned long long value;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0 || value > max)
		return -EINVAL;
	if (*units && (*end == 'K' || *end == 'k'))
		value <<= 10;
	else if (*units && *end == 'M')
		value <<= 20;
	else if (*end != '\0')
		return -EINVAL;
	if (*end != '\0' && end[1] != '\0')
		return -EINVAL;
	*ret = value;
	return 0;
}

static int take_frame(struct optimizing *o)
{
	if (parse_number(optarg, OPTIMIZE_FRAME_MAX, "KM", &o->frame_len) < 0 ||
	    o->frame_len < OPTIMIZE_FRAME_MIN ||
	    o->frame_len > OPTIMIZE_FRAME_MAX)
		return cmd_usage(&cmd_optimize,
				 "'%s' is no length of frames: 256K to 4M",
				 optarg);
	return STATUS_OK;
}

static int take_speed(struct optimizing *o)
{
	enum { SPEED_MAX = 100000, MB = 1000000 };

	if (parse_number(optarg, SPEED_MAX, "", &o->min_speed) < 0 ||
	    o->min_speed == 0)
		return cmd_usage(&cmd_optimize,
				 "'%s' is no speed: 1 to 100000 MB/s", optarg);
	o->min_speed *= MB;
	return STATUS_OK;
}

static int take_option(struct optimizing *o, int opt)
{
	switch (opt) {
	case 'f':
		return take_frame(o);
	case OPT_MIN_SPEED:
		return take_speed(o);
	case 'j':
		if (transfer_parse_workers(optarg, &o->n_threads) == 0)
			return STATUS_OK;
		return cmd_usage(&cmd_optimize,
				 "'%s' is no number of workers: 0 to 64",
				 optarg);
	case 'n':
		o->dry_run = true;
		return STATUS_OK;
	case OPT_JSON:
		o->json = true;
		return STATUS_OK;
	default:
		return cmd_optimize.usage_status;
	}
}

static int run(int argc, char **argv)
{
	const struct cmd_options options = { ":hf:j:n", longs };
	AUTO_FREE struct optimizing *o = calloc(1, sizeof(*o));
	int status = o ? STATUS_OK : STATUS_FAILED;
	int opt;

	while (status == STATUS_OK &&
	       (opt = cmd_getopt(&cmd_optimize, argc, argv, &options)) != -1)
		status = take_option(o, opt);
	if (status != STATUS_OK)
		return status;
	if (optind == argc)
		return cmd_arguments(&cmd_optimize, argc, argv, 1);
	if (o->dry_run && optind + 1 < argc)
		return cmd_usage(&cmd_optimize,
				 "'--dry-run' is for a whole store");
	cmd_find_store(argv[optind], o->store);
	o->show = isatty(STDERR_FILENO) != 0;
	return optimize_store(o, argv + optind + 1);
}

const struct command cmd_optimize = {
	.name = "optimize",
	.synopsis = "[OPTION]... STORE|DIR [PATH]...",
	.summary = "Encodes again what is stored, smaller",
	.help = "Everything, or what the files PATH, or in the directories "
		"PATH, refer to. Of a\n"
		"store that is not mounted, paths begin at its root. A mounted "
		"store can be used\n"
		"meanwhile. May be ended at any time; what was done is not "
		"done again.\n"
		"\n"
		"  -f, --frame=SIZE      bytes that are encoded together: 256K "
		"to 4M\n"
		"                        (default 1M); longer is smaller, and "
		"slower to read here\n"
		"                        and there\n"
		"      --min-speed=MB/S  at which what is stored has to be "
		"decoded (default 500)\n"
		"  -j, --jobs=N          workers (default: one for each "
		"processor)\n"
		"  -n, --dry-run         tells from a sample what there is to "
		"gain\n"
		"      --json            one JSON object on one line\n"
		"\n"
		"Exit status: 0, 1 failure or ended before all was done, 2 "
		"usage.\n",
	.usage_status = STATUS_USAGE,
	.run = run,
};
