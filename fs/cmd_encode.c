/* SPDX-License-Identifier: MIT */
/*
 * cmd_encode.c - sigmafs encode: a file or a pipe becomes a stream.
 */
#include "cmd.h"

#include "base/error.h"
#include "base/report.h"
#include "convert.h"
#include "json.h"
#include "options.h"
#include "stream/head.h"
#include "stream/pack.h"
#include "tune.h"

#include <inttypes.h>
#include <unistd.h>

enum { JSON_LIMIT = 64 << 10 };

/*
 * What is resident besides the packer: the program and its libraries (2.9 MB
 * before anything is done); for each worker a stack and an arena. Measured,
 * rounded up.
 */
static const uint64_t program_memory = 4 * MIB;
static const uint64_t thread_memory = 256 * KIB;

enum long_option {
	OPT_FAST = CONVERT_OWN,
	OPT_EFFORT,
	OPT_FRAME,
	OPT_PLAN,
};

static const struct option longs[] = {
	CONVERT_LONGS,
	{ "fast", no_argument, NULL, OPT_FAST },
	{ "effort", required_argument, NULL, OPT_EFFORT },
	{ "frame", required_argument, NULL, OPT_FRAME },
	{ "plan", no_argument, NULL, OPT_PLAN },
	{ 0 },
};

struct encoding {
	struct convert io;
	struct pack_options options;
	bool plan;
	struct pack_totals totals;
};

/* ---- telling -------------------------------------------------------------- */

static void put_options(const struct encoding *e, struct json *json)
{
	json_text(json, "effort", encode_effort_name(e->options.effort));
	json_u64(json, "workers", e->options.n_workers);
	json_u64(json, "frame_bytes", e->options.frame_len);
}

/* What becomes of frames here: deltas and codebooks are a store's. */
static const struct {
	enum encode_kind kind;
	const char *key;
	const char *words;
} kinds[] = {
	{ ENCODE_FILL, "frames_fill", "constant" },
	{ ENCODE_STORE, "frames_store", "as it is" },
	{ ENCODE_LZ4, "frames_lz4", "lz4" },
	{ ENCODE_ZSTD, "frames_zstd", "zstd" },
	{ ENCODE_COLUMNS, "frames_columns", "columns" },
	{ ENCODE_CODE, "frames_code", "code" },
	{ ENCODE_NUMBERS, "frames_numbers", "numbers" },
	{ ENCODE_MIXED, "frames_mixed", "mixed" },
};

static void put_stats(const struct encoding *e, struct json *json)
{
	size_t i;

	json_u64(json, "raw_bytes", e->totals.raw_len);
	json_u64(json, "stored_bytes", e->totals.stored_len);
	json_ratio(json, "ratio", e->totals.raw_len, e->totals.stored_len);
	json_u64(json, "frames", e->totals.n_frames);
	for (i = 0; i < ARRAY_LEN(kinds); i++)
		json_u64(json, kinds[i].key, e->totals.n_kinds[kinds[i].kind]);
	put_options(e, json);
	transfer_put(&e->io.in, e->totals.raw_len, json);
}

/* Prints the object with the members that `put` adds. */
static int print_json(const struct encoding *e,
		      void (*put)(const struct encoding *, struct json *))
{
	struct json json;
	const char *text;
	int rc;

	json_init(&json, JSON_LIMIT);
	json_open(&json, NULL, '{');
	put(e, &json);
	json_close(&json, '}');
	rc = json_end(&json, &text);
	if (rc == 0)
		(void)fprintf(convert_telling(&e->io), "%s\n", text);
	json_release(&json);
	return rc;
}

static void print_stats(const struct encoding *e)
{
	char raw[CMD_BYTES_MAX];
	char stored[CMD_BYTES_MAX];
	char memory[CMD_BYTES_MAX];
	const struct pack_totals *t = &e->totals;
	size_t i;

	(void)fprintf(convert_telling(&e->io),
		      "%-8s %s to %s, ratio %.3f\n"
		      "%-8s %" PRIu64 ": ",
		      "bytes", cmd_bytes(t->raw_len, raw),
		      cmd_bytes(t->stored_len, stored),
		      (double)t->raw_len / (double)t->stored_len, "frames",
		      t->n_frames);
	for (i = 0; i < ARRAY_LEN(kinds); i++)
		(void)fprintf(convert_telling(&e->io), "%s%s %" PRIu64,
			      i > 0 ? ", " : "", kinds[i].words,
			      t->n_kinds[kinds[i].kind]);
	(void)fprintf(convert_telling(&e->io), "\n%-8s %s at the peak\n",
		      "memory", cmd_bytes(transfer_peak_memory(), memory));
}

static int tell_stats(const struct encoding *e)
{
	if (!e->io.stats)
		return 0;
	if (e->io.json)
		return print_json(e, put_stats);
	print_stats(e);
	return 0;
}

/* ---- plan ----------------------------------------------------------------- */

static uint64_t plan_memory(const struct encoding *e)
{
	return program_memory + e->options.n_workers * thread_memory +
	       pack_memory(&e->options);
}

static uint64_t plan_n_frames(const struct encoding *e)
{
	uint64_t size = (uint64_t)e->io.in.st.st_size;

	return (size + e->options.frame_len - 1) / e->options.frame_len;
}

static void put_plan(const struct encoding *e, struct json *json)
{
	if (transfer_is_file(&e->io.in)) {
		json_u64(json, "raw_bytes", (uint64_t)e->io.in.st.st_size);
		json_u64(json, "frames", plan_n_frames(e));
	}
	put_options(e, json);
	json_u64(json, "memory_bytes", plan_memory(e));
}

static int tell_plan(const struct encoding *e)
{
	char size[CMD_BYTES_MAX];

	if (e->io.json)
		return print_json(e, put_plan);
	(void)printf("%-8s %s\n", "frame",
		     cmd_bytes(e->options.frame_len, size));
	if (transfer_is_file(&e->io.in))
		(void)printf("%-8s %" PRIu64 " for %s\n", "frames",
			     plan_n_frames(e),
			     cmd_bytes((uint64_t)e->io.in.st.st_size, size));
	else
		(void)printf("%-8s as many as there will be\n", "frames");
	(void)printf("%-8s at most %s, with %u %s, whatever the size\n",
		     "memory", cmd_bytes(plan_memory(e), size),
		     e->options.n_workers,
		     e->options.n_workers == 1 ? "worker" : "workers");
	return 0;
}

/* ---- encoding ------------------------------------------------------------- */

static int write_out(void *ctx, struct span bytes)
{
	return output_write(ctx, bytes);
}

static int copy(struct encoding *e, struct pack *pack)
{
	uint8_t *room;
	size_t len;
	ssize_t n;
	int rc;

	do {
		rc = pack_room(pack, &room, &len);
		if (rc < 0)
			return rc;
		n = transfer_read(&e->io.in, room, len);
		if (n < 0)
			return (int)n;
		pack_filled(pack, (size_t)n);
	} while (n > 0);
	return pack_finish(pack, &e->totals);
}

static int encode_open(struct encoding *e)
{
	struct pack *pack;
	int rc;

	e->options.ctx = &e->io.out;
	e->options.write = write_out;
	rc = pack_new(&e->options, &pack);
	if (rc < 0)
		return rc;
	rc = copy(e, pack);
	pack_free(pack);
	transfer_done(&e->io.in);
	return rc < 0 ? rc : output_finish(&e->io.out, convert_like(&e->io));
}

static int open_output(struct encoding *e)
{
	int status = convert_open_output(&e->io);

	if (status == STATUS_OK && e->io.out.is_stdout && !e->io.force &&
	    isatty(e->io.out.fd) != 0) {
		report_error("encode: a stream is not for a terminal; -o names "
			     "a file, -f insists");
		return STATUS_USAGE;
	}
	return status;
}

static int encode(struct encoding *e)
{
	int status = open_output(e);
	int rc;

	if (status != STATUS_OK)
		return status;
	if (e->io.progress)
		e->io.in.verb = "encoded";
	rc = encode_open(e);
	if (rc == 0)
		rc = tell_stats(e);
	if (rc == 0)
		return STATUS_OK;
	if (!convert_tell_ends(&e->io, rc))
		report_error("encode: '%s': %s", e->io.in.name, error_text(rc));
	return STATUS_FAILED;
}

/* ---- command line --------------------------------------------------------- */

static int take_frame_len(struct encoding *e, const char *text)
{
	uint64_t len;

	if (options_parse_size(text, &len) < 0 || len < PACK_FRAME_MIN ||
	    len > PACK_FRAME_MAX)
		return cmd_usage(&cmd_encode,
				 "option '--frame' needs a size from 4K to 4M");
	e->options.frame_len = (size_t)len;
	return 0;
}

static int take_effort(struct encoding *e, const char *text)
{
	if (encode_effort_parse(span_of(text, strlen(text)),
				&e->options.effort) < 0)
		return cmd_usage(&cmd_encode,
				 "option '--effort' needs off, fastest, fast, "
				 "balanced or small");
	return 0;
}

static int take_option(struct encoding *e, int opt)
{
	switch (opt) {
	case OPT_FAST:
		e->options.effort = EFFORT_FASTEST;
		return 0;
	case OPT_EFFORT:
		return take_effort(e, optarg);
	case OPT_FRAME:
		return take_frame_len(e, optarg);
	case OPT_PLAN:
		e->plan = true;
		return 0;
	default:
		return convert_option(&e->io, opt);
	}
}

static int take_options(struct encoding *e, int argc, char **argv)
{
	const struct cmd_options options = { CONVERT_SHORTS, longs };
	int status = 0;
	int opt;

	while (status == 0 &&
	       (opt = cmd_getopt(&cmd_encode, argc, argv, &options)) != -1)
		status = take_option(e, opt);
	if (status != 0)
		return status;
	if (e->io.json && !e->io.stats && !e->plan)
		return cmd_usage(&cmd_encode,
				 "'--json' is for '--stats' and '--plan'");
	e->options.n_workers = e->io.n_workers;
	return convert_file(&e->io, argc, argv);
}

static int run(int argc, char **argv)
{
	struct encoding e = {
		.options = {
			.effort = EFFORT_BALANCED,
			.frame_len = PACK_FRAME_LEN,
		},
	};
	int status;

	convert_init(&e.io, &cmd_encode);
	status = take_options(&e, argc, argv);
	if (status != 0)
		return status;
	tune_memory();
	status = convert_open_input(&e.io);
	if (status == STATUS_OK && e.plan)
		status = tell_plan(&e) < 0 ? STATUS_FAILED : STATUS_OK;
	else if (status == STATUS_OK)
		status = encode(&e);
	convert_close(&e.io);
	return status;
}

const struct command cmd_encode = {
	.name = "encode",
	.synopsis = "[FILE|-] [-o OUT] [-j N]",
	.summary = "Encodes a file or a pipe as a stream",
	.help = "Reads FILE or the standard input, writes OUT or the standard output.\n"
		"\n"
		"  -o, --output OUT    a file, which must not exist; it appears when it is whole\n"
		"  -f, --force         replace OUT; write to a terminal\n"
		"  -j, --jobs N        N workers, default 1; 0: one for each processor\n"
		"      --fast          lz4: three times as fast, and larger\n"
		"      --effort LEVEL  off, fastest, fast, balanced (default), small\n"
		"      --frame SIZE    raw bytes of a frame, 4K to 4M, default 256K\n"
		"      --progress      shows on stderr how far it is\n"
		"      --stats         tells what became of it; on stderr, if the stream\n"
		"                      goes to stdout\n"
		"      --plan          encodes nothing: tells frame length, number of frames and\n"
		"                      the memory that it would take\n"
		"      --json          --stats and --plan as one JSON object on one line\n"
		"\n"
		"Exit status: 0, 1 failure, 2 usage.\n",
	.usage_status = STATUS_USAGE,
	.run = run,
};
