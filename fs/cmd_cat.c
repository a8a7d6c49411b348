/* SPDX-License-Identifier: MIT */
/*
 * cmd_cat.c - sigmafs cat: files of a store that is not mounted.
 */
#include "cmd.h"

#include "base/error.h"
#include "base/io.h"
#include "base/report.h"
#include "view.h"
#include "volume/file.h"

#include <sys/stat.h>
#include <unistd.h>

enum { PIECE_LEN = 1 << 20 };

static const struct option longs[] = {
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* 1: nothing more can be written, which has been said. */
static int write_piece(const struct file_read *r)
{
	int rc = 0;
	int i;

	for (i = 0; rc == 0 && i < r->n_iov; i++)
		rc = io_write(STDOUT_FILENO, r->iov[i].iov_base,
			      r->iov[i].iov_len);
	if (rc < 0)
		report_error("cannot write to the standard output: %s",
			     error_text(rc));
	return rc < 0;
}

static int copy_file(struct volume *v, const char *path, uint64_t ino)
{
	struct file_read r;
	uint64_t off = 0;
	size_t len;
	int rc;

	do {
		rc = file_read(v, ino, off, PIECE_LEN, &r);
		if (rc < 0) {
			report_error("'%s' at byte %llu: %s", path,
				     (unsigned long long)off, error_text(rc));
			return rc;
		}
		len = r.len;
		rc = write_piece(&r);
		file_read_done(&r);
		off += len;
	} while (rc == 0 && len > 0);
	return rc;
}

static int cat_path(struct volume *v, const char *path)
{
	struct volume_attr attr;
	int rc = view_find(v, path, true, &attr);

	if (rc == 0 && S_ISDIR(attr.mode))
		rc = -EISDIR;
	if (rc < 0) {
		report_error("'%s': %s", path, error_text(rc));
		return rc;
	}
	if (!S_ISREG(attr.mode)) {
		report_error("'%s' is not a regular file", path);
		return -EINVAL;
	}
	return copy_file(v, path, attr.ino);
}

static int run(int argc, char **argv)
{
	const struct cmd_options options = { ":h", longs };
	struct volume *v;
	const char *store;
	int status = STATUS_OK;
	int rc = 0;

	while (cmd_getopt(&cmd_cat, argc, argv, &options) != -1)
		return cmd_cat.usage_status;
	if (argc - optind < 2)
		return cmd_arguments(&cmd_cat, argc, argv, 2);
	store = argv[optind];
	if (view_open(store, &v) < 0)
		return STATUS_FAILED;
	/* A file that cannot be read keeps nobody from the next one. */
	for (optind++; optind < argc && rc != 1; optind++) {
		rc = cat_path(v, argv[optind]);
		if (rc != 0)
			status = STATUS_FAILED;
	}
	return view_close(store, v) < 0 ? STATUS_FAILED : status;
}

const struct command cmd_cat = {
	.name = "cat",
	.synopsis = "STORE PATH...",
	.summary = "Writes files of a store that is not mounted",
	.help = "PATH begins at the root of the store; symbolic links are "
		"followed, absolute\n"
		"ones from there, too. Nothing in the store is changed. What "
		"of a file cannot\n"
		"be read is said, and the next one follows.\n"
		"\n"
		"Exit status: 0, 1 failure, 2 usage.\n",
	.usage_status = STATUS_USAGE,
	.run = run,
};
