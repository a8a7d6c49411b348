/* SPDX-License-Identifier: MIT */
/*
 * cmd_export.c - sigmafs export: a store that is not mounted, as a tar archive.
 */
#include "cmd.h"

#include "base/report.h"
#include "moved.h"
#include "tar.h"
#include "view.h"

#include <locale.h>
#include <unistd.h>

static const struct option longs[] = {
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static int export_store(const char *store, const char *path)
{
	struct moved moved;
	struct tar_job job = {
		.fd = STDOUT_FILENO,
		.ctx = &moved,
		.progress = moved_show,
	};
	int rc;

	if (view_open(store, &job.volume) < 0)
		return STATUS_FAILED;
	moved_begin(&moved, "exported");
	rc = tar_export(&job, path);
	moved_done(&moved, &job);
	if (view_close(store, job.volume) < 0 || rc < 0)
		return STATUS_FAILED;
	return job.n_problems > 0 ? STATUS_FAILED : STATUS_OK;
}

static int run(int argc, char **argv)
{
	const struct cmd_options options = { ":h", longs };
	int status;

	while (cmd_getopt(&cmd_export, argc, argv, &options) != -1)
		return cmd_export.usage_status;
	status = cmd_arguments(&cmd_export, argc, argv,
			       argc - optind > 1 ? 2 : 1);
	if (status != STATUS_OK)
		return status;
	if (isatty(STDOUT_FILENO))
		return cmd_usage(&cmd_export, "an archive is not for a "
					      "terminal: redirect the output");
	/* Names in the archive are UTF-8 where they are that here. */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	return export_store(argv[optind],
			    argc - optind > 1 ? argv[optind + 1] : "/");
}

const struct command cmd_export = {
	.name = "export",
	.synopsis = "STORE [PATH] > TAR",
	.summary = "Writes what is in a store as a tar archive",
	.help = "All of a store that is not mounted, or what PATH names and what "
		"is below it,\n"
		"with owners, modes, times, hard links, holes, extended "
		"attributes and devices.\n"
		"Nothing in the store is changed. To extract it all with GNU "
		"tar:\n"
		"  tar --xattrs --xattrs-include='*' --acls --sparse -xpf TAR\n"
		"\n"
		"Exit status: 0, 1 failure, or something could not be read, 2 "
		"usage.\n",
	.usage_status = STATUS_USAGE,
	.run = run,
};
