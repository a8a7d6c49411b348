/* SPDX-License-Identifier: MIT */
/*
 * log.h - appends records to the active segment, commits them, syncs.
 *
 * Records are copied into a buffer under LOG; the buffer is written under
 * FLUSH, while another one takes what comes. A segment is begun at the first
 * append and sealed when it is full. After a failure (of a write or a sync)
 * every call fails: nothing is tried twice.
 * Threads: any. Knows records, not what they mean.
 * Errors: -EIO, -ENOSPC, -ENOMEM.
 */
#ifndef STORE_LOG_H
#define STORE_LOG_H

#include "base/bytes.h"
#include "store/segments.h"
#include "stream/record_format.h"

struct log;

enum {
	SEGMENT_LEN = 64 << 20,   /* sealed near this length */
	LOG_BUFFER_LEN = 1 << 20, /* one of the two */
};

/* Where writing begins; all of it known from replay. */
struct log_start {
	uint8_t uuid[SEGMENT_UUID_LEN];
	uint64_t epoch;
	uint64_t next_seq;
	uint64_t next_segment;
	uint64_t last_commit; /* sequence; 0: none */
	uint64_t checkpoint;  /* segment with the END of the newest; 0: none */
	uint64_t segment_len; /* a segment is sealed near it; 0: SEGMENT_LEN */

	/* Makes room on a full disk; false when there was nothing to give. */
	bool (*make_room)(void *ctx);
	void *ctx;
};

int log_new(struct segments *segments, const struct log_start *start,
	    struct log **ret);

/* Neither writes nor syncs. NULL is fine. */
void log_free(struct log *log);

struct log_entry {
	enum record_type type;
	uint8_t flags;
	struct span payload; /* at most RECORD_PAYLOAD_MAX; copied */
};

struct log_place {
	uint64_t seq;
	uint64_t segment;
	uint64_t off; /* of the record's header */
};

/* Appends a record to the buffer. Blocks while both buffers are full. */
int log_append(struct log *log, const struct log_entry *entry,
	       struct log_place *ret);

/* The last COMMIT, and the place behind it. */
struct log_commit {
	uint64_t seq; /* 0: none in this mount */
	uint64_t segment;
	uint64_t off;
	uint64_t before;   /* bytes of this mount's segments before that one */
	uint64_t n_before; /* their number */
	uint64_t hash;     /* of its header */
};

/* Appends a COMMIT, unless nothing was appended since the last one. */
int log_commit(struct log *log, struct log_commit *ret);

/* While held, no COMMIT is written, so no group ends. */
void log_hold(struct log *log, bool hold);

/* Writes the buffer to the file. */
int log_flush(struct log *log);

/* Makes all records up to `seq` durable; at once when they are. */
int log_sync(struct log *log, uint64_t seq);

/* Writes what of a record at `end` and before is still in a buffer. */
int log_written(struct log *log, uint64_t segment, uint64_t end);

/* Ends the active segment with a FOOTER, durably. */
int log_seal(struct log *log);

/* The segment that is being written; UINT64_MAX: none has been begun. */
uint64_t log_active(struct log *log);

/* Goes on in a new segment, so that the one that was active is ended. */
int log_turn(struct log *log);

/* The END of a checkpoint is durable in this segment: headers tell it. */
void log_set_checkpoint(struct log *log, uint64_t segment);

/* Bytes of the segments of this mount, and their number. */
void log_extent(struct log *log, uint64_t *ret_len, uint64_t *ret_n);

/* The newest sequence; for the index. */
uint64_t log_last_seq(struct log *log);

/* One step of a commit's running hash. */
uint64_t log_group_hash(uint64_t hash, uint64_t header_hash);

#endif
