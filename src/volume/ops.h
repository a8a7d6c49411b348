/* SPDX-License-Identifier: MIT */
/*
 * ops.h - bodies of the volume's operations: names, inodes, attributes.
 *
 * FORMAT.md section 6; MAP is in extent.h and filemap.c. Pure. What is read
 * points into the body.
 */
#ifndef VOLUME_OPS_H
#define VOLUME_OPS_H

#include "base/varint.h"
#include "volume/attr.h"

enum volume_op {
	OP_INODE = 64,
	OP_INODE_DEL = 65,
	OP_DIRENT = 66,
	OP_DIRENT_DEL = 67,
	OP_MAP = 68,
	OP_XATTR = 69,
	OP_XATTR_DEL = 70,
};

enum {
	OP_INODE_MAX = VARINT_MAX + INODE_IMAGE_MAX,
	OP_DIRENT_MAX = 3 * VARINT_MAX + 1 + VOLUME_NAME_MAX,
	OP_XATTR_HEAD_MAX = VARINT_MAX + 1 + VOLUME_NAME_MAX,
};

/* Inode numbers are SQLite row ids. */
#define OP_INO_MAX ((uint64_t)INT64_MAX)

/* Cookies of names; 1 and 2 are "." and "..". */
#define OP_COOKIE_MIN ((uint64_t)3)
#define OP_COOKIE_MAX (((uint64_t)1 << 48) - 1)

/* All _put write at `dst`, which has room for the maximum above, and return the
 * length; all _get may return -EUCLEAN. */

struct op_inode {
	uint64_t ino;
	struct inode_image image;
};
size_t op_inode_put(uint64_t ino, const struct inode_image *image,
		    uint8_t *dst);
int op_inode_get(struct span body, struct op_inode *ret);

size_t op_inode_del_put(uint64_t ino, uint8_t *dst);
int op_inode_del_get(struct span body, uint64_t *ret_ino);

struct op_dirent {
	uint64_t parent;
	uint64_t cookie; /* in DIRENT's body: see FORMAT.md; dirent.c has it */
	uint64_t ino;
	uint8_t type; /* st_mode >> 12 */
	struct span name;
};
size_t op_dirent_put(const struct op_dirent *op, uint8_t *dst);
int op_dirent_get(struct span body, struct op_dirent *ret);

/* parent and cookie only. */
size_t op_dirent_del_put(const struct op_dirent *op, uint8_t *dst);
int op_dirent_del_get(struct span body, struct op_dirent *ret);

struct op_xattr {
	uint64_t ino;
	struct span name; /* empty: the target of a symbolic link */
	struct span value;
};
/* Room for OP_XATTR_HEAD_MAX and the value. */
size_t op_xattr_put(const struct op_xattr *op, uint8_t *dst);
int op_xattr_get(struct span body, struct op_xattr *ret);

/* ino and name only. */
size_t op_xattr_del_put(const struct op_xattr *op, uint8_t *dst);
int op_xattr_del_get(struct span body, struct op_xattr *ret);

/* Whether it may stand in a directory: 1..255 bytes, no '/' or NUL, not "." or
 * "..". */
bool op_name_valid(struct span name);

#endif
