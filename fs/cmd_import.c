/* SPDX-License-Identifier: MIT */
/*
 * cmd_import.c - sigmafs import: a tar archive, into a store that is not mounted.
 */
#include "cmd.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/report.h"
#include "explain.h"
#include "moved.h"
#include "tar.h"
#include "tune.h"
#include "volume/volume.h"

#include <limits.h>
#include <locale.h>
#include <unistd.h>

static const struct option longs[] = {
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static int open_store(const char *store, struct volume **ret)
{
	const struct volume_options options = {
		.store.effort = EFFORT_BALANCED,
	};
	char text[EXPLAIN_MAX];
	int rc = volume_open(store, &options, ret);

	if (rc < 0) {
		explain_open(store, rc, text);
		report_error("%s", text);
	}
	return rc;
}

static int import_store(const char *store)
{
	struct moved moved;
	struct tar_job job = {
		.fd = STDIN_FILENO,
		.ctx = &moved,
		.progress = moved_show,
	};
	int close_rc;
	int rc;

	tune_memory();
	if (open_store(store, &job.volume) < 0)
		return STATUS_FAILED;
	moved_begin(&moved, "imported");
	rc = tar_import(&job);
	moved_done(&moved, &job);
	close_rc = volume_close(job.volume);
	if (close_rc < 0)
		report_error("'%s': not all data could be made durable: %s",
			     store, error_text(close_rc));
	return rc < 0 || close_rc < 0 || job.n_problems > 0 ? STATUS_FAILED
							    : STATUS_OK;
}

static int run(int argc, char **argv)
{
	const struct cmd_options options = { ":h", longs };
	AUTO_FREE char *store = malloc(PATH_MAX);
	int status;

	while (cmd_getopt(&cmd_import, argc, argv, &options) != -1)
		return cmd_import.usage_status;
	status = cmd_arguments(&cmd_import, argc, argv, 1);
	if (status != STATUS_OK)
		return status;
	if (isatty(STDIN_FILENO))
		return cmd_usage(&cmd_import, "an archive is needed on the "
					      "standard input");
	if (!store)
		return STATUS_FAILED;
	cmd_find_store(argv[optind], store);
	/* Names in the archive that are UTF-8 are that here. */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	return import_store(store);
}

const struct command cmd_import = {
	.name = "import",
	.synopsis = "STORE < TAR",
	.summary = "Adds what is in a tar archive to a store",
	.help = "The store must not be mounted. What has a name of the archive "
		"is replaced; a\n"
		"directory stays, with what is in it, and gets the attributes "
		"of the archive.\n"
		"Owners are taken by number. What cannot be taken over is said; "
		"what was\n"
		"imported stays, whatever comes then, and is on disk on "
		"return.\n"
		"\n"
		"Exit status: 0, 1 failure, or not all of it was imported, 2 "
		"usage.\n",
	.usage_status = STATUS_USAGE,
	.run = run,
};
