/* SPDX-License-Identifier: MIT */
/*
 * salvage_impl.h - struct salvage, for salvage.c and salvage_log.c.
 */
#ifndef STORE_SALVAGE_IMPL_H
#define STORE_SALVAGE_IMPL_H

#include "store/apply.h"
#include "store/salvage.h"
#include "store/sources.h"
#include "store/state.h"

/* Records in a row: one after the other, none missing between them. */
struct salvage_run {
	uint64_t epoch;
	uint64_t first; /* sequences */
	uint64_t last;  /* 0: none yet */
};

struct salvage {
	struct store *s;
	struct salvage_options options; /* borrowed until it is open */
	struct sources sources;
	struct applying apply;
	struct db_stmt *put_record;
	struct db_stmt *put_run;
	struct salvage_run run; /* at hand */
	uint64_t done;          /* bytes read */
	uint64_t total;         /* to be read */
	uint64_t n_rows;        /* since the last commit */
	bool use_index;         /* the store's, if it is any good */
	bool has_index;         /* the tables are a copy of the store's index */
	bool whole;
};

/* Prepares statements. The tables are made. */
int salvage_attach(struct salvage *v);

/* Ends a transaction when it has become large, or `now`. */
int salvage_end_txn(struct salvage *v, bool now);

void salvage_tell(struct salvage *v, enum salvage_what what, uint64_t from,
		  uint64_t to);

/* ---- salvage_log.c ---------------------------------------------------------- */

extern const char salvage_schema[];

/* A record was found: its header is good, and its payload if it is `whole`. */
int salvage_note(struct salvage *v, const struct carved *r, uint64_t piece);

/* All records were noted: chooses where to begin, and applies operations. */
int salvage_replay(struct salvage *v);

#endif
