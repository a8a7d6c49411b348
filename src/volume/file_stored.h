/* SPDX-License-Identifier: MIT */
/*
 * file_stored.h - how many bytes of the store a file takes.
 *
 * Each extent counts for its share of its chunk: chunk_share() says what that is.
 * The shares of all files are together what lives in the store, but for what
 * deltas hold of their bases.
 */
#ifndef VOLUME_FILE_STORED_H
#define VOLUME_FILE_STORED_H

#include "volume/volume.h"

/* The attribute that tells it to programs: of regular files, never listed, kept
 * nowhere. Setting and removing it gives -EPERM. */
#define STORED_XATTR "user.sigmafs.stored"

bool stored_xattr_is(struct span name);

/* How far it was added up; all 0 to begin with. */
struct file_stored {
	uint64_t off;
	uint64_t shares; /* 1/1024 bytes */
};

/*
 * Adds the extents of one leaf. What is not encoded yet is, when it begins. 1:
 * there is more. -EISDIR, -EINVAL: not a regular file. Reads no data; INDEX is
 * held for one leaf. The file may change meanwhile.
 */
int file_stored(struct volume *v, uint64_t ino, struct file_stored *s);

static inline uint64_t file_stored_bytes(const struct file_stored *s)
{
	return (s->shares + 512) / 1024;
}

#endif
