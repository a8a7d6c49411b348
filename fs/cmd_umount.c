/* SPDX-License-Identifier: MIT */
/*
 * cmd_umount.c - sigmafs umount: unmounts, and waits until all is on disk.
 *
 * The daemon does it and answers when the store is closed. Where there is no
 * daemon to ask, the mount is taken away from here.
 */
#include "cmd.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/report.h"
#include "control.h"
#include "mountinfo.h"
#include "unmount.h"
#include "volume/volume.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct option longs[] = {
	{ "lazy", no_argument, NULL, 'l' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* Until nobody holds the store. A lock tells nobody when it becomes free, so
 * it is asked for now and then. */
static void wait_free(const char *store)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	char holder[512];

	while (store_holder(store, holder, sizeof(holder)) == 0)
		(void)nanosleep(&pause, NULL);
}

/* Says what went wrong. */
static int fail(const char *dir, int rc)
{
	if (rc == -EBUSY)
		report_error("'%s' is in use", dir);
	else if (rc == -EPERM || rc == -EACCES)
		report_error("no permission to unmount '%s'", dir);
	else
		report_error("'%s' could not be unmounted in order: %s", dir,
			     error_text(rc));
	return MOUNT_FAILED;
}

/* Without the daemon's help. */
static int unmount_here(const struct mount_entry *entry, bool lazy)
{
	bool dead = unmount_is_dead(entry->dir);
	int rc;

	if (!dead)
		(void)unmount_flush(entry->dir);
	rc = unmount_path(entry->dir, lazy || dead);
	/* Somebody else was faster. */
	if (rc == -EINVAL)
		rc = 0;
	if (rc < 0)
		return fail(entry->dir, rc);
	if (!lazy)
		wait_free(entry->source);
	return STATUS_OK;
}

/* Whether the daemon has not taken a request. */
static bool is_unasked(int rc)
{
	return control_is_absent(rc) || rc == -ECONNRESET || rc == -EACCES ||
	       rc == -EPERM;
}

static bool has_twin(const struct mount_entry *entry)
{
	AUTO_FREE struct mount_entry *twin = malloc(sizeof(*twin));

	return twin && mountinfo_find_twin(entry, twin) == 0;
}

/* One of several places: the daemon goes on, unless the others were copies of
 * this one (shared subtrees) and went with it. */
static int unmount_place(const struct mount_entry *entry)
{
	char reply[CONTROL_REPLY_MAX];
	int rc = control_ask_verb(entry->source, CONTROL_SYNC, reply);

	if (is_unasked(rc)) {
		(void)unmount_flush(entry->dir);
		rc = 0;
	}
	if (rc == 0)
		rc = unmount_path(entry->dir, false);
	if (rc == 0 && !has_twin(entry))
		wait_free(entry->source);
	return rc < 0 ? fail(entry->dir, rc) : STATUS_OK;
}

/* It died when it had taken the request: what is left of the mount goes, too. */
static int tell_death(const struct mount_entry *entry)
{
	if (unmount_is_dead(entry->dir))
		(void)unmount_path(entry->dir, true);
	report_error("the daemon of '%s' has died; what was not synced before "
		     "may be lost",
		     entry->dir);
	return MOUNT_FAILED;
}

static int unmount(const struct mount_entry *entry, bool lazy)
{
	char reply[CONTROL_REPLY_MAX];
	int rc;

	if (lazy)
		return unmount_here(entry, lazy);
	if (!unmount_is_dead(entry->dir) && has_twin(entry))
		return unmount_place(entry);
	rc = control_ask_verb(entry->source, CONTROL_UNMOUNT, reply);
	if (is_unasked(rc))
		return unmount_here(entry, false);
	if (rc == -EPIPE)
		return tell_death(entry);
	return rc < 0 ? fail(entry->dir, rc) : STATUS_OK;
}

static int find(const char *path, struct mount_entry *ret)
{
	char dir[PATH_MAX];
	int rc = mountinfo_resolve(path, dir);

	if (rc == 0)
		rc = mountinfo_find(dir, ret);
	if (rc < 0) {
		report_error("'%s' is not mounted", path);
		return MOUNT_FAILED;
	}
	if (strcmp(ret->type, MOUNTINFO_TYPE) != 0) {
		report_error("'%s' is not a sigmafs mount, but of type %s",
			     path, ret->type);
		return MOUNT_FAILED;
	}
	return 0;
}

static int run(int argc, char **argv)
{
	AUTO_FREE struct mount_entry *entry = malloc(sizeof(*entry));
	const struct cmd_options options = { ":lfnrvdN:t:h", longs };
	bool lazy = false;
	int status;
	int opt;

	/* The others are umount(8)'s, for its helpers: nothing to do. */
	while ((opt = cmd_getopt(&cmd_umount, argc, argv, &options)) != -1) {
		if (opt == '?')
			return cmd_umount.usage_status;
		lazy = lazy || opt == 'l';
	}
	status = cmd_arguments(&cmd_umount, argc, argv, 1);
	if (status == 0)
		status = entry ? find(argv[optind], entry) : MOUNT_SYSTEM;
	return status == 0 ? unmount(entry, lazy) : status;
}

const struct command cmd_umount = {
	.name = "umount",
	.synopsis = "[-l] DIR",
	.summary = "Unmounts DIR, and returns when everything is on disk",
	.help = "A mount whose daemon has died is removed, too.\n"
		"\n"
		"  -l, --lazy   takes DIR off the tree at once, and does not "
		"wait\n"
		"\n"
		"Exit status as umount(8): 0, 1 usage, 2 system error, 32 "
		"failure.\n",
	.usage_status = MOUNT_USAGE,
	.run = run,
};
