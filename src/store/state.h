/* SPDX-License-Identifier: MIT */
/*
 * state.h - struct store, for the files of this room only.
 *
 * The parts that stand alone (log, bank, cache, segments) do not know it;
 * the files that tie them together (txn, commit, replay, chunk, ingest,
 * space, check) do.
 */
#ifndef STORE_STATE_H
#define STORE_STATE_H

#include "base/grace.h"
#include "base/sync.h"
#include "base/workers.h"
#include "store/bank.h"
#include "store/cache.h"
#include "store/clean.h"
#include "store/codebooks.h"
#include "store/context.h"
#include "store/index.h"
#include "store/leisure.h"
#include "store/log.h"
#include "store/segments.h"
#include "store/sketches.h"
#include "store/store.h"
#include "store/superblock.h"

#include <stdatomic.h>

#define STORE_LOG_DIR   "log"
#define STORE_LOCK_NAME "lock"

/* So many frames in which somebody read here and there are remembered: about
 * as many as the cache has room for. */
enum { N_TOUCHED = 256 };

struct ingest;
struct housekeeping;
struct maintain;
struct round_end;
struct salvage;
struct trainer;

/* Changes that are not in the log yet. INDEX. */
struct txn {
	struct buffer batch;  /* operations */
	struct buffer packed; /* scratch */
	struct encoder *encoder;
	bool sealing; /* before_batch is running */
	bool spilled; /* part of the open transaction is in the log */
};

/* Who makes things durable. */
struct commit {
	struct sync_mutex lock; /* SYNC */
	struct sync_cond done;
	bool leading GUARDED_BY(lock);
	uint64_t durable GUARDED_BY(lock); /* mark */
};

/* Which bytes were accepted, and may still have to be written. */
struct space {
	struct sync_mutex lock;             /* LEAF */
	uint64_t free_len GUARDED_BY(lock); /* of the disk, a moment ago */
	uint64_t total_len GUARDED_BY(lock);
	uint64_t asked_ns GUARDED_BY(lock); /* when; 0: never */
	uint64_t asked_at GUARDED_BY(lock); /* `accepted` then */
	uint64_t accepted GUARDED_BY(lock); /* bytes, ever */
	uint64_t settled GUARDED_BY(lock);  /* written or dropped */
	uint64_t aged[4] GUARDED_BY(lock);  /* `accepted` 1..4 s ago */
	bool reserve_there GUARDED_BY(lock);
};

/* Who does long work: one at a time. */
struct upkeep {
	struct sync_mutex lock; /* LEAF */
	struct sync_cond free;
	bool busy GUARDED_BY(lock);
};

struct store {
	char *path; /* resolved */
	int dir_fd;
	int log_fd; /* the directory log/ */
	int lock_fd;
	struct salvage *salvage; /* owned; NULL: an ordinary store */
	struct superblock superblock;
	struct store_options options;   /* defaults filled in */
	struct store_handlers handlers; /* immutable */
	struct store_opened opened;     /* immutable once open */

	/* atomic: flags and counters; each stands for itself. */
	atomic_bool failed; /* a write failed: what the index holds is ahead */
	atomic_bool read_only; /* failed, or opened so */
	atomic_uint_fast64_t mark;
	atomic_uint_fast64_t n_ops; /* since the last index commit */
	atomic_uint_fast64_t next_ids[STORE_N_IDS];
	atomic_int_fast64_t totals[STORE_N_TOTALS];
	atomic_uint_fast64_t index_len;
	/* Bytes of earlier mounts' segments, less what has been removed since,
	 * and their number: the sum with the log's is right, modulo 2^64. */
	atomic_uint_fast64_t old_len;
	atomic_uint_fast64_t old_n;

	struct segments *segments;
	struct contexts *contexts;
	struct cache *cache;
	struct bank *bank;
	struct sketches *sketches;
	struct codebooks *codebooks;
	struct log *log; /* NULL: opened read-only */
	struct ingest *ingest;
	struct trainer *trainer; /* NULL: nothing is written */
	struct workers *prefetchers;
	atomic_uint_fast64_t prefetched; /* atomic: the newest frame, a hint */
	/* atomic: frames of which a chunk was read alone, hints */
	atomic_uint_fast64_t touched[N_TOUCHED];
	struct housekeeping *housekeeping; /* NULL: not started */
	struct maintain *maintain;         /* NULL: not started */
	struct upkeep upkeep;
	struct clean_memory clean; /* who has maintain_enter() */
	atomic_bool used;          /* atomic: a flag; store_use() */
	struct leisure leisure;
	struct grace grace; /* around the use of chunks; store_enter() */
	struct commit commit;
	struct space space;

	struct sync_mutex index_mutex; /* INDEX; all below */
	struct index index;
	struct txn txn;
	struct log_commit position; /* the last COMMIT that is applied */
	uint64_t n_before;          /* segments before position's */
	struct index_rounds kept;
	bool recount;       /* segments were removed: space_recount() */
	bool rebuilding;    /* the index holds only a part of what it should */
	uint64_t ops_len;   /* bytes of operations since the newest round */
	uint64_t optimized; /* chunks up to this one have been gone over */
	uint64_t epoch;
	uint64_t last_seq;        /* highest of earlier mounts */
	uint64_t position_before; /* bytes of segments before position's */
};

/* store.c: the steps of opening. store_attach() prepares all statements and begins
 * a transaction. store_free() ends what is half open. */
struct store *store_alloc(const struct store_options *options,
			  const struct store_handlers *handlers);
int store_make_parts(struct store *s);
int store_attach(struct store *s);
void store_free(struct store *s);

/* salvage.c. NULL is fine. */
void salvage_free(struct salvage *v);

/* txn.c */
int txn_init(struct store *s);
void txn_release(struct store *s);
int txn_apply(struct store *s, uint8_t type, struct span body);
int txn_seal(struct store *s); /* INDEX held */

/* commit.c */
void commit_init(struct store *s);
void commit_release(struct store *s);
int index_commit(struct store *s);
int index_write(struct store *s, bool truncate); /* INDEX held */
int index_end(struct store *s);                  /* the last time; INDEX held */

/* index_commit(), and what it has committed is durable. */
int index_sync(struct store *s);

/* checkpoint.c: a round with this END, in that segment, is durable. INDEX
 * held. */
void checkpoint_note(struct store *s, uint64_t segment,
		     const struct round_end *end);

/* housekeeping.c: after its end it may still be kicked, in vain, until it is
 * freed. */
void housekeeping_kick(struct store *s);
void housekeeping_end(struct store *s);
void housekeeping_free(struct store *s);

/* ingest.c */
int ingest_start(struct store *s);
void ingest_end(struct store *s);

/* space.c */
void space_init(struct store *s);
void space_release(struct store *s);
void space_make_reserve(struct store *s);
/* At a clean end: the next to open the store makes it again. Where little room is
 * left it stays, or there might be none for it then. */
void space_drop_reserve(struct store *s);
bool space_make_room(void *store);
void space_settle(struct store *s, size_t len);
void space_tick(struct store *s);

/* Whether there is little room left for new data. */
bool space_is_low(struct store *s);

/* Counts the segments that are there, and their bytes. Before the log is open
 * INDEX is held by who replays; afterwards nobody may hold it. */
int space_recount(struct store *s);

/* Whether the disk holds `len` more bytes that are moved, beside what has been
 * accepted; `cleaning`: what is kept for metadata may be used for the most part,
 * and what was accepted has to wait for what is freed. */
bool space_has(struct store *s, uint64_t len, bool cleaning);

#endif
