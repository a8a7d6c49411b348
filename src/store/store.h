/* SPDX-License-Identifier: MIT */
/*
 * store.h - an open store: what the rooms above see of it.
 *
 * A store keeps chunks and applies operations; it knows no names and no
 * inodes. Its user (the volume) gives it handlers for operations 64..127.
 * Threads: any, unless a function says otherwise.
 * Errors: -EROFS once the store has turned read-only (store_fail), -ENOSPC,
 * -EIO, -EUCLEAN, -ENOMEM.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/bytes.h"
#include "codec/encode.h"

struct buffer;
struct db;
struct store;

/* ---- making, opening, closing ------------------------------------------- */

struct store_create_options {
	const char *label; /* NULL, or up to 64 bytes, no control characters */
};

/*
 * Makes the directory `path` (it may exist when it is empty) and an empty
 * store in it, durable on return. -EEXIST: there is a store already.
 * -ENOTEMPTY: something else is there. Leaves nothing behind on failure.
 */
int store_create(const char *path, const struct store_create_options *options);

struct store_options {
	bool read_only;            /* nothing in the directory is changed */
	bool rebuild;              /* put the index aside, and make a new one */
	unsigned n_workers;        /* encoders; 0: one per CPU */
	size_t cache_len;          /* bytes of decoded frames; 0: default */
	unsigned commit_seconds;   /* durable after; 0: default (5) */
	enum encode_effort effort; /* for new data */
	uint64_t train_after;      /* bytes of a class; 0: default (512 KiB) */
	unsigned cold_seconds;     /* when unused, optimised after; 0: never */
	uint64_t segment_len;      /* 0: default (SEGMENT_LEN) */
	uint64_t checkpoint_len;   /* bytes of operations for one; 0: default */
	/* While it opens: bytes of the log that were read. INDEX held. Or NULL. */
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *progress_ctx;
};

/* How far a dump has come; all zero at first. The fields are the dumper's. */
struct dump_cursor {
	unsigned table;
	uint64_t keys[2]; /* of the last row that was dumped */
	size_t name_len;
	uint8_t name[255];
	const void *ctx; /* of who dumps, for its own use */
};

/* A dump goes on until it has given so many bytes or rows. */
enum { DUMP_LEN = 96 << 10, DUMP_ROWS = 2048 };

/* What the store asks of its user. `ctx` is handed through. */
struct store_handlers {
	void *ctx;

	/* Tables of the user: run once on a new index. Static SQL. */
	const char *schema;

	/* Empties those tables; for salvage_open() only, which borrows it. */
	const char *clear;

	/* Prepare statements on a connection; called with INDEX held, again
	 * after the index was replaced. */
	int (*attach)(void *ctx, struct db *db);

	/* Applies operation `type` (64..127) to the index. INDEX is held.
	 * Called by txn_op() and by replay. Must not fail for reasons of
	 * POSIX. -EUCLEAN: the body makes no sense. */
	int (*apply)(void *ctx, uint8_t type, struct span body);

	/* Appends operations (ops_put) that make the rows behind the cursor,
	 * about DUMP_LEN bytes or DUMP_ROWS of them, and moves the cursor on.
	 * 1: there is more; 0: that was all. INDEX is held. NULL: the user has
	 * no tables that a checkpoint should hold. */
	int (*dump)(void *ctx, struct dump_cursor *c, struct buffer *ops);

	/* Logs (txn_op) what the user holds back. INDEX is held. Called before
	 * a batch becomes a record. */
	int (*before_batch)(void *ctx);

	/* Every second from the housekeeping thread, no lock held: hand
	 * aged data to ingest. With `all`: everything. */
	void (*tick)(void *ctx);
};

/* What opening found; static texts, NULL when all is well. */
struct store_opened {
	bool replayed;         /* the index was behind and has caught up */
	bool rebuilt;          /* the index was made from the log */
	bool from_checkpoint;  /* it was rebuilt without the log's beginning */
	const char *damage;    /* what is wrong with the log, or NULL */
	const char *read_only; /* why the store is read-only, or NULL */
};

/*
 * Opens and locks a store, replays what the index lacks, and calls
 * handlers->attach and apply meanwhile. -ENOENT: no store there. -EUCLEAN: a
 * damaged superblock. -EOPNOTSUPP: a newer format. -EWOULDBLOCK: it is open
 * elsewhere (store_holder() says by whom). `handlers` is copied. *ret is set
 * before the first handler is called, for they need it; after a failure it is
 * NULL.
 */
int store_open(const char *path, const struct store_options *options,
	       const struct store_handlers *handlers, struct store **ret);

/* What store_open() found. */
const struct store_opened *store_opened(const struct store *s);

/* Begins housekeeping (the thread that ticks, flushes, commits). */
int store_start(struct store *s);

/*
 * Makes everything durable, commits the index, ends all threads and frees the
 * store. Returns the first error; the store is gone all the same. No other
 * call may be under way.
 */
int store_close(struct store *s);

/* Who holds the lock of the store at `path`: its text ("pid 12, mounted on
 * '/mnt'"), cut at `cap`. -ENOENT: nobody. */
int store_holder(const char *path, char *text, size_t cap);

/* Replaces the text that store_holder() gives while we hold the lock. */
int store_describe(struct store *s, const char *text);

/* A descriptor of the store's directory, for the control socket. */
int store_dir_fd(const struct store *s);

/* A number that is this store's own for ever: hash of its uuid. */
uint64_t store_seed(const struct store *s);

/* Turns the store read-only for good, saying why, once. Any lock held. */
void store_fail(struct store *s, int err, const char *what);

/* 0, or -EROFS when nothing may be changed. */
int store_writable(const struct store *s);

/* Somebody is there: ends what is done only at idle time. Cheap; any lock held. */
void store_use(struct store *s);

/*
 * Who reads chunks, or maps them, without a reference of his own enters before he
 * learns their ids and leaves when he is through: chunks to which nobody refers
 * are dropped only when all who were inside are out. Never blocks; store_leave()
 * wants what store_enter() gave. Any lock below LEAF may be held.
 */
unsigned store_enter(struct store *s);
void store_leave(struct store *s, unsigned turn);

/* ---- the index and transactions ------------------------------------------ */

/* Takes the INDEX lock to read. Blocks while others use the index. */
void index_lock(struct store *s);
void index_unlock(struct store *s);

/*
 * Begins a change: takes the INDEX lock. What is logged until txn_end() is
 * in one batch, so it is there as a whole after a crash, or not at all.
 * -EROFS: no lock is taken.
 */
int txn_begin(struct store *s);

/* Logs an operation and applies it. A failure fails the store. */
int txn_op(struct store *s, uint8_t type, struct span body);

/* Releases INDEX. */
void txn_end(struct store *s);

/* Counts a change that the user holds back until before_batch. INDEX held. */
void txn_touch(struct store *s);

/* The mark of the newest change. Marks grow; 0 is before all changes. */
uint64_t txn_mark(const struct store *s);

/* Returns when everything up to `mark` is durable; at once when it is. Shared
 * by all who wait. -EIO: it is not, and the store is read-only now. */
int commit_sync(struct store *s, uint64_t mark);

/* Hands batch and buffers to the operating system, without waiting for the
 * disk. */
int commit_flush(struct store *s);

/* ---- numbers ------------------------------------------------------------- */

/* The next unused id of a kind; unique for ever. Kinds: */
enum store_id {
	STORE_ID_CHUNK,
	STORE_ID_INODE,
	STORE_ID_CODEBOOK,
	STORE_N_IDS
};
uint64_t store_next_id(struct store *s, enum store_id kind);

/* Replay tells of an id in use: the next one is higher. INDEX held. */
void store_saw_id(struct store *s, enum store_id kind, uint64_t id);

/* Totals that apply keeps (INDEX held to add); kept in the index. */
enum store_total {
	TOTAL_INODES,    /* rows of inodes */
	TOTAL_FILE_LEN,  /* sum of the sizes of regular files */
	TOTAL_CHUNKS,    /* chunks known */
	TOTAL_CHUNK_LEN, /* their raw bytes */
	TOTAL_FRAMES,
	TOTAL_FRAME_RAW,     /* raw bytes of all frames */
	TOTAL_FRAME_STORED,  /* their payload bytes */
	TOTAL_LIVE_LEN,      /* raw bytes of chunks that are referred to */
	TOTAL_LIVE_STORED,   /* what of TOTAL_FRAME_STORED they count for */
	TOTAL_DUPLICATES,    /* chunks found in the bank */
	TOTAL_DUPLICATE_LEN, /* their raw bytes */
	TOTAL_KIND_FIRST,    /* + enum encode_kind: frames of that kind */
	STORE_N_TOTALS = TOTAL_KIND_FIRST + ENCODE_N_KINDS
};
void store_total_add(struct store *s, enum store_total t, int64_t delta);

struct store_stats {
	uint64_t totals[STORE_N_TOTALS];
	uint64_t stored_len; /* bytes that the store takes on its disk */
	uint64_t dead_len;   /* of these: payloads that nobody needs */
	uint64_t n_segments;
	uint64_t cache_len; /* bytes of decoded frames now */
	uint64_t cache_hits;
	uint64_t cache_misses;
	/* Optimised by itself since it was opened: raw bytes, those of the log
	 * that these took and take, and when, in seconds since 1970. */
	uint64_t idle_len;
	uint64_t idle_old_len;
	uint64_t idle_new_len;
	uint64_t idle_when; /* 0: never */
	uint64_t free_len;  /* bytes free on the store's disk, for new data */
	uint64_t total_len; /* size of the store's disk */
};
int store_stat(struct store *s, struct store_stats *ret);

/*
 * Whether `len` more bytes of data may be accepted: -ENOSPC when the disk
 * might not hold what has been accepted so far and this. Cheap.
 */
int store_reserve(struct store *s, size_t len);

#endif
