/* SPDX-License-Identifier: MIT */
/*
 * cmd_sync.c - sigmafs sync: makes all that a mount has received durable.
 */
#include "cmd.h"

#include "base/error.h"
#include "base/report.h"
#include "control.h"
#include "mountinfo.h"

#include <errno.h>

static const struct option longs[] = {
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static int sync_store(const char *path)
{
	char store[PATH_MAX];
	char reply[CONTROL_REPLY_MAX];
	int rc;

	cmd_find_store(path, store);
	rc = control_ask_verb(store, CONTROL_SYNC, reply);
	if (rc == 0)
		return STATUS_OK;
	if (control_is_absent(rc))
		cmd_say_unmounted(path);
	else if (rc == -EACCES || rc == -EPERM)
		report_error("no permission to speak to the daemon of '%s'",
			     path);
	else
		report_error("'%s' could not be made durable: %s", path,
			     error_text(rc));
	return STATUS_FAILED;
}

static int run(int argc, char **argv)
{
	const struct cmd_options options = { ":h", longs };
	int status;

	if (cmd_getopt(&cmd_sync, argc, argv, &options) != -1)
		return cmd_sync.usage_status;
	status = cmd_arguments(&cmd_sync, argc, argv, 1);
	return status == 0 ? sync_store(argv[optind]) : status;
}

const struct command cmd_sync = {
	.name = "sync",
	.synopsis = "DIR",
	.summary = "Returns when all that DIR's mount has received is on disk",
	.help = "sync(2) does not reach a FUSE filesystem; this does. DIR may "
		"be any file or\n"
		"directory of the mount, or the store.\n"
		"\n"
		"Exit status: 0, 1 failure, 2 usage.\n",
	.usage_status = STATUS_USAGE,
	.run = run,
};
