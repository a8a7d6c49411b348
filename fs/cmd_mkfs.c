/* SPDX-License-Identifier: MIT */
/*
 * cmd_mkfs.c - sigmafs mkfs: makes an empty store.
 */
#include "cmd.h"

#include "base/report.h"
#include "explain.h"
#include "volume/volume.h"

#include <stdio.h>

static const struct option longs[] = {
	{ "label", required_argument, NULL, 'L' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static int mkfs(const char *path, const struct store_create_options *options,
		bool quiet)
{
	char text[EXPLAIN_MAX];
	int rc = volume_create(path, options);

	if (rc == -EINVAL && options->label) {
		report_error("the label '%s' is longer than 64 bytes, or has "
			     "control characters",
			     options->label);
		return STATUS_FAILED;
	}
	if (rc < 0) {
		explain_create(path, rc, text);
		report_error("%s", text);
		return STATUS_FAILED;
	}
	if (!quiet)
		(void)printf("Made an empty store at '%s'.\n", path);
	return STATUS_OK;
}

static int run(int argc, char **argv)
{
	const struct cmd_options options = { ":L:qh", longs };
	struct store_create_options create = { 0 };
	bool quiet = false;
	int opt;

	while ((opt = cmd_getopt(&cmd_mkfs, argc, argv, &options)) != -1) {
		if (opt == 'L')
			create.label = optarg;
		else if (opt == 'q')
			quiet = true;
		else
			return cmd_mkfs.usage_status;
	}
	opt = cmd_arguments(&cmd_mkfs, argc, argv, 1);
	return opt != 0 ? opt : mkfs(argv[optind], &create, quiet);
}

const struct command cmd_mkfs = {
	.name = "mkfs",
	.synopsis = "[-L LABEL] [-q] STORE",
	.summary = "Makes an empty store in the directory STORE",
	.help = "STORE is made if it does not exist; if it does, it has to be "
		"empty.\n"
		"\n"
		"  -L, --label LABEL   up to 64 bytes of text, for people\n"
		"  -q, --quiet         says nothing when all is well\n"
		"\n"
		"Exit status: 0, or 1 for any failure.\n",
	.usage_status = STATUS_FAILED,
	.run = run,
};
