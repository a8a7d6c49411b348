/* SPDX-License-Identifier: MIT */
/*
 * dirent.h - names in directories: rows, their cookies, changes of them.
 *
 * Owns table `dirent`. A cookie is the place of a name in its directory: 48 bits
 * of a seeded hash, or one of the next PROBE_MAX - 1 numbers when names collide;
 * it stays as long as the name does, so listings go on from it. Knows nothing of
 * inodes. INDEX is held throughout.
 */
#ifndef VOLUME_DIRENT_H
#define VOLUME_DIRENT_H

#include "volume/ops.h"

struct db;
struct dirents;
struct volume;

enum { DIRENT_PROBE_MAX = 16 };

extern const char dirent_schema[];
extern const char dirent_clear[]; /* empties the table */

int dirents_new(struct dirents **ret);
int dirents_attach(struct dirents *d, struct db *db);
void dirents_free(struct dirents *d);

/* Where a name is, or would be. */
struct dirent_place {
	uint64_t cookie; /* 0: no room, too many names collide */
	uint64_t ino;    /* 0: there is no such name */
	uint8_t type;
};

/* The first cookie that `name` may have. No lock needed. */
uint64_t dirent_cookie(const struct volume *v, struct span name);

/* Looks `name` up. */
int dirent_find(struct volume *v, uint64_t parent, struct span name,
		struct dirent_place *ret);

/* Logs and applies, in a transaction. The name at that cookie is replaced. */
int dirent_put(struct volume *v, const struct op_dirent *entry);
int dirent_del(struct volume *v, uint64_t parent, uint64_t cookie);

/* Apply the bodies of DIRENT and DIRENT_DEL. */
int dirent_apply(struct volume *v, struct span body);
int dirent_apply_del(struct volume *v, struct span body);

/* 1: nothing is in it; 0; or an error. */
int dirent_is_empty(struct volume *v, uint64_t parent);

/* Called for entries in order; ends the walk by returning non-zero, which is
 * then returned. `entry` may hold anything that a damaged row holds. */
typedef int dirent_fn(void *ctx, const struct op_dirent *entry);

/* The entries of a directory after `cookie`. */
int dirents_walk(struct volume *v, uint64_t parent, uint64_t cookie,
		 dirent_fn *fn, void *ctx);

/* All entries of all directories. */
int dirents_each(struct volume *v, dirent_fn *fn, void *ctx);

/* store_handlers.dump for this table, as DIRENT operations. */
int dirents_dump(struct volume *v, struct dump_cursor *c, struct buffer *ops);

#endif
