/* SPDX-License-Identifier: MIT */
/*
 * tar_import.h - what the files that read archives share. Private to them.
 */
#ifndef FS_TAR_IMPORT_H
#define FS_TAR_IMPORT_H

#include "base/idmap.h"
#include "tar.h"
#include "tar_library.h"
#include "volume/volume.h"

enum { TAR_STOP = 1, TAR_SKIP = 2 };

/* A directory that gets its times when nothing is put into it any more. */
struct late {
	uint64_t ino;
	unsigned mask;
	struct volume_time atime, mtime;
};

struct importing {
	struct tar_job *job;
	struct volume *v;
	struct tar_library lib;
	struct archive *archive;
	uint8_t *input; /* owned; READ_LEN */
	uint64_t n_read;
	uint64_t n_zeros; /* at the end of what was read */
	int read_rc;
	bool said_absolute;
	struct late *late; /* owned */
	size_t n_late;
	size_t late_cap;
	struct idmap policies; /* directories that got one from the archive */

	/* The member at hand. */
	struct archive_entry *entry;
	char *said;     /* its name as the archive has it; owned */
	char *path;     /* cleaned; owned */
	char *dir_path; /* of the directory `dir`; owned; NULL: not known */
	uint64_t dir;
	struct span name; /* in `path`; empty: the root */
};

/* Says what is wrong with the member at hand, and counts it. TAR_SKIP. */
int tar_problem(struct importing *m, const char *what);

/* TAR_SKIP: a failure that only this member has, and is a problem. Any other ends
 * the run, and is returned. */
int tar_fail(struct importing *m, int rc);

/* ---- tar_attr.c: the member's attributes, for the inode that was made ------- */

/* Extended ones, before there is content: one of them says how that is encoded. */
int tar_put_xattrs(struct importing *m, uint64_t ino);

/* Owner, mode and times, when nothing else is changed any more. */
int tar_put_attr(struct importing *m, uint64_t ino);

/* Keeps a directory's times for tar_set_late(). */
int tar_put_late(struct importing *m, uint64_t ino);

/* In the order of the archive: what it says last counts. */
int tar_set_late(struct importing *m);

#endif
