/* SPDX-License-Identifier: MIT */
/*
 * sketches.h - finds a chunk that is similar to given bytes, by sketches.
 *
 * The newest SKETCHES_MAX are in memory, at 64 bytes each. Those of chunks of
 * SKETCHES_KEEP_MIN bytes and more are also kept in the index, so that they are
 * there after the next mount (table `sketch`, some 35 bytes a chunk); when newer
 * ones push them out of memory, they go on being found there (table `similar`,
 * a row for each super-feature). What is found is a hint: the chunk may have
 * gone, or be dissimilar.
 * Threads: any; INDEX is held where a function says so.
 */
#ifndef STORE_SKETCHES_H
#define STORE_SKETCHES_H

#include "codec/sketch.h"

struct db;
struct sketches;

enum {
	SKETCHES_MAX = 1 << 17,
	SKETCHES_KEEP_MIN = 16 << 10,
};

/*
 * sketch: the super-features, 4 bytes each. similar: key is a super-feature * 8
 * + its number.
 */
#define SKETCHES_SCHEMA                                            \
 "CREATE TABLE sketch(chunk INTEGER PRIMARY KEY, supers BLOB NOT " \
 "NULL);"                                                          \
 "CREATE TABLE similar(key INTEGER NOT NULL, chunk INTEGER NOT "   \
 "NULL, PRIMARY KEY(key, chunk)) WITHOUT ROWID"

/* -ENOMEM. */
int sketches_new(struct sketches **ret);
void sketches_free(struct sketches *k);

/* Prepares statements on a connection. INDEX held. */
int sketches_attach(struct sketches *k, struct db *db);

/* Whether sketches_load() has yet to be called. */
bool sketches_cold(struct sketches *k);

/* Reads what the index keeps into memory, once: 0.1 s at most. INDEX held. */
int sketches_load(struct sketches *k);

/* A chunk that may be a base was stored. */
void sketches_add(struct sketches *k, uint64_t chunk, size_t len,
		  const struct sketch *sketch);

struct similar_chunk {
	uint64_t chunk;   /* 0: none */
	unsigned matches; /* equal super-features, as far as known */
};

/*
 * The chunk with most equal super-features, the newest of several. The second
 * looks where memory has forgotten; INDEX held; worth its time only when
 * sketches_forgot() says so.
 */
struct similar_chunk sketches_find(struct sketches *k,
				   const struct sketch *sketch);
bool sketches_forgot(struct sketches *k);
int sketches_find_old(struct sketches *k, const struct sketch *sketch,
		      struct similar_chunk *ret);

/*
 * Whether a find is worth a trial. One match alone is often a false alarm:
 * where such trials keep failing, only one in 32 is still made.
 */
bool sketches_promising(struct sketches *k, const struct similar_chunk *found);
void sketches_judge(struct sketches *k, const struct similar_chunk *found,
		    bool good);

/* A chunk is gone: the index keeps no sketch of it. What memory, and table
 * `similar`, have is found to be of no use when it is used. INDEX held. */
int sketches_drop(struct sketches *k, uint64_t chunk);

/* Writes what is new into the index. INDEX held. */
int sketches_flush(struct sketches *k);

#endif
