/* SPDX-License-Identifier: MIT */
/*
 * cmd_stat.c - sigmafs stat: what a store holds, and what it takes.
 *
 * A mounted store is asked through its daemon, another one is opened to read.
 */
#include "cmd.h"

#include "base/error.h"
#include "base/report.h"
#include "cmd_scrub_state.h"
#include "control.h"
#include "explain.h"
#include "json.h"
#include "mountinfo.h"
#include "stats.h"
#include "volume/volume.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static const struct option longs[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* What there is to tell. */
struct told {
	struct stats stats;
	char store[PATH_MAX];
	char mounted_on[PATH_MAX]; /* empty: not mounted */
	uint64_t pid;
	struct scrub_state scrub;
};

/* ---- asking --------------------------------------------------------------- */

/* What a scrub has found, one by one: together they may be too long. */
static int ask_entries(struct told *t)
{
	char reply[CONTROL_REPLY_MAX];
	char arguments[32];
	const struct control_request request = { CONTROL_SCRUB, arguments };
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < t->scrub.n_entries; i++) {
		(void)snprintf(arguments, sizeof(arguments), "found %zu", i);
		rc = control_ask(t->store, &request, reply);
		if (rc == 0)
			rc = scrub_entry_get(reply, &t->scrub.entries[i]);
	}
	/* Another scrub has begun meanwhile. */
	if (rc == -ENODATA) {
		t->scrub.n_entries = i - 1;
		rc = 0;
	}
	return rc;
}

static int ask_daemon(struct told *t)
{
	char reply[CONTROL_REPLY_MAX];
	int rc = control_ask_verb(t->store, CONTROL_STAT, reply);

	if (rc == 0)
		rc = stats_get(reply, &t->stats);
	if (rc == 0)
		rc = json_get_u64(reply, "pid", &t->pid);
	if (rc == 0)
		rc = json_get_text(reply, "mounted_on", t->mounted_on,
				   sizeof(t->mounted_on));
	if (rc == 0)
		rc = scrub_state_get(reply, &t->scrub);
	return rc < 0 ? rc : ask_entries(t);
}

static int open_and_read(struct told *t)
{
	const struct volume_options options = { .store.read_only = true };
	struct volume *volume;
	int rc = volume_open(t->store, &options, &volume);
	int close_rc;

	if (rc < 0)
		return rc;
	rc = stats_read(volume, &t->stats);
	/* None that can be read is as good as none. */
	(void)scrub_state_load(store_dir_fd(volume_store(volume)), &t->scrub);
	close_rc = volume_close(volume);
	return rc < 0 ? rc : close_rc;
}

static int ask(struct told *t)
{
	int rc = ask_daemon(t);

	return control_is_absent(rc) ? open_and_read(t) : rc;
}

/* ---- telling -------------------------------------------------------------- */

static void put_scrub(const struct scrub_state *state, struct json *json)
{
	size_t i;

	scrub_state_put(state, json);
	json_open(json, "scrub_found", '[');
	for (i = 0; i < state->n_entries; i++) {
		json_open(json, NULL, '{');
		scrub_entry_put(&state->entries[i], json);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static int print_json(const struct told *t)
{
	struct json json;
	const char *text;
	int rc;

	json_init(&json, CONTROL_REPLY_MAX);
	json_open(&json, NULL, '{');
	json_text(&json, "store", t->store);
	json_bool(&json, "mounted", t->pid != 0);
	if (t->pid != 0) {
		json_text(&json, "mounted_on", t->mounted_on);
		json_u64(&json, "pid", t->pid);
	}
	stats_put(&t->stats, &json);
	put_scrub(&t->scrub, &json);
	json_close(&json, '}');
	rc = json_end(&json, &text);
	if (rc == 0)
		(void)puts(text);
	json_release(&json);
	return rc;
}

static void print_count(const char *title, uint64_t n, uint64_t bytes)
{
	char text[CMD_BYTES_MAX];

	(void)printf("%-12s %" PRIu64 ", %s\n", title, n,
		     cmd_bytes(bytes, text));
}

static void print_frames(const uint64_t *v)
{
	(void)printf("%-12s %" PRIu64 ": constant %" PRIu64
		     ", as it is %" PRIu64 ", lz4 %" PRIu64 ", zstd %" PRIu64
		     ", mixed %" PRIu64 ", delta %" PRIu64 ", codebook %" PRIu64
		     ", columns %" PRIu64 ", code %" PRIu64 ", numbers %" PRIu64
		     "\n",
		     "frames", v[STATS_FRAMES], v[STATS_FRAMES_FILL],
		     v[STATS_FRAMES_STORE], v[STATS_FRAMES_LZ4],
		     v[STATS_FRAMES_ZSTD], v[STATS_FRAMES_MIXED],
		     v[STATS_FRAMES_DELTA], v[STATS_FRAMES_CODEBOOK],
		     v[STATS_FRAMES_COLUMNS], v[STATS_FRAMES_CODE],
		     v[STATS_FRAMES_NUMBERS]);
}

/* What the store has done by itself since it was mounted. */
static void print_idle(const uint64_t *v)
{
	char raw[CMD_BYTES_MAX];
	char old[CMD_BYTES_MAX];
	char new[CMD_BYTES_MAX];
	char when[64] = "";
	time_t seconds = (time_t)v[STATS_IDLE_WHEN];
	struct tm tm;

	if (seconds == 0)
		return;
	if (localtime_r(&seconds, &tm))
		(void)strftime(when, sizeof(when), ", last at %F %T", &tm);
	(void)printf("%-12s %s optimised, %s before, %s now%s\n", "idle",
		     cmd_bytes(v[STATS_IDLE], raw),
		     cmd_bytes(v[STATS_IDLE_OLD], old),
		     cmd_bytes(v[STATS_IDLE_NEW], new), when);
}

static void print_scrub(const struct scrub_state *state)
{
	const bool ended = state->ended != 0;
	const time_t when = (time_t)(ended ? state->ended : state->begun);
	char text[CMD_BYTES_MAX];
	char line[SCRUB_LINE_MAX];
	struct tm tm;
	size_t i;

	if (state->begun == 0) {
		(void)printf("%-12s never\n", "scrub");
		return;
	}
	if (!localtime_r(&when, &tm) ||
	    strftime(line, sizeof(line), "%Y-%m-%d %H:%M", &tm) == 0)
		line[0] = '\0';
	(void)printf("%-12s %s %s: %s in %" PRIu64 " frames, %" PRIu64
		     " damaged\n",
		     "scrub", ended ? "ended" : "not ended, begun", line,
		     cmd_bytes(state->pass.n_bytes, text), state->pass.n_frames,
		     state->pass.n_damaged);
	for (i = 0; i < state->n_entries; i++) {
		scrub_entry_line(&state->entries[i], line);
		(void)printf("%-12s %s\n", "damaged", line);
	}
}

static void print_text(const struct told *t)
{
	const uint64_t *v = t->stats.values;
	char text[CMD_BYTES_MAX];
	char total[CMD_BYTES_MAX];

	(void)printf("%-12s %s\n", "store", t->store);
	if (t->pid != 0)
		(void)printf("%-12s %s (process %" PRIu64 ")\n", "mounted on",
			     t->mounted_on, t->pid);
	print_count("files", v[STATS_FILES], v[STATS_RAW]);
	(void)printf("%-12s %s", "stored", cmd_bytes(v[STATS_STORED], text));
	if (v[STATS_RAW] > 0 && v[STATS_STORED] > 0)
		(void)printf(", ratio %.2f",
			     (double)v[STATS_RAW] / (double)v[STATS_STORED]);
	(void)printf("\n");
	(void)printf("%-12s %s in use, %s to give back\n", "data",
		     cmd_bytes(v[STATS_LIVE], text),
		     cmd_bytes(v[STATS_DEAD], total));
	print_count("chunks", v[STATS_CHUNKS], v[STATS_CHUNK_BYTES]);
	print_count("duplicates", v[STATS_DUPLICATES],
		    v[STATS_DUPLICATE_BYTES]);
	print_frames(v);
	print_idle(v);
	(void)printf("%-12s %" PRIu64 "\n", "segments", v[STATS_SEGMENTS]);
	(void)printf("%-12s %s free of %s\n", "disk",
		     cmd_bytes(v[STATS_FREE], text),
		     cmd_bytes(v[STATS_TOTAL], total));
	print_scrub(&t->scrub);
}

/* ---- the whole ------------------------------------------------------------ */

static int fail(const struct told *t, int rc)
{
	char text[EXPLAIN_MAX];

	explain_open(t->store, rc, text);
	report_error("%s", text);
	return STATUS_FAILED;
}

static int run(int argc, char **argv)
{
	const struct cmd_options options = { ":h", longs };
	struct told t = { 0 };
	bool json = false;
	int opt;
	int rc;

	while ((opt = cmd_getopt(&cmd_stat, argc, argv, &options)) != -1) {
		if (opt != 'j')
			return cmd_stat.usage_status;
		json = true;
	}
	rc = cmd_arguments(&cmd_stat, argc, argv, 1);
	if (rc != 0)
		return rc;
	cmd_find_store(argv[optind], t.store);
	rc = ask(&t);
	if (rc == 0 && json)
		rc = print_json(&t);
	if (rc == 0 && !json) {
		report_blank(t.store);
		report_blank(t.mounted_on);
		print_text(&t);
	}
	return rc < 0 ? fail(&t, rc) : STATUS_OK;
}

const struct command cmd_stat = {
	.name = "stat",
	.synopsis = "[--json] STORE|DIR",
	.summary = "Tells what a store holds and what it takes",
	.help = "DIR is a mounted store, or any file or directory in one.\n"
		"\n"
		"  --json   one JSON object on one line, all numbers in bytes or "
		"counts\n"
		"\n"
		"Exit status: 0, 1 failure, 2 usage.\n",
	.usage_status = STATUS_USAGE,
	.run = run,
};
