/* SPDX-License-Identifier: MIT */
/*
 * codebooks.h - which codebooks there are, who uses them, and those in use.
 *
 * Owns table `codebook`. Its rows follow from the log: one for each CODEBOOK
 * record, less those retired. Frames that refer to one are counted by the
 * bank's flush. A few codebooks are kept in memory, ready.
 * Threads: any; INDEX is held where a function says so.
 * Errors: -ENOENT (no such codebook), -EUCLEAN, -ENOMEM, and those of db.h.
 */
#ifndef STORE_CODEBOOKS_H
#define STORE_CODEBOOKS_H

#include "base/buffer.h"
#include "codec/codebook.h"
#include "store/db.h"

struct codebooks;

enum { CODEBOOK_CLASS_NAME_MAX = 33 }; /* bytes, with the NUL */

/* refs: frames that name it. segment, off8: its record. payload: of that. */
#define CODEBOOKS_SCHEMA                                                 \
 "CREATE TABLE codebook(id INTEGER PRIMARY KEY, class BLOB NOT NULL, "   \
 "version INTEGER NOT NULL, refs INTEGER NOT NULL, segment INTEGER NOT " \
 "NULL, off8 INTEGER NOT NULL, payload BLOB NOT NULL)"

int codebooks_new(struct codebooks **ret);
void codebooks_free(struct codebooks *c);

/* Prepares statements on a connection, and forgets what is in memory only.
 * INDEX held. */
int codebooks_attach(struct codebooks *c, struct db *db);

/* Learns anew which are there, after a rollback. INDEX held. */
int codebooks_reset(struct codebooks *c);

/* Where a record lies. */
struct codebook_place {
	uint64_t segment;
	uint64_t off;
};

/* ---- changes: INDEX held -------------------------------------------------- */

/* A CODEBOOK record is in the log. Twice is once. */
int codebooks_add(struct codebooks *c, const struct codebook_place *place,
		  struct span payload, uint64_t *ret_id);

/* It is retired. Twice is once. */
int codebooks_remove(struct codebooks *c, uint64_t id);

/* `delta` more frames refer to it. -EUCLEAN: there is none such. */
int codebooks_ref(struct codebooks *c, uint64_t id, int64_t delta);

/* ---- use ------------------------------------------------------------------ */

/* The newest of a class, 0: none. */
uint64_t codebooks_newest(struct codebooks *c, enum content_class class);

/* With one reference more. The first finds it in memory (NULL: it is not
 * there), the second also in the index, with INDEX held. */
struct codebook *codebooks_find(struct codebooks *c, uint64_t id);
int codebooks_load(struct codebooks *c, uint64_t id, struct codebook **ret);

/* As codebooks_load(), out of the payload of its record. INDEX held. */
int codebooks_load_record(struct codebooks *c, uint64_t id, struct span payload,
			  struct codebook **ret);

/* Whether the row of one holds the payload of its record: 1; 0: not, or there is
 * no row. INDEX held. */
int codebooks_hold(struct codebooks *c, uint64_t id, struct span payload);

/* Lets go of those that nobody uses. */
void codebooks_trim(struct codebooks *c);

/* Bytes of memory that those in memory take. */
size_t codebooks_memory(struct codebooks *c);

/*
 * Whether frames of some length of a class are worth a try with its newest.
 * What was found out is remembered, so that few frames are encoded twice.
 */
enum codebook_advice {
	CODEBOOK_SKIP,    /* lately it was not */
	CODEBOOK_COMPARE, /* not sure: tell how it went */
	CODEBOOK_USE,
};
enum codebook_advice codebooks_advise(struct codebooks *c,
				      enum content_class class, size_t raw_len);
void codebooks_tell(struct codebooks *c, enum content_class class,
		    size_t raw_len, bool won);

/* ---- rows: INDEX held ----------------------------------------------------- */

struct codebook_row {
	uint64_t id;
	uint64_t version;
	uint64_t refs;
	uint64_t payload_len;
	char class[CODEBOOK_CLASS_NAME_MAX];
	bool newest; /* of its class */
	struct codebook_place place;
};

/* The first behind `after`. 1; 0: none. */
int codebooks_next(struct codebooks *c, uint64_t after,
		   struct codebook_row *ret);

/*
 * store_handlers.dump for the table, as CODEBOOK_ROW operations; where the record
 * is that such an operation is of; and the operation applied, with the payload of
 * that record, or none if there is no good one (then a newer one follows, or
 * the codebook is lost). It counts no references.
 */
struct dump_cursor;
int codebooks_dump(struct codebooks *c, struct dump_cursor *cursor,
		   struct buffer *ops);
int codebooks_row_get(struct span body, uint64_t *ret_id,
		      struct codebook_place *ret);
int codebooks_load_row(struct codebooks *c, struct span body,
		       struct span payload);

/* One that can go: not the newest of its class, and no frame in the index
 * refers to it. Its id, 0: none behind `after`. */
int codebooks_find_idle(struct codebooks *c, uint64_t after, uint64_t *ret);

#endif
