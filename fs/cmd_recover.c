/* SPDX-License-Identifier: MIT */
/*
 * cmd_recover.c - sigmafs recover: copies all that is readable into a directory.
 */
#include "cmd.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/io.h"
#include "base/report.h"
#include "json.h"
#include "percent.h"
#include "recover.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

static const struct option longs[] = {
	{ "carve", no_argument, NULL, 'c' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

enum { JSON_LIMIT = 128 << 20 /* a path may be long */ };

struct recovering {
	bool as_json;
	bool carve;
	bool loss; /* something is missing */
	int rc;    /* the first failure to tell */
	struct percent percent;
};

/* ---- telling -------------------------------------------------------------------- */

static void tell_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct recovering *c = ctx;

	percent_tell(&c->percent, done, total);
}

/* One line of the report: an object, or words. */
struct line {
	const char *what; /* key */
	const char *text; /* words; %s: the path, twice %llu at most */
	const char *path;
	const char *from_key; /* NULL: there is none */
	const char *to_key;
	uint64_t from;
	uint64_t to;
	const char *key;
	int rc;
};

static void put_line(struct recovering *c, struct json *json)
{
	const char *text;
	int rc;

	json_close(json, '}');
	rc = json_end(json, &text);
	if (rc == 0)
		(void)puts(text);
	else if (c->rc == 0)
		c->rc = rc;
	json_release(json);
}

static void tell_json(struct recovering *c, const struct line *l)
{
	struct json json;

	json_init(&json, JSON_LIMIT);
	json_open(&json, NULL, '{');
	json_text(&json, "what", l->what);
	if (l->path)
		json_text(&json, "path", l->path);
	if (l->from_key)
		json_u64(&json, l->from_key, l->from);
	if (l->to_key)
		json_u64(&json, l->to_key, l->to);
	if (l->key)
		json_text(&json, "name", l->key);
	if (l->rc < 0)
		json_text(&json, "error", error_text(l->rc));
	put_line(c, &json);
}

static void tell_text(const struct line *l)
{
	AUTO_FREE char *path = strdup(l->path && *l->path ? l->path : ".");

	if (path)
		report_blank(path);
	if (l->path)
		(void)printf("'%s': ", path ? path : "?");
	(void)printf("%s", l->text);
	if (l->key) {
		AUTO_FREE char *key = strdup(l->key);

		if (key)
			report_blank(key);
		(void)printf(" '%s'", key ? key : "?");
	}
	if (l->from_key && l->to_key)
		(void)printf(" %" PRIu64 " to %" PRIu64, l->from, l->to);
	else if (l->from_key)
		(void)printf(": %" PRIu64, l->from);
	if (l->rc < 0)
		(void)printf(": %s", error_text(l->rc));
	(void)putchar('\n');
}

static void tell(struct recovering *c, const struct line *l)
{
	percent_clear(&c->percent);
	if (c->as_json)
		tell_json(c, l);
	else
		tell_text(l);
}

/* What is said of the log. */
static const struct line log_lines[SALVAGE_N] = {
	[SALVAGE_BAD_BYTES] = { .what = "bad_bytes",
				.text = "no good record in bytes",
				.from_key = "from",
				.to_key = "to" },
	[SALVAGE_UNREADABLE] = { .what = "unreadable",
				 .text = "bytes that cannot be read",
				 .from_key = "bytes" },
	[SALVAGE_HEADER_LOST] = { .what = "header_lost",
				  .text = "the header is lost, and all of the segment "
					  "with it" },
	[SALVAGE_HEADER_MENDED] = { .what = "header_mended",
				    .text = "the header was damaged; it could be told "
					    "what it was" },
	[SALVAGE_SEGMENT_MISSING] = { .what = "segments_missing",
				      .text = "segments are missing:",
				      .from_key = "first",
				      .to_key = "last" },
	[SALVAGE_RECORDS_LOST] = { .what = "records_lost",
				   .text = "the log lacks records",
				   .from_key = "first",
				   .to_key = "last" },
	[SALVAGE_TAIL_DROPPED] = { .what = "tail_dropped",
				   .text = "never committed, and left out: records",
				   .from_key = "first",
				   .to_key = "last" },
	[SALVAGE_OP_REFUSED] = { .what = "record_refused",
				 .text = "a record that makes no sense",
				 .from_key = "record" },
	[SALVAGE_FOREIGN] = { .what = "foreign",
			      .text = "segments of other stores, left out",
			      .from_key = "segments" },
	[SALVAGE_INDEX_USED] = { .what = "index_used",
				 .text = "the index tells what the log lacks, up to "
					 "record",
				 .from_key = "record" },
};

static void tell_log(void *ctx, const struct salvage_finding *f)
{
	struct recovering *c = ctx;
	struct line l = log_lines[f->what];

	l.path = f->path;
	l.from = f->from;
	/* Bytes are counted up to the last one, as records are. */
	l.to = f->what == SALVAGE_BAD_BYTES ? f->to - 1 : f->to;
	c->loss = c->loss || salvage_is_loss(f->what);
	tell(c, &l);
}

/* What is said of files. */
static const struct line file_lines[RECOVER_N] = {
	[RECOVER_RANGE_LOST] = { .what = "range_lost",
				 .text = "lost, zeros now: bytes",
				 .from_key = "from",
				 .to_key = "to" },
	[RECOVER_HOLES_UNSURE] = { .what = "holes_unsure",
				   .text = "data may be missing where there are holes, "
					   "bytes",
				   .from_key = "bytes" },
	[RECOVER_ATTRS_LOST] = { .what = "attributes_lost",
				 .text = "owner, permissions and times are lost" },
	[RECOVER_NAME_LOST] = { .what = "name_lost",
				.text = "its name is lost" },
	[RECOVER_RENAMED] = { .what = "renamed",
			      .text = "another name had to be taken" },
	[RECOVER_NOT_MADE] = { .what = "not_made", .text = "not copied" },
	[RECOVER_NAME_DROPPED] = { .what = "name_dropped",
				   .text = "one more name of a directory, left out" },
	[RECOVER_XATTR_NOT_SET] = { .what = "xattr_not_set",
				    .text = "the attribute could not be set:" },
	[RECOVER_ATTRS_NOT_SET] = { .what = "attributes_not_set",
				    .text = "permissions or times could not be set" },
};

static void tell_file(void *ctx, const struct recover_finding *f)
{
	struct recovering *c = ctx;
	struct line l = file_lines[f->what];

	l.path = f->path;
	l.from = f->from;
	l.to = f->what == RECOVER_RANGE_LOST ? f->to - 1 : f->to;
	l.key = f->key;
	l.rc = f->rc;
	c->loss = c->loss || f->what != RECOVER_RENAMED;
	tell(c, &l);
}

static void finish_json(struct recovering *c, const struct recover_counts *n,
			bool complete)
{
	struct json json;

	json_init(&json, JSON_LIMIT);
	json_open(&json, NULL, '{');
	json_text(&json, "what", "summary");
	json_u64(&json, "files", n->n_files);
	json_u64(&json, "directories", n->n_dirs);
	json_u64(&json, "others", n->n_others);
	json_u64(&json, "links", n->n_links);
	json_u64(&json, "bytes", n->n_bytes);
	json_u64(&json, "lost_bytes", n->n_lost);
	json_u64(&json, "partial_files", n->n_partial);
	json_u64(&json, "lost_names", n->n_lost_names);
	json_u64(&json, "other_owners", n->n_owners);
	json_bool(&json, "complete", complete);
	json_bool(&json, "clean", complete && !c->loss);
	put_line(c, &json);
}

static void finish_text(const struct recovering *c,
			const struct recover_counts *n, bool complete)
{
	char bytes[CMD_BYTES_MAX];

	(void)printf("%" PRIu64 " files, %s; %" PRIu64 " directories, %" PRIu64
		     " links and others\n",
		     n->n_files, cmd_bytes(n->n_bytes, bytes), n->n_dirs,
		     n->n_others + n->n_links);
	if (n->n_partial > 0)
		(void)printf("%" PRIu64 " files are partial, their names end "
			     "with '" RECOVER_PARTIAL "'; %s are lost\n",
			     n->n_partial, cmd_bytes(n->n_lost, bytes));
	if (n->n_lost_names > 0)
		(void)printf("%" PRIu64 " without a name are in '" RECOVER_LOST
			     "'\n",
			     n->n_lost_names);
	if (n->n_owners > 0)
		(void)printf("%" PRIu64 " have another owner than they had\n",
			     n->n_owners);
	if (!complete)
		(void)puts("not all could be copied");
	else
		(void)puts(c->loss ? "something is missing" : "all is there");
}

/* ---- recovering ------------------------------------------------------------------- */

static int status_of(const struct recovering *c, int rc)
{
	int failed = rc == -ECANCELED ? CHECK_CANCELLED : CHECK_ERROR;

	return (rc < 0 ? failed : 0) | (c->rc < 0 ? CHECK_ERROR : 0) |
	       (c->loss ? CHECK_UNCORRECTED : 0);
}

static int copy_all(struct recovering *c, struct volume *v, int root_fd,
		    const char *to)
{
	struct recover r = {
		.volume = v,
		.root_fd = root_fd,
		.ctx = c,
		.finding = tell_file,
		.progress = tell_progress,
		/* What was copied so far stays; the file at hand has to be
		 * marked. */
		.stop = percent_ask_first(),
	};
	int rc;

	c->percent.verb = "copying";
	rc = recover_all(&r);
	/* A bad disk may tell only here of what it could not keep. */
	if (rc == 0)
		rc = restore_sync(root_fd);
	percent_clear(&c->percent);
	if (c->as_json)
		finish_json(c, &r.counts, rc == 0);
	else
		finish_text(c, &r.counts, rc == 0);
	if (rc == -ECANCELED)
		report_error("recover: cancelled");
	else if (rc < 0)
		report_error("'%s': %s", to, error_text(rc));
	return status_of(c, rc);
}

static int say(const char *path, int rc)
{
	report_error("'%s': %s", path, error_text(rc));
	return CHECK_ERROR;
}

static int say_sources(const char *path, int rc)
{
	if (rc == -ENOENT)
		report_error("'%s': no segment of a store is there", path);
	else if (rc == -EWOULDBLOCK)
		report_error("'%s' is in use; unmount it first", path);
	else
		return say(path, rc);
	return CHECK_ERROR;
}

/* `from` is what the person has named first. */
static int recover(struct recovering *c, struct salvage_options *options,
		   const char *from, const char *to)
{
	AUTO_CLOSE int root_fd = -1;
	struct volume *v = NULL;
	int status;
	int rc = restore_check(to, options->store);

	if (rc < 0)
		return say(to, rc);
	options->ctx = c;
	options->finding = tell_log;
	options->progress = tell_progress;
	c->percent.verb = "reading";
	rc = volume_salvage(options, &v);
	percent_clear(&c->percent);
	if (rc < 0)
		return say_sources(from, rc);
	root_fd = restore_open(to);
	status = root_fd < 0 ? say(to, root_fd) : copy_all(c, v, root_fd, to);
	(void)volume_close(v);
	return status;
}

/* A directory is a store; anything else is a file of one. */
static int take_sources(struct recovering *c, int argc, char **argv,
			struct salvage_options *ret)
{
	int n = argc - optind - 1;
	struct stat st;

	if (n < 1)
		return cmd_usage(&cmd_recover,
				 "too few arguments: %s is needed",
				 cmd_recover.synopsis);
	if (stat(argv[optind], &st) < 0) {
		report_error("'%s': %s", argv[optind], error_text(errno));
		return CHECK_ERROR;
	}
	if (S_ISDIR(st.st_mode) && n > 1)
		return cmd_usage(&cmd_recover, "one argument too many: '%s'",
				 argv[optind + 1]);
	if (S_ISDIR(st.st_mode) && c->carve)
		return cmd_usage(&cmd_recover, "'%s' is a directory",
				 argv[optind]);
	*ret = (struct salvage_options){ .carve = c->carve };
	if (S_ISDIR(st.st_mode)) {
		ret->store = argv[optind];
	} else {
		ret->paths = (const char *const *)argv + optind;
		ret->n_paths = (size_t)n;
	}
	return 0;
}

static int run(int argc, char **argv)
{
	const struct cmd_options options = { ":h", longs };
	struct recovering c = { .rc = 0 };
	struct salvage_options sources = { .store = NULL };
	int status;
	int opt;

	while ((opt = cmd_getopt(&cmd_recover, argc, argv, &options)) != -1) {
		if (opt == '?')
			return cmd_recover.usage_status;
		c.as_json = c.as_json || opt == 'j';
		c.carve = c.carve || opt == 'c';
	}
	status = take_sources(&c, argc, argv, &sources);
	if (status != 0)
		return status;
	/* The index has no name. */
	percent_begin(&c.percent, cmd_recover.name, "reading");
	/* Permissions are the store's. */
	(void)umask(0);
	status = recover(&c, &sources, argv[optind], argv[argc - 1]);
	/* main() says so; its status would mean something else. */
	if (fflush(stdout) != 0 || ferror(stdout) != 0)
		status |= CHECK_ERROR;
	return status;
}

const struct command cmd_recover = {
	.name = "recover",
	.synopsis = "[--json] [--carve] STORE|FILE... OUTDIR",
	.summary = "Copies all that is readable of a damaged store",
	.help = "STORE may be damaged in any way, without its index, or just a "
		"directory of\n"
		"segments; FILEs are segments, whatever their names. Nothing of "
		"them is changed.\n"
		"OUTDIR must be new or empty. What is missing is told line by "
		"line; partial\n"
		"files get names that end with '" RECOVER_PARTIAL
		"', what has lost its name goes to\n"
		"'" RECOVER_LOST "'.\n"
		"\n"
		"  --carve              FILEs are images of disks: look for "
		"records everywhere\n"
		"  --json               a JSON object on each line\n"
		"\n"
		"Exit status as fsck(8), a sum: 0 all is there, 4 something is "
		"missing, 8 could\n"
		"not be done, 16 usage, 32 cancelled.\n",
	.usage_status = CHECK_USAGE,
	.run = run,
};
