/* SPDX-License-Identifier: MIT */
/*
 * bank.h - which chunks there are, in which frame, and how often referred to.
 *
 * Owns tables `chunk`, `content`, `frame` and `base`. New chunks and changed counts
 * stay in memory until bank_flush(). Where a chunk lies within its frame is
 * told by the frame itself, so a wrong row can never lead to wrong bytes.
 *
 * A chunk may get another frame (move.h): of several frames that have it the one
 * with the highest sequence holds it. A frame that holds no chunk any more is
 * dead: its row goes, and what it refers to is referred to once less. Chunks
 * that are referred to are live, others may be found again (a duplicate) until
 * they are dropped.
 * Threads: any; INDEX is held where a function says so.
 * Errors: -ENOENT (no such chunk), -EUCLEAN, -ENOMEM, and those of db.h.
 */
#ifndef STORE_BANK_H
#define STORE_BANK_H

#include "store/pending.h"
#include "store/store.h"

#include <stdatomic.h>

struct bank;
struct codebooks;

/*
 * chunk: where, how many extents and deltas refer to it, and its raw length.
 * content: finds a duplicate; the key is
 * the low 47 bits of the hash. frame: id is the record's sequence, off8 its
 * place / 8; chunks: how many it holds; live: raw bytes of those that are live.
 * base: what the DELTA nodes of a frame refer to. A chunk that nobody refers to any more stays: a duplicate may
 * revive it.
 */
#define BANK_SCHEMA                                                    \
 "CREATE TABLE content(key INTEGER NOT NULL, chunk INTEGER NOT NULL, " \
 "PRIMARY KEY(key, chunk)) WITHOUT ROWID;"                             \
 "CREATE TABLE frame(id INTEGER PRIMARY KEY, segment INTEGER NOT "     \
 "NULL, off8 INTEGER NOT NULL, len INTEGER NOT NULL, "                 \
 "raw INTEGER NOT NULL, kind INTEGER NOT NULL, codebook INTEGER NOT "  \
 "NULL, chunks INTEGER NOT NULL, live INTEGER NOT NULL);"              \
 "CREATE TABLE base(frame INTEGER NOT NULL, node INTEGER NOT NULL, "   \
 "chunk INTEGER NOT NULL, PRIMARY KEY(frame, node)) WITHOUT ROWID;"    \
 "CREATE INDEX base_chunk ON base(chunk)"

/* `codebooks`: counts the frames that name one; it may be NULL if none does. */
int bank_new(struct codebooks *codebooks, struct bank **ret);
void bank_free(struct bank *b);

/* Prepares statements on a connection. INDEX held. */
int bank_attach(struct bank *b, struct db *db);

/* Forgets all that is in memory only. INDEX held. */
void bank_reset(struct bank *b);

struct bank_frame {
	struct frame_place place;
	uint32_t raw_len;
	struct span glyphs;
	const struct frame_chunk *chunks;
	size_t n_chunks;      /* at most FRAME_CHUNKS_MAX */
	uint64_t known_below; /* chunks with lower ids may be known already */
};

/* A frame is in the log: from now on its chunks are found there, unless a newer
 * one has them, and the bases of its deltas and its codebook have one more
 * reference each. Counts of chunks stay. -EUCLEAN, -EOPNOTSUPP: glyphs that
 * make no sense. */
int bank_add(struct bank *b, const struct bank_frame *frame);

/*
 * A FRAME record goes into the log between these two, and bank_add() tells of
 * it: bank_settle() waits until all that have begun so are through. Neither
 * INDEX nor a lock above BANK may be held between them.
 */
void bank_expect(struct bank *b);
void bank_expected(struct bank *b);
void bank_settle(struct bank *b);

/* The frame of a chunk, if memory knows it. */
bool bank_locate(struct bank *b, uint64_t chunk, struct frame_place *ret);

/* The frame of a chunk, from the index. INDEX held. */
int bank_load(struct bank *b, uint64_t chunk, struct frame_place *ret);

/* Lets bank_locate() know a frame's chunks: they were just decoded. `moment`:
 * bank_moment() before the place was looked up; if a chunk has been moved since,
 * nothing is remembered. */
uint64_t bank_moment(struct bank *b);
struct bank_memory {
	struct frame_place place;
	uint64_t moment;
};
void bank_remember(struct bank *b, const struct bank_memory *m,
		   const uint64_t *chunks, size_t n);

/* A chunk whose content may be that of the hash; 0: none. The first looks
 * in memory, the second into the index with INDEX held. */
uint64_t bank_candidate(struct bank *b, uint64_t hash);
int bank_candidate_load(struct bank *b, uint64_t hash, uint64_t *ret);

/* chunk_ref(). INDEX held. */
int bank_ref(struct bank *b, uint64_t chunk, int64_t delta);

/* References to a chunk: by extents, and by deltas that it is the base of.
 * INDEX held. */
int bank_refs(struct bank *b, uint64_t chunk, uint64_t *ret);

/*
 * A base is never a chunk of a frame with deltas, though chunks move. Who wants to
 * use one as a base pins it first, looks at its frame then, and lets go when
 * bank_add() knows the delta. Who moves chunks into a frame with deltas claims
 * them before the record is appended, until bank_add() knows that frame.
 */

/* False: the chunk is about to become a delta. */
bool bank_pin(struct bank *b, uint64_t chunk);
void bank_unpin(struct bank *b, uint64_t chunk);

/* Waits until nobody pins one of them; bank_is_base() tells then for good whether
 * one is a base. One claim at a time; `chunks` stay until bank_unclaim(). No lock
 * may be held. */
void bank_claim(struct bank *b, const struct frame_chunk *chunks, size_t n);
void bank_unclaim(struct bank *b);

/* Writes changed counts and all frames up to `seq` into the index, and adds
 * them to `totals`. INDEX held. */
int bank_flush(struct bank *b, uint64_t seq, atomic_int_fast64_t *totals);

/* Adds what waits for bank_flush() to `totals`. */
void bank_pending_totals(struct bank *b, uint64_t *totals);

/* Chunks and counts that wait for bank_flush(). */
size_t bank_n_pending(struct bank *b);

/* ---- for cleaning ----------------------------------------------------------- */

enum { BANK_CONDEMNED_MAX = 16 };

/*
 * From now on nobody begins to refer to chunks in these segments: ingest asks
 * bank_is_condemned() where a chunk lies that it has found. Chunks that move out
 * of them are free again. n 0: none is condemned.
 */
void bank_condemn(struct bank *b, const uint64_t *segments, size_t n);
bool bank_is_condemned(struct bank *b, uint64_t segment);

/*
 * The chunk goes if the frame, or an older one, holds it; nobody may refer to it
 * (-EUCLEAN), and nobody may be about to. Then the frame, which must not hold
 * any more chunk (-EUCLEAN); what it refers to is referred to once less. What is
 * gone already stays so. INDEX held.
 */
int bank_drop_chunk(struct bank *b, uint64_t frame,
		    const struct frame_chunk *chunk,
		    atomic_int_fast64_t *totals);
int bank_drop_frame(struct bank *b, uint64_t frame,
		    atomic_int_fast64_t *totals);

/* ---- for checkpoints; INDEX held ------------------------------------------ */

/* store_handlers.dump for the bank's tables, as operations of the store. What
 * waits for bank_flush() is not in it. */
int bank_dump(struct bank *b, struct dump_cursor *c, struct buffer *ops);

/* Applies an operation of bank_dump(). -EOPNOTSUPP: it is none. */
int bank_load_rows(struct bank *b, uint8_t type, struct span body);

/*
 * From now on rows come in any order and more than once: references may be
 * counted before their chunk is known, and of two frames of a chunk the newer
 * one holds it.
 */
void bank_rebuild_begin(struct bank *b);

/* All rows are there. Sets the bank's `totals`. -EUCLEAN: chunks are referred
 * to that are in no frame. */
int bank_rebuild_end(struct bank *b, atomic_int_fast64_t *totals);

/* ---- for recovery ------------------------------------------------------------ */

/* Empties the tables. From now on rows are merged as above, and nobody counts
 * references. INDEX held. */
int bank_salvage_begin(struct bank *b);

/* ---- walks over the tables; INDEX held ------------------------------------ */

/* A frame, and what of it is still of use. */
struct bank_frame_row {
	struct frame_place place;
	uint32_t raw_len;
	uint64_t n_chunks; /* that it holds */
	uint64_t live_len; /* raw bytes of those that are live */
	uint64_t codebook; /* 0: none */
	enum encode_kind kind;
};

/* One frame; or the first behind `after`: 1, 0: none. What waits for
 * bank_flush() is not in it. -ENOENT. */
int bank_frame_row(struct bank *b, uint64_t frame, struct bank_frame_row *ret);
int bank_next_frame(struct bank *b, uint64_t after, struct bank_frame_row *ret);

/* The part of its payload that a frame's live bytes count for. */
static inline uint64_t bank_live_stored(const struct bank_frame_row *f)
{
	return f->raw_len == 0
		       ? 0
		       : (f->live_len * f->place.payload_len + f->raw_len - 1) /
				 f->raw_len;
}

struct bank_chunk {
	uint64_t id;
	uint64_t frame; /* the newest one that has it */
	uint64_t refs;  /* as bank_refs() */
	uint32_t len;   /* raw */
};

/* What a chunk takes, and whom for. */
struct bank_weight {
	uint64_t refs; /* as bank_refs() */
	uint32_t len;  /* raw */
	uint32_t frame_raw;
	uint32_t frame_stored; /* payload */
};

/* Of any chunk, in memory or in the index. -ENOENT. */
int bank_weight(struct bank *b, uint64_t chunk, struct bank_weight *ret);

/* The first chunk in the index behind `after`: 1, 0: none. */
int bank_next_chunk(struct bank *b, uint64_t after, struct bank_chunk *ret);

/* One that is in the index. -ENOENT. */
int bank_chunk(struct bank *b, uint64_t chunk, struct bank_chunk *ret);

/* Whether a delta refers to it: 1 or 0. */
int bank_is_base(struct bank *b, uint64_t chunk);

#endif
