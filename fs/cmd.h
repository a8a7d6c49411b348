/* SPDX-License-Identifier: MIT */
/*
 * cmd.h - the sub-commands, and what they share.
 */
#ifndef FS_CMD_H
#define FS_CMD_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mount_entry;

/* Exit statuses. Each family keeps the convention of its own man page. */
enum status {
	STATUS_OK = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
	STATUS_DAMAGE = 4,

	/* mount(8) */
	MOUNT_USAGE = 1,
	MOUNT_SYSTEM = 2,
	MOUNT_FAILED = 32,

	/* fsck(8): a sum */
	CHECK_CORRECTED = 1,
	CHECK_UNCORRECTED = 4,
	CHECK_ERROR = 8,
	CHECK_USAGE = 16,
	CHECK_CANCELLED = 32,
};

struct command {
	const char *name;
	const char *synopsis; /* behind the name */
	const char *summary;  /* one line */
	const char *help;     /* the rest, lines of at most 79 bytes */
	int usage_status;
	int (*run)(int argc, char **argv); /* argv[0]: as we were called */
};

extern const struct command cmd_mkfs;
extern const struct command cmd_mount;
extern const struct command cmd_umount;
extern const struct command cmd_sync;
extern const struct command cmd_stat;
extern const struct command cmd_check;
extern const struct command cmd_codebook;
extern const struct command cmd_gc;
extern const struct command cmd_policy;
extern const struct command cmd_optimize;
extern const struct command cmd_encode;
extern const struct command cmd_decode;
extern const struct command cmd_explain;
extern const struct command cmd_du;
extern const struct command cmd_ls;
extern const struct command cmd_cat;
extern const struct command cmd_rebuild;
extern const struct command cmd_recover;
extern const struct command cmd_inspect;
extern const struct command cmd_export;
extern const struct command cmd_import;
extern const struct command cmd_scrub;

/* Prints a command's help to stdout. */
void cmd_help(const struct command *c);

/* Says what is wrong with the command line, in one line; returns the status. */
int cmd_usage(const struct command *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

struct cmd_options {
	const char *shorts; /* as getopt(3), with a leading ':' */
	const struct option *longs;
};

/*
 * The next option, -1 behind the last. Serves --help itself (and exits). '?':
 * not one of them, which has been said.
 */
int cmd_getopt(const struct command *c, int argc, char **argv,
	       const struct cmd_options *options);

/*
 * Takes exactly `n` arguments from `optind` on. 0 or the usage status, after
 * saying which is missing or too many.
 */
int cmd_arguments(const struct command *c, int argc, char **argv, int n);

/*
 * The store that `path` means: the one mounted there or around it, else `path`
 * itself. `ret` has room for PATH_MAX bytes.
 */
void cmd_find_store(const char *path, char *ret);

/* The mount that `path` lies in; an error has been said. */
int cmd_find_mount(const char *path, struct mount_entry *ret);

/* Says that `path` lies in none. */
void cmd_say_unmounted(const char *path);

/* "12.3 MiB" */
enum { CMD_BYTES_MAX = 32 };
const char *cmd_bytes(uint64_t n, char *buf);

#endif
