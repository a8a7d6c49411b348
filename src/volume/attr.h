/* SPDX-License-Identifier: MIT */
/*
 * attr.h - the inode image: one encoding for the log and for the index.
 *
 * FORMAT.md section 6. Pure.
 */
#ifndef VOLUME_ATTR_H
#define VOLUME_ATTR_H

#include "volume/volume.h"

enum {
	INODE_IMAGE_MAX =
		512, /* bytes, unknown fields of newer writers included */

	/* Flags. The second: data may be mapped beyond the size. In an inode
	 * just loaded a crash came between; see file_mend(). The third: it was made
	 * without a name and has had none, so it may be given one. */
	INODE_HAS_XATTRS = 1 << 0,
	INODE_SIZE_BEHIND = 1 << 1,
	INODE_UNNAMED = 1 << 2,
};

struct inode_image {
	struct volume_attr attr; /* ino is not part of the image */
	uint64_t flags;
	uint64_t parent; /* directories */
	uint64_t project;
	uint64_t policy;
	uint8_t tail_len; /* unknown fields, kept as they came */
	uint8_t tail[64];
};

/* Writes at most INODE_IMAGE_MAX bytes; returns the length. */
size_t inode_image_put(const struct inode_image *image, uint8_t *dst);

/* -EUCLEAN. */
int inode_image_get(struct span bytes, struct inode_image *ret);

#endif
