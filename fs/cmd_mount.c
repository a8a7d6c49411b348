/* SPDX-License-Identifier: MIT */
/*
 * cmd_mount.c - sigmafs mount, and mount.sigmafs as mount(8) calls it.
 */
#include "cmd.h"

#include "base/error.h"
#include "base/report.h"
#include "control.h"
#include "daemon.h"
#include "explain.h"
#include "json.h"
#include "mountinfo.h"
#include "session.h"
#include "unmount.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct option longs[] = {
	{ "options", required_argument, NULL, 'o' },
	{ "foreground", no_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

struct request {
	struct mount_options options;
	bool foreground;
	bool fake; /* mount(8) -f: all but the mount */
	char store[PATH_MAX];
	char dir[PATH_MAX];
};

/* ---- the command line ----------------------------------------------------- */

/* mount(8) runs us under this name, and its -f is not ours. */
static bool called_by_mount(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');

	return strncmp(slash ? slash + 1 : argv0, "mount.", 6) == 0;
}

static int take_option(struct request *r, int opt, bool helper)
{
	char error[OPTIONS_ERROR_MAX];

	switch (opt) {
	case 'o':
		if (options_parse(&r->options, optarg, error) < 0)
			return cmd_usage(&cmd_mount, "%s", error);
		return 0;
	case 'r':
		return options_parse(&r->options, "ro", error);
	case 'w':
		return options_parse(&r->options, "rw", error);
	case 'f':
		r->fake = helper;
		r->foreground = !helper;
		return 0;
	case 'n':
	case 's':
	case 'v':
	case 't':
	case 'N':
		return 0; /* of mount(8): nothing to do */
	default:
		return cmd_mount.usage_status;
	}
}

static int take_options(struct request *r, int argc, char **argv)
{
	const struct cmd_options options = { ":o:frwnsvt:N:h", longs };
	bool helper = called_by_mount(argv[0]);
	int rc = 0;
	int opt;

	options_init(&r->options);
	while (rc == 0 &&
	       (opt = cmd_getopt(&cmd_mount, argc, argv, &options)) != -1)
		rc = take_option(r, opt, helper);
	return rc != 0 ? rc : cmd_arguments(&cmd_mount, argc, argv, 2);
}

/* ---- store and mount point ------------------------------------------------ */

static int find_store(struct request *r, const char *path)
{
	char text[EXPLAIN_MAX];

	if (realpath(path, r->store))
		return 0;
	explain_open(path, -errno, text);
	report_error("%s", text);
	return MOUNT_FAILED;
}

static int find_dir(struct request *r, const char *path)
{
	struct stat st;
	int rc = mountinfo_resolve(path, r->dir);

	if (rc == 0 && stat(r->dir, &st) < 0)
		rc = -errno;
	if (rc == 0 && !S_ISDIR(st.st_mode))
		rc = -ENOTDIR;
	/* stat() fails so if the daemon dies meanwhile. */
	if (rc == -ECONNABORTED || (rc == 0 && unmount_is_dead(r->dir)))
		rc = -ENOTCONN;
	if (rc == -ENOTCONN)
		report_error("the mount point '%s' holds a mount whose daemon "
			     "has died; 'sigmafs umount %s' removes it",
			     path, path);
	else if (rc == -ENOENT)
		report_error("the mount point '%s' does not exist", path);
	else if (rc == -ENOTDIR)
		report_error("the mount point '%s' is not a directory", path);
	else if (rc < 0)
		report_error("the mount point '%s': %s", path, error_text(rc));
	return rc < 0 ? MOUNT_FAILED : 0;
}

/* Whether `path` is `dir` or lies in it. */
static bool lies_in(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 &&
	       (path[len] == '\0' || path[len] == '/' || len == 1);
}

/* The store would be hidden under the mount that needs it. */
static int check_places(const struct request *r)
{
	if (lies_in(r->dir, r->store)) {
		report_error("the mount point '%s' is inside the store",
			     r->dir);
		return MOUNT_FAILED;
	}
	if (lies_in(r->store, r->dir)) {
		report_error("the store '%s' is inside the mount point '%s'",
			     r->store, r->dir);
		return MOUNT_FAILED;
	}
	return 0;
}

static int check_fuse(void)
{
	if (access("/dev/fuse", F_OK) == 0)
		return 0;
	report_error("there is no /dev/fuse: load the kernel's module 'fuse'");
	return MOUNT_SYSTEM;
}

/* ---- mounting ------------------------------------------------------------- */

static int mount_store(const struct request *r)
{
	struct daemon daemon;
	const struct session_config config = {
		.store = r->store,
		.dir = r->dir,
		.options = &r->options,
		.daemon = &daemon,
	};
	int status = 0;

	if (r->foreground) {
		daemon_stay(&daemon);
	} else if (!daemon_fork(&daemon, &status)) {
		if (status == DAEMON_NO_FORK)
			report_error("cannot start a process: %s",
				     error_text(errno));
		return status == DAEMON_NO_FORK ? MOUNT_SYSTEM : status;
	}
	return session_run(&config) < 0 ? MOUNT_FAILED : STATUS_OK;
}

/* Whether the daemon itself was told to write nothing. */
static bool daemon_read_only(const char *store)
{
	char reply[CONTROL_REPLY_MAX];
	bool read_only = false;

	if (control_ask_verb(store, CONTROL_STATUS, reply) < 0)
		return false;
	(void)json_get_bool(reply, "read_only", &read_only);
	return read_only;
}

/* The daemon alone knows when a file is read, so it needs the rule. */
static int tell_atime(const struct request *r)
{
	char reply[CONTROL_REPLY_MAX];
	char rule[16];
	const struct control_request request = { CONTROL_ATIME, rule };

	(void)snprintf(rule, sizeof(rule), "%u", r->options.volume.atime);
	return control_ask(r->store, &request, reply);
}

/* All other flags are the kernel's alone. */
static int remount(const struct request *r)
{
	int rc;

	if (!r->options.volume.store.read_only && daemon_read_only(r->store)) {
		report_error("'%s' was mounted read-only: to write, unmount "
			     "it and mount it again",
			     r->dir);
		return MOUNT_FAILED;
	}
	if (mount(NULL, r->dir, NULL, r->options.flags | MS_REMOUNT, NULL) <
	    0) {
		report_error("cannot remount '%s': %s", r->dir,
			     error_text(errno));
		return MOUNT_FAILED;
	}
	rc = tell_atime(r);
	if (rc < 0)
		report_warn("'%s': times of access go by the old options: %s",
			    r->dir, error_text(rc));
	return STATUS_OK;
}

static int run(int argc, char **argv)
{
	struct request *r = calloc(1, sizeof(*r));
	int status = r ? take_options(r, argc, argv) : MOUNT_SYSTEM;

	if (status == 0)
		status = find_store(r, argv[optind]);
	if (status == 0)
		status = find_dir(r, argv[optind + 1]);
	if (status == 0)
		status = check_places(r);
	if (status == 0)
		status = check_fuse();
	if (status == 0 && !r->fake)
		status = r->options.remount ? remount(r) : mount_store(r);
	free(r);
	return status;
}

const struct command cmd_mount = {
	.name = "mount",
	.synopsis = "STORE DIR [-o OPTIONS] [-f]",
	.summary = "Mounts the store STORE on the directory DIR",
	.help = "Returns when it is mounted; a daemon serves it until it is "
		"unmounted.\n"
		"\n"
		"  -f, --foreground      stays in the foreground, messages on "
		"stderr\n"
		"  -o, --options LIST    mount options, separated by commas:\n"
		"\n"
		"      cache=SIZE        memory for decoded data (64M)\n"
		"      dirty=SIZE        data received and not yet encoded "
		"(32M)\n"
		"      workers=N         encoder threads (one per CPU)\n"
		"      commit=SECONDS    everything is durable after this (5)\n"
		"      effort=LEVEL      off, fastest, fast, balanced or small "
		"(balanced)\n"
		"      optimize=SECONDS  what was not written for so long is "
		"encoded again,\n"
		"                        smaller, while the mount is not used "
		"(600); or off\n"
		"      ro, allow_other, nodev, nosuid, noexec, sync, ... as for "
		"mount(8)\n"
		"                        and mount.fuse3(8)\n"
		"\n"
		"Also: mount -t fuse.sigmafs STORE DIR, and in /etc/fstab\n"
		"      STORE DIR fuse.sigmafs defaults,nofail,allow_other 0 0\n"
		"\n"
		"Exit status as mount(8): 0, 1 usage, 2 system error, 32 "
		"failure.\n",
	.usage_status = MOUNT_USAGE,
	.run = run,
};
