/* SPDX-License-Identifier: MIT */
/*
 * cmd_policy.c - sigmafs policy: how the files of a mount are to be encoded.
 *
 * A policy is the attribute user.sigmafs.policy, so it is the kernel that asks
 * for permission, and nothing here speaks to the daemon.
 */
#ifndef _GNU_SOURCE
# define _GNU_SOURCE
#endif
#include "cmd.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/report.h"
#include "codec/policy.h"
#include "mountinfo.h"
#include "volume/policy_xattr.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

enum { OPEN_DIRS = 32 };

static const struct option longs[] = {
	{ "recursive", no_argument, NULL, 'R' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* On another filesystem the attribute would be one that nobody reads. */
static int check_mount(const char *path)
{
	AUTO_FREE struct mount_entry *entry = malloc(sizeof(*entry));
	struct stat st;
	int rc = entry ? 0 : -ENOMEM;

	if (!rc && lstat(path, &st) < 0)
		rc = -errno;
	if (rc) {
		report_error("'%s': %s", path, error_text(rc));
		return rc;
	}
	return cmd_find_mount(path, entry);
}

static int fail(const char *what, const char *path)
{
	report_error("cannot %s the policy of '%s': %s", what, path,
		     error_text(-errno));
	return -1;
}

/* ---- get ------------------------------------------------------------------ */

static int get(const char *path)
{
	char text[POLICY_TEXT_MAX + 1];
	ssize_t len = lgetxattr(path, POLICY_XATTR, text, POLICY_TEXT_MAX);

	if (len < 0 && errno != ENODATA)
		return fail("read", path);
	text[len < 0 ? 0 : len] = '\0';
	report_blank(text);
	(void)printf("%s: %s\n", path, len < 0 ? "none" : text);
	return 0;
}

/* ---- set, clear ----------------------------------------------------------- */

/* What walk() does to each path; nftw(3) hands nothing through. */
static struct {
	const char *text; /* NULL: clear */
	bool failed;
} change;

static int change_one(const char *path)
{
	int rc;

	if (change.text)
		rc = lsetxattr(path, POLICY_XATTR, change.text,
			       strlen(change.text), 0);
	else
		rc = lremovexattr(path, POLICY_XATTR);
	if (rc == 0 || (!change.text && errno == ENODATA))
		return 0;
	return fail(change.text ? "set" : "clear", path);
}

static int visit(const char *path, const struct stat *st, int type,
		 struct FTW *ftw)
{
	(void)ftw;
	if (type == FTW_DNR || type == FTW_NS) {
		report_error("cannot read '%s'", path);
		change.failed = true;
	} else if (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)) {
		change.failed = change_one(path) < 0 || change.failed;
	}
	return 0;
}

static int change_path(const char *path, bool recursive)
{
	if (!recursive)
		return change_one(path);
	if (nftw(path, visit, OPEN_DIRS, FTW_PHYS | FTW_MOUNT) < 0)
		return fail("change", path);
	return change.failed ? -1 : 0;
}

/* The words after `set PATH` as one text, which the caller frees. NULL: not a
 * policy, which has been said. */
static char *join(char *const *words, int n)
{
	AUTO_FREE char *text = NULL;
	struct policy policy;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	for (int i = 0; i < n; i++)
		(void)fprintf(out, "%s%s", i > 0 ? "," : "", words[i]);
	if (fclose(out) != 0)
		return NULL;
	if (policy_parse(span_of((const uint8_t *)text, len), &policy)) {
		(void)cmd_usage(&cmd_policy, "'%s' is not a policy", text);
		return NULL;
	}
	return steal_ptr(&text);
}

/* ---- the whole ------------------------------------------------------------ */

static int for_each(char *const *paths, int n, bool recursive, bool reads)
{
	int status = STATUS_OK;

	for (int i = 0; i < n; i++) {
		int rc = check_mount(paths[i]);

		if (!rc)
			rc = reads ? get(paths[i])
				   : change_path(paths[i], recursive);
		if (rc)
			status = STATUS_FAILED;
	}
	return status;
}

static int run_verb(const char *verb, char *const *args, int n, bool recursive)
{
	bool sets = strcmp(verb, "set") == 0;
	AUTO_FREE char *text = NULL;

	if (!sets && strcmp(verb, "clear") != 0 && strcmp(verb, "get") != 0)
		return cmd_usage(&cmd_policy, "unknown action '%s'", verb);
	if (n < (sets ? 2 : 1))
		return cmd_usage(&cmd_policy, "%s is missing",
				 n == 0 ? "PATH" : "KEY=VALUE");
	if (!sets)
		return for_each(args, n, recursive, strcmp(verb, "get") == 0);
	text = join(args + 1, n - 1);
	change.text = text;
	return text ? for_each(args, 1, recursive, false) : STATUS_USAGE;
}

static int run(int argc, char **argv)
{
	const struct cmd_options options = { ":hR", longs };
	bool recursive = false;
	int opt;

	while ((opt = cmd_getopt(&cmd_policy, argc, argv, &options)) != -1) {
		if (opt != 'R')
			return cmd_policy.usage_status;
		recursive = true;
	}
	if (optind == argc)
		return cmd_usage(&cmd_policy, "get, set or clear is missing");
	return run_verb(argv[optind], argv + optind + 1, argc - optind - 1,
			recursive);
}

const struct command cmd_policy = {
	.name = "policy",
	.synopsis = "get|set|clear PATH ...",
	.summary = "Tells or says how files are to be encoded",
	.help = "  get PATH ...              prints the policy of each\n"
		"  set [-R] PATH WORD ...    sets it; a WORD is KEY=VALUE\n"
		"  clear [-R] PATH ...       takes it away\n"
		"\n"
		"  effort=off|fastest|fast|balanced|small\n"
		"  level=1 .. 19             of zstd, in place of the effort's\n"
		"  delta=on|off              against similar chunks\n"
		"\n"
		"  -R, --recursive           and all that lies below\n"
		"\n"
		"PATH is a file or directory of a mounted store. What is made in "
		"a directory\n"
		"begins with the directory's policy, which counts for data that "
		"is written\n"
		"from then on. It is the attribute user.sigmafs.policy.\n"
		"\n"
		"Exit status: 0, 1 failure, 2 usage.\n",
	.usage_status = STATUS_USAGE,
	.run = run,
};
