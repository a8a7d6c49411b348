/* SPDX-License-Identifier: MIT */
/*
 * cmd_du.c - sigmafs du: what files and directories of a mount take in the store.
 *
 * Asks the mount for the attribute of each file; what that counts is said by
 * volume/file_stored.h.
 */
#include "cmd.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/idmap.h"
#include "base/report.h"
#include "json.h"
#include "mountinfo.h"
#include "volume/file_stored.h"

#include <errno.h>
#include <fts.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>

enum { OPT_JSON = 256, LINE_MAX_JSON = 8 * PATH_MAX };

static const struct option longs[] = {
	{ "summarize", no_argument, NULL, 's' },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

struct sum {
	uint64_t raw;    /* bytes that are not in holes */
	uint64_t stored; /* bytes of the store */
};

struct walk {
	bool json;
	bool summarize;
	bool headed; /* the words above the columns are told */
	struct sum total;
	struct idmap seen; /* files with several names; of one mount */
	dev_t dev;         /* that mount */
	int status;
};

static void add(struct sum *to, const struct sum *what)
{
	to->raw += what->raw;
	to->stored += what->stored;
}

/* ---- output --------------------------------------------------------------- */

static int print_json(const char *path, const struct sum *sum)
{
	struct json j;
	const char *text;
	int rc;

	json_init(&j, LINE_MAX_JSON);
	json_open(&j, NULL, '{');
	if (path)
		json_text(&j, "path", path);
	else
		json_bool(&j, "total", true);
	json_u64(&j, "raw", sum->raw);
	json_u64(&j, "stored", sum->stored);
	json_ratio(&j, "ratio", sum->raw, sum->stored);
	json_close(&j, '}');
	rc = json_end(&j, &text);
	if (rc == 0)
		(void)printf("%s\n", text);
	json_release(&j);
	return rc;
}

static void print_text(struct walk *w, const char *path, const struct sum *sum)
{
	char raw[CMD_BYTES_MAX];
	char stored[CMD_BYTES_MAX];
	char ratio[32] = "-";

	if (!w->headed)
		(void)printf("%12s %12s %7s\n", "raw", "stored", "ratio");
	w->headed = true;
	if (sum->stored > 0)
		(void)snprintf(ratio, sizeof(ratio), "%.2f",
			       (double)sum->raw / (double)sum->stored);
	(void)printf("%12s %12s %7s  %s\n", cmd_bytes(sum->raw, raw),
		     cmd_bytes(sum->stored, stored), ratio,
		     path ? path : "total");
}

/* `path` is NULL for the total. */
static void print(struct walk *w, const char *path, const struct sum *sum)
{
	int rc = 0;

	if (w->json)
		rc = print_json(path, sum);
	else
		print_text(w, path, sum);
	if (rc < 0) {
		report_error("'%s': %s", path ? path : "total", error_text(rc));
		w->status = STATUS_FAILED;
	}
}

/* ---- the walk ------------------------------------------------------------- */

static void complain(struct walk *w, const char *path, int rc)
{
	report_error("'%s': %s", path, error_text(rc));
	w->status = STATUS_FAILED;
}

static int stored_of(const char *path, uint64_t *ret)
{
	char text[32];
	ssize_t n = lgetxattr(path, STORED_XATTR, text, sizeof(text) - 1);
	char *end;

	if (n < 0)
		return -errno;
	text[n] = '\0';
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return n == 0 || *end != '\0' || errno != 0 ? -EUCLEAN : 0;
}

/* Whether the file was met before, under another name. */
static int met(struct walk *w, const struct stat *st)
{
	if (st->st_nlink < 2 || S_ISDIR(st->st_mode))
		return 0;
	if (idmap_find(&w->seen, st->st_ino))
		return 1;
	return idmap_set(&w->seen, st->st_ino, 1);
}

/* A file, or whatever is not a directory. */
static void take_file(struct walk *w, const FTSENT *e, struct sum *sum)
{
	const struct stat *st = e->fts_statp;
	int rc = met(w, st);

	if (rc == 1 || !S_ISREG(st->st_mode))
		return;
	if (rc == 0)
		rc = stored_of(e->fts_accpath, &sum->stored);
	if (rc < 0)
		complain(w, e->fts_path, rc);
	else
		sum->raw = (uint64_t)st->st_blocks * 512;
}

/* Hands a sum up: to the directory, or to the total. */
static void hand_up(struct walk *w, const FTSENT *e, const struct sum *sum)
{
	struct sum *above = e->fts_level > FTS_ROOTLEVEL
				    ? e->fts_parent->fts_pointer
				    : &w->total;

	if (above)
		add(above, sum);
}

static void end_dir(struct walk *w, FTSENT *e)
{
	struct sum *sum = e->fts_pointer;

	e->fts_pointer = NULL;
	if (!sum)
		return;
	hand_up(w, e, sum);
	if (!w->summarize || e->fts_level == FTS_ROOTLEVEL)
		print(w, e->fts_path, sum);
	free(sum);
}

static void take(struct walk *w, FTSENT *e)
{
	struct sum sum = { .raw = 0 };

	switch (e->fts_info) {
	case FTS_D:
		e->fts_pointer = calloc(1, sizeof(struct sum));
		if (!e->fts_pointer)
			complain(w, e->fts_path, -ENOMEM);
		return;
	case FTS_DP:
		end_dir(w, e);
		return;
	case FTS_DNR:
		complain(w, e->fts_path, -e->fts_errno);
		end_dir(w, e);
		return;
	case FTS_ERR:
	case FTS_NS:
		complain(w, e->fts_path, -e->fts_errno);
		return;
	default:
		break;
	}
	/* Below here lies another filesystem. */
	if (e->fts_statp->st_dev != w->dev)
		return;
	take_file(w, e, &sum);
	hand_up(w, e, &sum);
	if (e->fts_level == FTS_ROOTLEVEL)
		print(w, e->fts_path, &sum);
}

static void walk_path(struct walk *w, char *path)
{
	char *const paths[] = { path, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
	FTSENT *e;

	if (!fts) {
		complain(w, path, -errno);
		return;
	}
	while ((e = fts_read(fts)) != NULL)
		take(w, e);
	if (errno != 0)
		complain(w, path, -errno);
	(void)fts_close(fts);
}

/* Those of the path before need not be known any more if this is another mount. */
static void du(struct walk *w, char *path)
{
	struct mount_entry *entry = malloc(sizeof(*entry));
	struct stat st;
	int rc = entry ? 0 : -ENOMEM;

	if (rc == 0 && lstat(path, &st) < 0)
		rc = -errno;
	if (rc < 0) {
		complain(w, path, rc);
	} else if (cmd_find_mount(path, entry) < 0) {
		w->status = STATUS_FAILED;
	} else {
		if (st.st_dev != w->dev)
			idmap_clear(&w->seen);
		w->dev = st.st_dev;
		walk_path(w, path);
	}
	free(entry);
}

static int run(int argc, char **argv)
{
	const struct cmd_options options = { ":sh", longs };
	struct walk w = { .status = STATUS_OK };
	char here[] = ".";
	int first;
	int opt;

	while ((opt = cmd_getopt(&cmd_du, argc, argv, &options)) != -1) {
		if (opt != 's' && opt != OPT_JSON)
			return cmd_du.usage_status;
		w.summarize |= opt == 's';
		w.json |= opt == OPT_JSON;
	}
	idmap_init(&w.seen);
	first = optind;
	if (first == argc)
		du(&w, here);
	for (int i = first; i < argc; i++)
		du(&w, argv[i]);
	if (argc - first > 1)
		print(&w, NULL, &w.total);
	idmap_release(&w.seen);
	if (fflush(stdout) != 0) {
		report_error("cannot write to the standard output: %s",
			     error_text(-errno));
		return STATUS_FAILED;
	}
	return w.status;
}

const struct command cmd_du = {
	.name = "du",
	.synopsis = "[-s] [--json] [PATH...]",
	.summary = "Tells what files and directories of a mount take",
	.help = "For each directory below PATH ('.'), and for each PATH: bytes "
		"that are not in\n"
		"holes, bytes that these take in the store, and how many times "
		"less that is. Of\n"
		"what several files share each has a part: see sigmafs(1).\n"
		"\n"
		"  -s, --summarize  only each PATH\n"
		"      --json       exact bytes, one JSON object a line\n"
		"\n"
		"Exit status: 0, 1 failure, 2 usage.\n",
	.usage_status = STATUS_USAGE,
	.run = run,
};
