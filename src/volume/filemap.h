/* SPDX-License-Identifier: MIT */
/*
 * filemap.h - file offset to chunk range, hole or unwritten.
 *
 * Owns table `extent`. A file's map is kept as leaves of at most
 * LEAF_EXTENTS_MAX extents, one row each, keyed by the offset of the first.
 * In memory leaves are immutable and counted: readers use one without locks
 * while a writer replaces it. Needs INDEX unless a function says otherwise.
 */
#ifndef VOLUME_FILEMAP_H
#define VOLUME_FILEMAP_H

#include <stdatomic.h>

#include "volume/data.h"

enum {
	LEAF_EXTENTS_MAX = 256,
	MAP_EXTENTS_MAX = 1024, /* in one MAP operation */
};

/* No extent ends after it. */
#define MAP_END_MAX ((uint64_t)1 << 63)

enum extent_kind { EXTENT_CHUNK = 0, EXTENT_UNWRITTEN = 1 };

struct extent {
	uint64_t off;       /* in the file */
	uint64_t len;       /* at least 1 */
	uint64_t chunk;     /* EXTENT_CHUNK */
	uint32_t chunk_off; /* in the chunk's raw bytes */
	enum extent_kind kind;
};

static inline uint64_t extent_end(const struct extent *e)
{
	return e->off + e->len;
}

/* What is known of file offsets [from, to): extents in order, else holes. */
struct leaf {
	atomic_uint n_refs;
	uint64_t from;
	uint64_t to;
	size_t n;
	struct extent extents[];
};

/* The leaf that covers `file_off`, with a reference for the caller. An empty
 * one where there is no row. */
int filemap_leaf(struct volume *v, uint64_t ino, uint64_t file_off,
		 struct leaf **ret);

/* No lock needed. NULL is fine for leaf_put(). */
struct leaf *leaf_get(struct leaf *leaf);
void leaf_put(struct leaf *leaf);

/* Index of the first extent that ends after `file_off`; leaf->n for none. */
size_t leaf_search(const struct leaf *leaf, uint64_t file_off);

struct map_range {
	uint64_t ino;
	uint64_t off;
	uint64_t len; /* at least 1; off + len at most 2^63 */
};

/*
 * Within a transaction: logs and applies that `range` holds `extents` (in
 * order, inside the range, n at most MAP_EXTENTS_MAX) and holes elsewhere.
 * `ret_allocated` gets how many more bytes of the file are not holes.
 */
int filemap_assign(struct volume *v, const struct map_range *range,
		   const struct extent *extents, size_t n,
		   int64_t *ret_allocated);

/* Offset at which the `n`-th leaf from the end begins, 0 when there are not
 * so many. */
int filemap_tail(struct volume *v, uint64_t ino, unsigned n, uint64_t *ret_off);

/* Calls `fn` for every extent of every file, ordered by inode and offset. */
int filemap_each(struct volume *v,
		 int (*fn)(void *ctx, uint64_t ino, const struct extent *e),
		 void *ctx);

/* store_handlers.dump for this table, as MAP operations. */
int filemap_dump(struct volume *v, struct dump_cursor *c, struct buffer *ops);

#endif
