/* SPDX-License-Identifier: MIT */
/*
 * explain.c - error numbers of stores in a person's words.
 */
#include "explain.h"

#include "base/error.h"
#include "volume/volume.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

static bool has_log(const char *path)
{
	char log[PATH_MAX];
	struct stat st;

	(void)snprintf(log, sizeof(log), "%s/log", path);
	return stat(log, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Nothing to open: because there is nothing, or because it is something else.
 */
static void explain_missing(const char *path, char *ret_text)
{
	struct stat st;

	if (stat(path, &st) < 0)
		(void)snprintf(ret_text, EXPLAIN_MAX,
			       "the store '%.512s' cannot be found: %s", path,
			       error_text(errno));
	else if (!S_ISDIR(st.st_mode))
		(void)snprintf(ret_text, EXPLAIN_MAX,
			       "'%.512s' is not a directory, so no store",
			       path);
	else
		(void)snprintf(ret_text, EXPLAIN_MAX,
			       "'%.512s' is not a sigmafs store "
			       "(there is no file sigmafs.store in it%s)",
			       path,
			       has_log(path)
				       ? "; sigmafs rebuild makes it again"
				       : "");
}

static void explain_locked(const char *path, char *ret_text)
{
	char holder[512];

	if (store_holder(path, holder, sizeof(holder)) < 0)
		(void)snprintf(holder, sizeof(holder), "another process");
	(void)snprintf(ret_text, EXPLAIN_MAX,
		       "the store '%.400s' is in use by %s", path, holder);
}

void explain_open(const char *path, int rc, char *ret_text)
{
	switch (-rc) {
	case ENOENT:
	case ENOTDIR:
		explain_missing(path, ret_text);
		break;
	case EWOULDBLOCK:
		explain_locked(path, ret_text);
		break;
	case EOPNOTSUPP:
		(void)snprintf(ret_text, EXPLAIN_MAX,
			       "the store '%.512s' has a newer format than "
			       "this version (%s) understands",
			       path, PACKAGE_VERSION);
		break;
	case EACCES:
	case EPERM:
		(void)snprintf(ret_text, EXPLAIN_MAX,
			       "no permission to open the store '%.512s'",
			       path);
		break;
	case EROFS:
		(void)snprintf(ret_text, EXPLAIN_MAX,
			       "the store '%.512s' lies on a read-only "
			       "filesystem; it can be mounted with -o ro",
			       path);
		break;
	case EUCLEAN:
	case EBADMSG:
		(void)snprintf(ret_text, EXPLAIN_MAX,
			       "the store '%.512s' is damaged; sigmafs "
			       "recover copies what is readable",
			       path);
		break;
	default:
		(void)snprintf(ret_text, EXPLAIN_MAX,
			       "cannot open the store '%.512s': %s", path,
			       error_text(rc));
		break;
	}
}

void explain_create(const char *path, int rc, char *ret_text)
{
	const char *why = error_text(rc);

	if (rc == -EEXIST)
		why = "there is a store already";
	else if (rc == -ENOTEMPTY)
		why = "the directory is not empty";
	else if (rc == -ENOENT)
		why = "the directory above it does not exist";
	else if (rc == -ENOTDIR)
		why = "not a directory";
	(void)snprintf(ret_text, EXPLAIN_MAX,
		       "cannot make a store at '%.512s': %s", path, why);
}
