/* SPDX-License-Identifier: MIT */
/*
 * salvage.h - what is left of a filesystem, to be copied out of it.
 *
 * The tables may lack anything: names without inodes, inodes without names, data
 * without either. salvage_settle() makes up for that with what is known; then
 * the tree is walked with volume_readdir(), and what is not met that way is asked
 * for by salvage_next(). One thread; no lock may be held.
 */
#ifndef VOLUME_SALVAGE_H
#define VOLUME_SALVAGE_H

#include "store/salvage.h"
#include "volume/volume.h"

struct buffer;

/* As salvage_open(). volume_close() ends it. */
int volume_salvage(const struct salvage_options *options, struct volume **ret);

/* Before all below. Takes as long as reading all tables. `ret_n`: inodes that are
 * to be copied. */
int salvage_settle(struct volume *v, uint64_t *ret_n);

/* An inode. */
struct salvage_node {
	struct volume_attr attr;
	uint64_t n_names;
	bool made;   /* its attributes are lost: type and size are a guess */
	bool behind; /* data may lie beyond its size, and does not count */
	bool placed; /* salvage_place() was called */
};

/* -ENOENT. */
int salvage_get(struct volume *v, uint64_t ino, struct salvage_node *ret);

/* It has been copied; `path` is where, relative to where all goes, and kept only
 * for what has several names. */
int salvage_place(struct volume *v, uint64_t ino, struct span path);

/* Appends the path of one that was placed. */
int salvage_path(struct volume *v, uint64_t ino, struct buffer *path);

/* The first inode behind `after` that was not placed, nor deleted; 0: none.
 * `nameless`: only one without a name. */
int salvage_next(struct volume *v, uint64_t after, bool nameless,
		 uint64_t *ret);

/* Bytes of a file. */
struct salvage_part {
	uint64_t off;
	uint64_t len;
	const uint8_t *bytes; /* NULL: they are lost */
};

typedef int salvage_fn(void *ctx, const struct salvage_part *part);

/*
 * Calls `fn` for all of the file but its holes, in order; ends early when it
 * returns non-zero, which is then returned. `ret_unsure`: bytes that should be
 * mapped and are not, or the other way, so what was told as a hole may be none.
 * Errors are those of `fn` and of memory: what cannot be read is lost.
 */
int salvage_read(struct volume *v, const struct salvage_node *node,
		 salvage_fn *fn, void *ctx, uint64_t *ret_unsure);

/* ---- for volume.c ------------------------------------------------------------ */

struct db;
struct salvage_rows;

int salvage_rows_new(struct salvage_rows **ret);
int salvage_rows_attach(struct salvage_rows *rows, struct db *db);
void salvage_rows_free(struct salvage_rows *rows);

#endif
