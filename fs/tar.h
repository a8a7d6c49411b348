/* SPDX-License-Identifier: MIT */
/*
 * tar.h - a volume's tree as a tar archive, and back.
 *
 * Archives are POSIX.1-2001 (pax) with GNU.sparse 1.0 and SCHILY.xattr, which
 * GNU tar reads; ustar, GNU and pax ones are read. Memory does not depend on the
 * size of files or directories; what it grows with is said below.
 * Owner thread only. Everything that goes wrong is said when it does. Errors:
 * negative errno.
 */
#ifndef FS_TAR_H
#define FS_TAR_H

#include "base/bytes.h"

struct volume;

/* One run in either direction. */
struct tar_job {
	struct volume *volume;
	int fd;    /* to write to, or to read from; a pipe or a file */
	void *ctx; /* of progress() */
	void (*progress)(void *ctx, const struct tar_job *so_far);
	uint64_t n_entries;
	uint64_t n_bytes;    /* of the content of files */
	uint64_t n_problems; /* said: what is not as it should be */
};

/*
 * Writes what `path` names, with everything below it, as members of that name
 * without '/' in front ("./…" for the root). An unreadable piece of a file is
 * zeros in the archive, and a problem. Memory: 16 bytes and a path for each file
 * with several names. An error: the archive is not complete.
 */
int tar_export(struct tar_job *job, const char *path);

/*
 * Adds what is in an archive to the volume: what has a name of the archive is
 * replaced, but a directory stays, with what is in it, and gets the attributes of
 * the archive. Memory: 40 bytes for each directory of the archive. What cannot be
 * taken over is a problem; an error: the rest of the archive was not read.
 */
int tar_import(struct tar_job *job);

/* ---- for tests ------------------------------------------------------------- */

/*
 * A member's name as a path from the root without '/' in front, "." or "//" in
 * it, "" for the root; `ret` has room for as many bytes as `name` with its NUL.
 * -EXDEV: a ".." would lead out of the directory. -ENAMETOOLONG.
 */
int tar_clean_name(const char *name, char *ret);

/* Attribute names come with '%', '=' and what is not printable as %XX; decodes
 * in place. */
void tar_decode_xattr(char *name);

#endif
