/* SPDX-License-Identifier: MIT */
/*
 * index.h - index.db: opening, its meta rows, its transactions.
 *
 * Owns table `meta`. The file is a view of the log: one that is missing,
 * damaged or of another version is put aside and a new one is made.
 * INDEX is held for all of it, or nobody else is there yet.
 */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include "store/db_connection.h"
#include "store/store.h"

enum {
	INDEX_APPLICATION_ID = 0x53474D46,
	INDEX_VERSION = 8,
};

/* The checkpoint rounds that a rebuild can begin with: segments. 0: none. */
struct index_rounds {
	uint64_t end;     /* holds the newest one's END */
	uint64_t start;   /* where it starts */
	uint64_t earlier; /* where the one before it starts */
	uint64_t len;     /* bytes of the newest one's parts */
};

/* What the index knows of itself: of the log, how far it is applied. */
struct index_meta {
	uint64_t applied_seq; /* of the last applied COMMIT; 0: none */
	uint64_t segment;     /* the place behind that COMMIT */
	uint64_t off;
	uint64_t epoch;
	uint64_t last_seq; /* the highest known */
	uint64_t log_len;  /* bytes of the segments before `segment` */
	uint64_t n_before; /* their number */
	struct index_rounds rounds;
	uint64_t ops_len;     /* bytes of operations since the newest round */
	uint64_t rebuilding;  /* 1: only in part what the log says */
	uint64_t commit_hash; /* of that COMMIT's header; 0: not known */
	uint64_t optimized;   /* chunks up to this one were gone over */
	uint64_t next_ids[STORE_N_IDS];
	int64_t totals[STORE_N_TOTALS];
};

struct index {
	struct db *db;
	struct db_stmt *meta_set;
	char *path;   /* owned */
	bool view;    /* the file is not to be changed */
	bool frozen;  /* and is what `db` reads */
	uint64_t len; /* of the file when it was opened, or had no gaps */
};

/*
 * Opens `dir`/index.db, makes it with `schema` when it is not there or no
 * good. `ret_new`: it is new, so all of the log is to be replayed.
 */
int index_open(struct index *x, const char *dir, const char *schema,
	       bool *ret_new);

/*
 * The same without changing or making anything in `dir`. A file that is no good
 * stays where it is, and a new one without a name takes its place. What is
 * written is -EROFS as long as the file itself is read; see index_thaw().
 */
int index_view(struct index *x, const char *dir, const char *schema,
	       bool *ret_new);

/* Goes over to a copy, which can be written. -EROFS: it is no view, or a copy
 * already. Statements have to be prepared again. */
int index_thaw(struct index *x);

/* A new one without a name, which ends with the connection. */
int index_private(struct index *x, const char *schema);

/* Whether the pages of the file make sense, one by one: reads them all. */
bool index_is_sound(struct index *x);

void index_close(struct index *x);

/* Closes the file, puts it aside and makes a new one. */
int index_replace(struct index *x, const char *schema);

/*
 * Closes the gaps between rows, if the file is short enough not to be waited for
 * (10 ms for 1.9 MB), and has grown or lost so much that it is worth it. Outside
 * of a transaction. What fails is left as it was.
 */
void index_tidy(struct index *x);

int index_load(struct index *x, struct index_meta *ret);
int index_save(struct index *x, const struct index_meta *m);

#endif
