/* SPDX-License-Identifier: MIT */
/*
 * log.c - two buffers, one active segment.
 *
 * Append: under LOG the record is built in the active buffer. When that is
 * full: under FLUSH the buffers change places, and the full one is written
 * while the other fills. Rotation, under FLUSH: COMMIT and FOOTER go to the
 * old segment's buffer and LOG's view moves on to the new segment at once;
 * then the old file is written, synced and trimmed, and only then is the new
 * one made, so that its header proves the old one durable.
 *
 * Sync: fdatasync runs under no lock, on a pinned file. Where small commits
 * follow each other, zeros are written ahead of the tail: a later commit then
 * overwrites blocks that are there, and fdatasync needs no journal.
 *
 * Failures: the first one is kept and answers every later call.
 */
#include "store/log.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/sync.h"
#include "base/varint.h"
#include "stream/record.h"

enum {
	BUFFER_LIMIT = LOG_BUFFER_LEN + 3 * (RECORD_PAYLOAD_MAX + 64),
	FOOTER_LIMIT = 4 << 20, /* a table of this length ends a segment */
	WRITE_BEHIND = LOG_BUFFER_LEN / 2, /* a stream: no need to wait for the
					    * sync to begin with it */
	TAIL_ROOM = 4096,                  /* for COMMIT, and a little FOOTER */
	SMALL_GROUP = 64 << 10,            /* a commit that zeros ahead serve */
	SMALL_STREAK = 3, /* that many in a row before the first zeros */
	ZEROS_MIN = 256 << 10,
	ZEROS_MAX = 4 << 20,
	ZEROS_PIECE = 64 << 10,
};

struct log {
	struct segments *segments; /* immutable */
	struct log_start start;    /* immutable */

	struct sync_mutex flush;
	struct segment *file GUARDED_BY(flush); /* pinned; NULL: none yet */
	struct buffer spare GUARDED_BY(flush);  /* the one being written */
	uint64_t zeros_end GUARDED_BY(flush);   /* of the file, >= tail */
	uint64_t zeros_step GUARDED_BY(flush);  /* written next time */
	uint8_t *zeros GUARDED_BY(flush);       /* ZEROS_PIECE, or NULL */

	struct sync_mutex lock;
	int failed GUARDED_BY(lock);
	struct buffer active GUARDED_BY(lock);
	uint64_t segment GUARDED_BY(lock); /* of the active buffer; or 0 */
	uint64_t next_segment GUARDED_BY(lock);
	uint64_t secret GUARDED_BY(lock);
	uint64_t active_off GUARDED_BY(lock); /* of its first byte */
	uint64_t written_segment GUARDED_BY(lock);
	uint64_t written_off GUARDED_BY(
		lock); /* the file holds it up to here */
	uint64_t next_seq GUARDED_BY(lock);
	uint64_t written_seq GUARDED_BY(lock); /* in the file up to here */
	uint64_t synced_seq GUARDED_BY(lock);  /* durable up to here */
	struct commit_body group GUARDED_BY(lock);
	uint64_t group_off GUARDED_BY(lock); /* where it begins */
	struct log_commit last_commit GUARDED_BY(lock);
	uint64_t last_commit_seq GUARDED_BY(lock); /* of earlier mounts, too */
	unsigned small_streak GUARDED_BY(lock);
	struct buffer footer GUARDED_BY(lock);
	uint64_t footer_off GUARDED_BY(lock);
	uint64_t sealed_len GUARDED_BY(lock); /* of this mount's old segments */
	uint64_t n_segments GUARDED_BY(lock); /* of this mount */
	uint64_t checkpoint GUARDED_BY(lock); /* for headers */
	bool held GUARDED_BY(lock);
};

uint64_t log_group_hash(uint64_t hash, uint64_t header_hash)
{
	uint8_t fields[16];

	put_le64(fields, hash);
	put_le64(fields + 8, header_hash);
	return hash64(span_of(fields, sizeof(fields)), 0);
}

int log_new(struct segments *segments, const struct log_start *start,
	    struct log **ret)
{
	struct log *log = calloc(1, sizeof(*log));

	if (!log)
		return -ENOMEM;
	sync_mutex_init(&log->flush, RANK_FLUSH);
	sync_mutex_init(&log->lock, RANK_LOG);
	buffer_init(&log->active, BUFFER_LIMIT);
	buffer_init(&log->spare, BUFFER_LIMIT);
	buffer_init(&log->footer, RECORD_PAYLOAD_MAX);
	log->segments = segments;
	log->start = *start;
	if (log->start.segment_len == 0)
		log->start.segment_len = SEGMENT_LEN;
	log->checkpoint = start->checkpoint;
	log->next_seq = start->next_seq;
	log->next_segment = start->next_segment;
	log->written_seq = start->next_seq - 1;
	log->synced_seq = start->next_seq - 1;
	log->last_commit_seq = start->last_commit;
	*ret = log;
	return 0;
}

void log_free(struct log *log)
{
	if (!log)
		return;
	segments_put(log->segments, log->file);
	buffer_release(&log->active);
	buffer_release(&log->spare);
	buffer_release(&log->footer);
	free(log->zeros);
	sync_mutex_release(&log->lock);
	sync_mutex_release(&log->flush);
	free(log);
}

/* Keeps the first failure; returns what the caller is to answer. */
static int fail_locked(struct log *log, int rc) REQUIRES(log->lock)
{
	if (log->failed == 0)
		log->failed = rc;
	return log->failed;
}

static uint64_t tail_locked(const struct log *log) REQUIRES(log->lock)
{
	return log->active_off + log->active.len;
}

static int footer_add_locked(struct log *log, const struct record *rec,
			     uint64_t off) REQUIRES(log->lock)
{
	uint8_t field[1 + 2 * VARINT_MAX];
	size_t n = 1;

	field[0] = (uint8_t)rec->type;
	n += varint_put(field + n, (off - log->footer_off) / RECORD_ALIGN);
	n += varint_put(field + n, rec->payload_len);
	log->footer_off = off;
	return buffer_append(&log->footer, span_of(field, n));
}

/* Counts a record in: into the group and the footer, or as a COMMIT. */
static int count_locked(struct log *log, const struct record *rec, uint64_t off)
	REQUIRES(log->lock)
{
	if (rec->type == RECORD_FOOTER)
		return 0;
	if (rec->type == RECORD_COMMIT) {
		log->last_commit = (struct log_commit){
			.seq = rec->seq,
			.segment = log->segment,
			.off = off + record_len(rec->payload_len),
			.before = log->sealed_len,
			.n_before = log->n_segments - 1,
			.hash = rec->header_hash,
		};
		log->last_commit_seq = rec->seq;
		log->group = (struct commit_body){ .n_records = 0 };
		return 0;
	}
	if (log->group.n_records == 0) {
		log->group.first_seq = rec->seq;
		log->group_off = off;
	}
	log->group.n_records++;
	log->group.hash = log_group_hash(log->group.hash, rec->header_hash);
	return footer_add_locked(log, rec, off);
}

/* Builds a record at the end of the active buffer. */
static int put_locked(struct log *log, const struct log_entry *entry,
		      struct log_place *ret) REQUIRES(log->lock)
{
	struct record rec = {
		.type = entry->type,
		.flags = entry->flags,
		.payload_len = (uint32_t)entry->payload.len,
		.epoch = log->start.epoch,
		.seq = log->next_seq,
	};
	uint64_t off = tail_locked(log);
	size_t len = record_len(entry->payload.len);
	size_t used = RECORD_HEADER_LEN + entry->payload.len;
	uint8_t *dst;
	int rc = buffer_reserve(&log->active, len);

	if (rc < 0)
		return rc;
	dst = log->active.data + log->active.len;
	rec.payload_hash = record_payload_hash(entry->payload, log->secret);
	record_build_header(&rec, log->secret, dst);
	if (entry->payload.len > 0)
		memcpy(dst + RECORD_HEADER_LEN, entry->payload.ptr,
		       entry->payload.len);
	memset(dst + used, 0, len - used);
	rc = count_locked(log, &rec, off);
	if (rc < 0)
		return rc;
	log->active.len += len;
	log->next_seq++;
	*ret = (struct log_place){ rec.seq, log->segment, off };
	return 0;
}

static int put_commit_locked(struct log *log) REQUIRES(log->lock)
{
	struct commit_body body = log->group;
	uint8_t payload[COMMIT_LEN];
	struct log_place place;

	if (body.n_records == 0)
		return 0;
	if (tail_locked(log) - log->group_off <= SMALL_GROUP)
		log->small_streak++;
	else
		log->small_streak = 0;
	body.durable = log->synced_seq;
	commit_body_put(&body, payload);
	return put_locked(log,
			  &(struct log_entry){
				  .type = RECORD_COMMIT,
				  .payload = span_of(payload, COMMIT_LEN),
			  },
			  &place);
}

static int put_footer_locked(struct log *log) REQUIRES(log->lock)
{
	struct log_place place;

	return put_locked(log,
			  &(struct log_entry){
				  .type = RECORD_FOOTER,
				  .payload = buffer_span(&log->footer),
			  },
			  &place);
}

/* ---- writing, under FLUSH ------------------------------------------------ */

/* A write that gives up the reserve once when the disk is full. */
static int write_file(struct log *log, const void *data, size_t len,
		      uint64_t off) REQUIRES(log->flush)
{
	int rc = io_pwrite(log->file->fd, data, len, off);

	if (rc == -ENOSPC && log->start.make_room(log->start.ctx))
		rc = io_pwrite(log->file->fd, data, len, off);
	return rc;
}

/* Writes the spare buffer, which belongs at `off`, and empties it. */
static int write_spare(struct log *log, uint64_t off) REQUIRES(log->flush)
{
	int rc = 0;

	if (log->spare.len > 0)
		rc = write_file(log, log->spare.data, log->spare.len, off);
	if (rc == 0 && log->spare.len >= WRITE_BEHIND)
		io_write_behind(log->file->fd, off, log->spare.len);
	log->zeros_end = max_u64(log->zeros_end, off + log->spare.len);
	buffer_clear(&log->spare);
	if (log->spare.cap > (size_t)2 * LOG_BUFFER_LEN)
		buffer_release(&log->spare);
	return rc;
}

static void swap_locked(struct log *log) REQUIRES(log->lock)
{
	struct buffer full = log->active;

	log->active = log->spare;
	log->spare = full;
	log->active_off += full.len;
}

/* Takes the active buffer and writes it. */
static int flush_holding(struct log *log) REQUIRES(log->flush)
{
	uint64_t off;
	uint64_t seq;
	size_t len;
	int rc;

	sync_lock(&log->lock);
	rc = log->failed;
	off = log->active_off;
	len = log->active.len;
	seq = log->next_seq - 1;
	if (rc == 0 && len > 0)
		swap_locked(log);
	sync_unlock(&log->lock);
	if (rc < 0 || len == 0)
		return rc;
	rc = write_spare(log, off);
	sync_lock(&log->lock);
	if (rc == 0) {
		log->written_off = off + len;
		log->written_seq = seq;
	} else {
		rc = fail_locked(log, rc);
	}
	sync_unlock(&log->lock);
	return rc;
}

int log_flush(struct log *log)
{
	int rc;

	sync_lock(&log->flush);
	rc = flush_holding(log);
	sync_unlock(&log->flush);
	return rc;
}

/* ---- rotation ------------------------------------------------------------ */

/* COMMIT and FOOTER into the buffer, which then becomes the spare one. */
static int end_segment_locked(struct log *log) REQUIRES(log->lock)
{
	int rc = put_commit_locked(log);

	if (rc == 0)
		rc = put_footer_locked(log);
	if (rc < 0)
		return rc;
	log->sealed_len += tail_locked(log);
	buffer_clear(&log->footer);
	log->footer_off = 0;
	swap_locked(log);
	return 0;
}

/* Writes the spare buffer as the last bytes of the file; all of it durable. */
static int finish_file(struct log *log, uint64_t off) REQUIRES(log->flush)
{
	uint64_t end = off + log->spare.len;
	int rc = write_spare(log, off);

	if (rc == 0 && log->zeros_end > end)
		rc = io_ftruncate(log->file->fd, end);
	if (rc == 0)
		rc = io_fdatasync(log->file->fd);
	segments_put(log->segments, log->file);
	log->file = NULL;
	return rc;
}

/* LOG's view moves on to the segment of `h`, whose rest is filled in. */
static void begin_segment_locked(struct log *log, struct segment_header *h)
	REQUIRES(log->lock)
{
	h->number = log->next_segment++;
	h->first_seq = log->next_seq;
	h->previous_commit = log->last_commit_seq;
	h->checkpoint = log->checkpoint;
	log->segment = h->number;
	log->secret = h->secret;
	log->active_off = SEGMENT_HEADER_LEN;
	log->small_streak = 0;
	log->n_segments++;
}

static int make_file(struct log *log, const struct segment_header *h)
	REQUIRES(log->flush)
{
	int rc = segments_create(log->segments, h, &log->file);

	if (rc == -ENOSPC && log->start.make_room(log->start.ctx))
		rc = segments_create(log->segments, h, &log->file);
	log->zeros_end = SEGMENT_HEADER_LEN;
	log->zeros_step = ZEROS_MIN;
	return rc;
}

/* Both files' part of a rotation. */
static int change_files(struct log *log, uint64_t old_off,
			const struct segment_header *h) REQUIRES(log->flush)
{
	uint64_t synced = h->first_seq - 1;
	int rc = 0;

	if (log->file)
		rc = finish_file(log, old_off);
	if (rc == 0)
		rc = make_file(log, h);
	sync_lock(&log->lock);
	if (rc == 0) {
		log->written_segment = h->number;
		log->written_off = SEGMENT_HEADER_LEN;
		log->written_seq = synced;
		log->synced_seq = synced;
	} else {
		rc = fail_locked(log, rc);
	}
	sync_unlock(&log->lock);
	return rc;
}

/* Goes on to a new segment, unless `seen` is not the active one any more. */
static int rotate(struct log *log, uint64_t seen)
{
	struct segment_header h = { .epoch = log->start.epoch };
	uint64_t old_off = 0;
	bool turn;
	int rc;

	memcpy(h.uuid, log->start.uuid, sizeof(h.uuid));
	rc = io_random(&h.secret, sizeof(h.secret));
	if (rc < 0)
		return rc;
	sync_lock(&log->flush);
	sync_lock(&log->lock);
	turn = log->segment == seen && !(log->held && seen != 0);
	rc = log->failed;
	if (rc == 0 && turn) {
		old_off = log->active_off;
		if (seen != 0)
			rc = end_segment_locked(log);
		if (rc == 0)
			begin_segment_locked(log, &h);
		else
			rc = fail_locked(log, rc);
	}
	sync_unlock(&log->lock);
	if (rc == 0 && turn)
		rc = change_files(log, old_off, &h);
	sync_unlock(&log->flush);
	return rc;
}

/* ---- appending ----------------------------------------------------------- */

enum room { ROOM_YES, ROOM_FLUSH, ROOM_ROTATE };

static enum room room_locked(const struct log *log, size_t len)
	REQUIRES(log->lock)
{
	uint64_t tail = tail_locked(log);

	if (log->segment == 0)
		return ROOM_ROTATE;
	if (!log->held && tail > SEGMENT_HEADER_LEN &&
	    (tail + len + log->footer.len + TAIL_ROOM >
		     log->start.segment_len ||
	     log->footer.len > FOOTER_LIMIT))
		return ROOM_ROTATE;
	if (log->active.len > 0 && log->active.len + len > LOG_BUFFER_LEN)
		return ROOM_FLUSH;
	return ROOM_YES;
}

int log_append(struct log *log, const struct log_entry *entry,
	       struct log_place *ret)
{
	size_t len = record_len(entry->payload.len);
	enum room room = ROOM_FLUSH;
	uint64_t segment;
	int rc;

	if (entry->payload.len > RECORD_PAYLOAD_MAX)
		return -EFBIG;
	do {
		sync_lock(&log->lock);
		rc = log->failed;
		segment = log->segment;
		if (rc == 0)
			room = room_locked(log, len);
		if (rc == 0 && room == ROOM_YES)
			rc = put_locked(log, entry, ret);
		if (rc < 0)
			rc = fail_locked(log, rc);
		sync_unlock(&log->lock);
		if (rc == 0 && room == ROOM_ROTATE)
			rc = rotate(log, segment);
		if (rc == 0 && room == ROOM_FLUSH)
			rc = log_flush(log);
	} while (rc == 0 && room != ROOM_YES);
	return rc;
}

int log_commit(struct log *log, struct log_commit *ret)
{
	int rc;

	sync_lock(&log->lock);
	rc = log->failed;
	if (rc == 0)
		rc = put_commit_locked(log);
	if (rc == 0)
		*ret = log->last_commit;
	else
		rc = fail_locked(log, rc);
	sync_unlock(&log->lock);
	return rc;
}

void log_hold(struct log *log, bool hold)
{
	sync_lock(&log->lock);
	log->held = hold;
	sync_unlock(&log->lock);
}

/* ---- durability ---------------------------------------------------------- */

/* Zeros from the end of the file on, where small commits will overwrite them.
 * A failure only costs speed: the next write tells it. */
static void write_zeros(struct log *log) REQUIRES(log->flush)
{
	uint64_t end = log->zeros_end + log->zeros_step;

	if (!log->zeros)
		log->zeros = calloc(1, ZEROS_PIECE);
	if (!log->zeros)
		return;
	while (log->zeros_end < end) {
		/* A piece that failed may be there in part. */
		log->zeros_end += ZEROS_PIECE;
		if (io_pwrite(log->file->fd, log->zeros, ZEROS_PIECE,
			      log->zeros_end - ZEROS_PIECE) < 0)
			return;
	}
	log->zeros_step = min_u64(log->zeros_step * 4, ZEROS_MAX);
}

/* Whether small commits have used up the zeros. */
static bool zeros_due(struct log *log) REQUIRES(log->flush)
{
	bool due;

	sync_lock(&log->lock);
	due = log->small_streak >= SMALL_STREAK &&
	      log->written_off == log->zeros_end &&
	      log->written_off + ZEROS_MAX < log->start.segment_len;
	sync_unlock(&log->lock);
	return due;
}

/* What a sync works on: a pinned file, written up to `seq`. */
static int sync_begin(struct log *log, uint64_t *seq, struct segment **ret)
{
	int rc;

	*ret = NULL;
	sync_lock(&log->flush);
	rc = flush_holding(log);
	if (rc == 0 && log->file) {
		if (zeros_due(log))
			write_zeros(log);
		segments_ref(log->segments, log->file);
		*ret = log->file;
	}
	sync_lock(&log->lock);
	*seq = log->written_seq;
	sync_unlock(&log->lock);
	sync_unlock(&log->flush);
	return rc;
}

int log_sync(struct log *log, uint64_t seq)
{
	struct segment *file;
	uint64_t written;
	bool synced;
	int rc;

	sync_lock(&log->lock);
	rc = log->failed;
	synced = log->synced_seq >= seq;
	sync_unlock(&log->lock);
	if (rc < 0 || synced)
		return rc;
	rc = sync_begin(log, &written, &file);
	if (rc < 0 || !file)
		return rc;
	rc = io_fdatasync(file->fd);
	segments_put(log->segments, file);
	sync_lock(&log->lock);
	if (rc == 0)
		log->synced_seq = max_u64(log->synced_seq, written);
	else
		rc = fail_locked(log, rc);
	sync_unlock(&log->lock);
	return rc;
}

int log_written(struct log *log, uint64_t segment, uint64_t end)
{
	bool there;

	sync_lock(&log->lock);
	there = segment < log->written_segment || log->segment == 0 ||
		(segment == log->written_segment && end <= log->written_off) ||
		segment < log->start.next_segment;
	sync_unlock(&log->lock);
	return there ? 0 : log_flush(log);
}

int log_seal(struct log *log)
{
	uint64_t off = 0;
	bool open;
	int rc;

	sync_lock(&log->flush);
	sync_lock(&log->lock);
	rc = log->failed;
	open = log->segment != 0;
	if (rc == 0 && open) {
		off = log->active_off;
		rc = end_segment_locked(log);
		log->segment = 0;
	}
	sync_unlock(&log->lock);
	if (rc == 0 && open)
		rc = finish_file(log, off);
	if (rc < 0) {
		sync_lock(&log->lock);
		rc = fail_locked(log, rc);
		sync_unlock(&log->lock);
	}
	sync_unlock(&log->flush);
	return rc;
}

uint64_t log_active(struct log *log)
{
	uint64_t segment;

	sync_lock(&log->lock);
	segment = log->segment;
	sync_unlock(&log->lock);
	return segment != 0 ? segment : UINT64_MAX;
}

int log_turn(struct log *log)
{
	uint64_t segment;

	sync_lock(&log->lock);
	segment = log->segment;
	sync_unlock(&log->lock);
	/* Without one, or with an open transaction in it, it stays. */
	return segment != 0 ? rotate(log, segment) : 0;
}

void log_set_checkpoint(struct log *log, uint64_t segment)
{
	sync_lock(&log->lock);
	log->checkpoint = segment;
	sync_unlock(&log->lock);
}

void log_extent(struct log *log, uint64_t *ret_len, uint64_t *ret_n)
{
	sync_lock(&log->lock);
	*ret_len = log->sealed_len;
	if (log->segment != 0)
		*ret_len += tail_locked(log);
	*ret_n = log->n_segments;
	sync_unlock(&log->lock);
}

uint64_t log_last_seq(struct log *log)
{
	uint64_t seq;

	sync_lock(&log->lock);
	seq = log->next_seq - 1;
	sync_unlock(&log->lock);
	return seq;
}
