/* SPDX-License-Identifier: MIT */
/*
 * salvage.h - opens what is left of a store, to be read and no more.
 *
 * All records that a checksum proves are looked for in the files, and what they
 * say goes into an index without a name, which ends with the store. Of records
 * that are lost only what they said is missing. Nothing is written to the
 * files. One thread until it is open.
 */
#ifndef STORE_SALVAGE_H
#define STORE_SALVAGE_H

#include "store/store.h"

/* What was found out, and about what: see salvage_finding. */
enum salvage_what {
	SALVAGE_BAD_BYTES,       /* path, from, to: hold no record */
	SALVAGE_UNREADABLE,      /* path, from: so many bytes, by the disk */
	SALVAGE_HEADER_LOST,     /* path: all of the segment is lost */
	SALVAGE_HEADER_MENDED,   /* path */
	SALVAGE_SEGMENT_MISSING, /* from, to: numbers */
	SALVAGE_RECORDS_LOST,    /* from, to: sequences */
	SALVAGE_TAIL_DROPPED,    /* from, to: sequences; never committed */
	SALVAGE_OP_REFUSED,      /* from: sequence of its record */
	SALVAGE_FOREIGN,         /* from: so many segments of other stores */
	SALVAGE_INDEX_USED,      /* the index tells what the log has lost */
	SALVAGE_N
};

struct salvage_finding {
	enum salvage_what what;
	const char *path; /* NULL: no file */
	uint64_t from;
	uint64_t to; /* behind the last byte; of other ranges the last one */
};

/* Whether it means that something is lost. */
bool salvage_is_loss(enum salvage_what what);

struct salvage_options {
	const char *store; /* its directory, or one of segments; or NULL */
	const char *const *paths; /* files, when `store` is NULL */
	size_t n_paths;
	bool carve; /* they are images; else segments */
	void *ctx;
	void (*finding)(void *ctx, const struct salvage_finding *f);
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
};

/*
 * -ENOENT: there is no segment. -EWOULDBLOCK: the store is open elsewhere.
 * -EFBIG: too many files. -EIO, -ENOSPC (the temporary index), -ENOMEM. The rest
 * as store_open(); what is open is closed by store_close().
 */
int salvage_open(const struct salvage_options *options,
		 const struct store_handlers *handlers, struct store **ret);

/* Whether all that the log said since its newest checkpoint is there. */
bool salvage_is_whole(const struct store *s);

/* The file that holds what has this number of a segment here, and where in it its
 * offsets begin. NULL: no such number. */
const char *salvage_source(const struct store *s, uint64_t segment,
			   uint64_t *ret_base);

/* The user has written so many rows into tables of its own: they must not become
 * too many in one transaction. INDEX held. */
int salvage_save(struct store *s, uint64_t n_rows);

#endif
