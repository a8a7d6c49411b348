/* SPDX-License-Identifier: MIT */
/*
 * file_chunks.h - the chunks that files refer to, file by file.
 *
 * Goes down directories. What comes or goes meanwhile may be met or not, and
 * the same chunk more than once. Bytes that are not encoded yet are no chunks.
 * One thread; no lock may be held.
 */
#ifndef VOLUME_FILE_CHUNKS_H
#define VOLUME_FILE_CHUNKS_H

#include "volume/volume.h"

struct file_chunks;

/* `inodes`: where to begin, `n` of them; copied. -ENOMEM. */
int file_chunks_new(struct volume *v, const uint64_t *inodes, size_t n,
		    struct file_chunks **ret);
void file_chunks_free(struct file_chunks *f);

/* The next chunk: 1; 0: that was the last one. What has been deleted is passed
 * over. -ENAMETOOLONG: directories deeper than 65,536; -EUCLEAN, -EIO, -ENOMEM. */
int file_chunks_next(struct file_chunks *f, uint64_t *ret);

/* The bytes of a file that the last chunk was told for. */
struct file_chunks_range {
	uint64_t ino;
	uint64_t off;
	uint64_t len;
};
void file_chunks_range(const struct file_chunks *f,
		       struct file_chunks_range *ret);

#endif
