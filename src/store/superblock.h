/* SPDX-License-Identifier: MIT */
/*
 * superblock.h - the text that makes a directory a store.
 *
 * FORMAT.md section 1. Pure, but for the two that read and write the file. Errors:
 * -EUCLEAN (damage), -EOPNOTSUPP (newer).
 */
#ifndef STORE_SUPERBLOCK_H
#define STORE_SUPERBLOCK_H

#include "base/bytes.h"

#define SUPERBLOCK_NAME     "sigmafs.store"
#define SUPERBLOCK_NEW_NAME "sigmafs.store.new"

enum {
	SUPERBLOCK_VERSION = 1,
	SUPERBLOCK_LEN_MAX = 4096,
	SUPERBLOCK_LABEL_MAX = 64,
	SUPERBLOCK_UUID_LEN = 16,
};

struct superblock {
	uint8_t uuid[SUPERBLOCK_UUID_LEN];
	uint64_t compat;    /* feature bits: unknown ones are fine */
	uint64_t ro_compat; /* unknown ones: do not write */
	uint64_t incompat;  /* unknown ones: do not touch */
	int64_t created;    /* seconds since 1970 */
	char label[SUPERBLOCK_LABEL_MAX + 1];
};

/* -EINVAL: too long, or a control character. */
int superblock_check_label(const char *label);

/* Writes the text at `dst` (room for SUPERBLOCK_LEN_MAX); returns its length. */
size_t superblock_put(const struct superblock *sb, char *dst);

/* Parses and verifies a text. Says nothing about feature bits. */
int superblock_parse(struct span text, struct superblock *ret);

/* The one of the store whose directory is open. Also errors of the file. */
int superblock_read(int dir_fd, struct superblock *ret);

/* Writes the store's superblock, or another one in its place, by a rename. Durable
 * when the directory is. -EEXIST: somebody else is at it. */
int superblock_write(int dir_fd, const struct superblock *sb);

#endif
