/* SPDX-License-Identifier: MIT */
/*
 * cmd_decode.c - sigmafs decode: a stream becomes a file again, or a part of
 * it, or what is left of it.
 */
#include "cmd.h"

#include "base/error.h"
#include "base/report.h"
#include "convert.h"
#include "json.h"
#include "options.h"
#include "stream/range.h"
#include "stream/unpack.h"
#include "tune.h"

#include <inttypes.h>

enum { JSON_LIMIT = 64 << 20 };

enum long_option {
	OPT_RANGE = CONVERT_OWN,
	OPT_SALVAGE,
};

static const struct option longs[] = {
	CONVERT_LONGS,
	{ "range", required_argument, NULL, OPT_RANGE },
	{ "salvage", no_argument, NULL, OPT_SALVAGE },
	{ 0 },
};

struct decoding {
	struct convert io;
	bool salvage;
	bool range;
	uint64_t from;
	uint64_t to;
	struct unpack_totals totals;
	struct json told; /* with --json: what is missing, then the rest */
};

/* ---- where the bytes go --------------------------------------------------- */

static int write_out(void *ctx, struct span bytes)
{
	struct decoding *d = ctx;

	return output_write(&d->io.out, bytes);
}

static int zeros_out(void *ctx, uint64_t len)
{
	struct decoding *d = ctx;

	return output_zeros(&d->io.out, len);
}

/* The line is for people, the object for programs. */
static void tell_missing(void *ctx, uint64_t raw_off, uint64_t len)
{
	struct decoding *d = ctx;

	if (!d->io.json) {
		report_error("decode: '%s': missing: %" PRIu64
			     " bytes from byte %" PRIu64 " on",
			     d->io.in.name, len, raw_off);
		return;
	}
	json_open(&d->told, NULL, '{');
	json_u64(&d->told, "offset", raw_off);
	json_u64(&d->told, "bytes", len);
	json_close(&d->told, '}');
}

static struct thaw_sink sink_of(struct decoding *d)
{
	return (struct thaw_sink){
		.ctx = d,
		.write = write_out,
		.zeros = zeros_out,
		.missing = tell_missing,
	};
}

/* ---- decoding ------------------------------------------------------------- */

static int copy(struct decoding *d, struct unpack *u)
{
	uint8_t *room;
	size_t len;
	ssize_t n;
	int rc;

	for (;;) {
		len = unpack_room(u, &room);
		n = transfer_read(&d->io.in, room, len);
		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		rc = unpack_filled(u, (size_t)n);
		if (rc < 0)
			return rc;
	}
	return unpack_finish(u, &d->totals);
}

static int decode_all(struct decoding *d)
{
	const struct unpack_options options = {
		.n_workers = d->io.n_workers,
		.lenient = d->salvage,
		.sink = sink_of(d),
	};
	struct unpack *u;
	int rc = unpack_new(&options, &u);

	if (rc < 0)
		return rc;
	rc = copy(d, u);
	unpack_free(u);
	transfer_done(&d->io.in);
	return rc;
}

static int read_range(struct decoding *d, struct range *r)
{
	const struct thaw_options how = {
		.n_workers = d->io.n_workers,
		.sink = sink_of(d),
		.from = d->from,
		.to = d->to,
	};
	int rc;

	if (d->from > range_raw_len(r))
		return -ERANGE;
	rc = range_read(r, &how);
	d->totals = (struct unpack_totals){
		.raw_len = min_u64(d->to, range_raw_len(r)) - d->from,
		.stored_len = range_read_len(r),
		.n_frames = range_n_frames(r),
		.end_known = true,
	};
	return rc;
}

static int decode_range(struct decoding *d)
{
	struct range *r;
	int rc = range_open(d->io.in.fd, &r);

	if (rc < 0)
		return rc;
	rc = read_range(d, r);
	range_close(r);
	return rc;
}

/* ---- telling -------------------------------------------------------------- */

static bool is_whole(const struct decoding *d)
{
	return d->totals.n_missing == 0 && d->totals.end_known;
}

static int finish_json(struct decoding *d)
{
	struct json *json = &d->told;
	const struct unpack_totals *t = &d->totals;
	const char *text;
	int rc;

	json_close(json, ']');
	json_u64(json, "missing_bytes", t->missing_len);
	json_bool(json, "end_known", t->end_known);
	json_bool(json, "whole", is_whole(d));
	json_u64(json, "raw_bytes", t->raw_len);
	json_u64(json, "read_bytes", t->stored_len);
	json_u64(json, "frames", t->n_frames);
	json_u64(json, "workers", d->io.n_workers);
	transfer_put(&d->io.in, t->raw_len, json);
	json_close(json, '}');
	rc = json_end(json, &text);
	if (rc == 0)
		(void)fprintf(convert_telling(&d->io), "%s\n", text);
	return rc;
}

static void print_stats(const struct decoding *d)
{
	char raw[CMD_BYTES_MAX];
	char stored[CMD_BYTES_MAX];
	char memory[CMD_BYTES_MAX];

	(void)fprintf(convert_telling(&d->io),
		      "%-8s %s out of %s\n"
		      "%-8s %" PRIu64 "\n"
		      "%-8s %s at the peak\n",
		      "bytes", cmd_bytes(d->totals.raw_len, raw),
		      cmd_bytes(d->totals.stored_len, stored), "frames",
		      d->totals.n_frames, "memory",
		      cmd_bytes(transfer_peak_memory(), memory));
}

static int tell(struct decoding *d)
{
	int rc = 0;

	if (!d->io.json && !d->totals.end_known)
		report_error("decode: '%s': the end is missing, what was "
			     "behind byte %" PRIu64 " is not known",
			     d->io.in.name, d->totals.raw_len);
	if (d->io.json)
		rc = finish_json(d);
	else if (d->io.stats)
		print_stats(d);
	return rc;
}

static bool is_damage(int rc)
{
	return rc == -EUCLEAN || rc == -EBADMSG || rc == -EINVAL;
}

static int fail(const struct decoding *d, int rc)
{
	const char *in = d->io.in.name;

	if (convert_tell_ends(&d->io, rc))
		return STATUS_FAILED;
	if (rc == -EINVAL)
		report_error("decode: '%s' is not a stream of sigmafs", in);
	else if (is_damage(rc))
		report_error("decode: '%s' is damaged; --salvage gives back "
			     "what is intact",
			     in);
	else if (rc == -EOPNOTSUPP)
		report_error("decode: '%s' has a newer format", in);
	else if (rc == -ERANGE)
		report_error("decode: '%s' ends before byte %" PRIu64, in,
			     d->from);
	else
		report_error("decode: '%s': %s", in, error_text(rc));
	return is_damage(rc) ? STATUS_DAMAGE : STATUS_FAILED;
}

/* ---- the whole ------------------------------------------------------------ */

static int decode_open(struct decoding *d)
{
	int rc;

	json_open(&d->told, NULL, '{');
	json_open(&d->told, "missing", '[');
	rc = d->range ? decode_range(d) : decode_all(d);
	if (rc < 0)
		return rc;
	return output_finish(&d->io.out,
			     d->range ? NULL : convert_like(&d->io));
}

static int decode(struct decoding *d)
{
	int status = convert_open_output(&d->io);
	int rc;

	if (status != STATUS_OK)
		return status;
	if (d->io.progress)
		d->io.in.verb = "decoded";
	rc = decode_open(d);
	if (rc == 0)
		rc = tell(d);
	if (rc == 0)
		return is_whole(d) ? STATUS_OK : STATUS_DAMAGE;
	return fail(d, rc);
}

/* ---- command line --------------------------------------------------------- */

/* "OFFSET:LENGTH"; without a LENGTH up to the end. */
static int take_range(struct decoding *d, const char *text)
{
	const char *colon = strchr(text, ':');
	char offset[32];
	uint64_t len = UINT64_MAX;
	int rc = -EINVAL;

	if (colon && (size_t)(colon - text) < sizeof(offset)) {
		(void)snprintf(offset, sizeof(offset), "%.*s",
			       (int)(colon - text), text);
		rc = options_parse_size(offset, &d->from);
		if (rc == 0 && colon[1] != '\0')
			rc = options_parse_size(colon + 1, &len);
	}
	if (rc < 0)
		return cmd_usage(&cmd_decode, "option '--range' needs "
					      "OFFSET:LENGTH, in bytes");
	d->to = len > UINT64_MAX - d->from ? UINT64_MAX : d->from + len;
	d->range = true;
	return 0;
}

static int take_option(struct decoding *d, int opt)
{
	switch (opt) {
	case OPT_RANGE:
		return take_range(d, optarg);
	case OPT_SALVAGE:
		d->salvage = true;
		return 0;
	default:
		return convert_option(&d->io, opt);
	}
}

static int take_options(struct decoding *d, int argc, char **argv)
{
	const struct cmd_options options = { CONVERT_SHORTS, longs };
	int status = 0;
	int opt;

	while (status == 0 &&
	       (opt = cmd_getopt(&cmd_decode, argc, argv, &options)) != -1)
		status = take_option(d, opt);
	if (status != 0)
		return status;
	if (d->range && d->salvage)
		return cmd_usage(
			&cmd_decode,
			"'--range' and '--salvage' do not go together");
	if (d->io.json && !d->io.stats && !d->salvage)
		return cmd_usage(&cmd_decode,
				 "'--json' is for '--stats' and '--salvage'");
	return convert_file(&d->io, argc, argv);
}

static int run(int argc, char **argv)
{
	struct decoding d = { .salvage = false };
	int status;

	convert_init(&d.io, &cmd_decode);
	status = take_options(&d, argc, argv);
	if (status != 0)
		return status;
	tune_memory();
	json_init(&d.told, JSON_LIMIT);
	status = convert_open_input(&d.io);
	if (status == STATUS_OK && d.range && !transfer_is_file(&d.io.in)) {
		report_error("decode: '--range' needs a file, which '%s' is "
			     "not",
			     d.io.in.name);
		status = STATUS_USAGE;
	} else if (status == STATUS_OK) {
		status = decode(&d);
	}
	json_release(&d.told);
	convert_close(&d.io);
	return status;
}

const struct command cmd_decode = {
	.name = "decode",
	.synopsis = "[FILE|-] [-o OUT] [-j N]",
	.summary = "Decodes a stream, a part of it, or its remains",
	.help = "Reads FILE or the standard input, writes OUT or the standard output. All of\n"
		"it is verified: what is written is what was encoded.\n"
		"\n"
		"  -o, --output OUT    a file, which must not exist; it appears when it is\n"
		"                      whole. Blocks of zeros are holes in it.\n"
		"  -f, --force         replace OUT\n"
		"  -j, --jobs N        N workers, default 1; 0: one for each processor\n"
		"      --range OFFSET:LENGTH\n"
		"                      only these bytes; reads only what it must. FILE is no\n"
		"                      pipe. Without LENGTH up to the end\n"
		"      --salvage       what is intact of a damaged stream, each byte at its\n"
		"                      place, zeros between; tells on stderr what is missing\n"
		"      --progress      shows on stderr how far it is\n"
		"      --stats         tells what it did; on stderr, if the bytes go to\n"
		"                      stdout\n"
		"      --json          --stats, and what is missing, as one JSON object\n"
		"\n"
		"Exit status: 0, 1 failure, 2 usage, 4 damage was found.\n",
	.usage_status = STATUS_USAGE,
	.run = run,
};
