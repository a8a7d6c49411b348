/* SPDX-License-Identifier: MIT */
/*
 * checkpoint.c - rounds of CHECKPOINT records.
 *
 * A round begins with a commit of the index: what came before is in its tables.
 * Then table after table is written, page by page, each page under INDEX and
 * right behind the operations that it reflects. Operations that come between
 * the pages follow in the log, as always. So whoever begins at that commit and
 * applies pages and operations in the order of the log has the index as it was
 * at the END; see replay.c.
 */
#include "store/checkpoint.h"

#include "store/maintain.h"
#include "store/ops.h"
#include "store/rounds.h"
#include "store/state.h"

#include "base/clock.h"
#include "base/io.h"
#include "stream/record.h"

enum {
	LEN_MIN = 1 << 20,     /* bytes of operations that are worth a round */
	SEGMENTS_MAX = 16,     /* behind a round; frames are to be read, too */
	PAUSE_MIN_NS = 200000, /* between two parts */
};

enum dumper { DUMP_CODEBOOKS, DUMP_BANK, DUMP_USER };

struct writing {
	struct store *s;
	struct buffer part;
	struct dump_cursor cursor;
	enum dumper who;
	uint64_t seq;
	struct round_end end;
	uint64_t hold_ns; /* INDEX was held for, the last time */
};

bool checkpoint_due(struct store *s)
{
	uint64_t min = s->options.checkpoint_len;
	uint64_t segments;
	bool due;

	if (!s->handlers.dump)
		return false;
	index_lock(s);
	segments = s->position.segment - s->kept.start;
	due = s->ops_len >= max_u64(min ? min : LEN_MIN, s->kept.len) ||
	      (segments >= SEGMENTS_MAX &&
	       segments * s->options.segment_len / 16 > s->kept.len);
	index_unlock(s);
	return due;
}

/* The record goes into the log. INDEX is held. */
static int append_part(struct writing *w, struct log_place *ret)
{
	struct store *s = w->s;
	struct log_entry entry = { .type = RECORD_CHECKPOINT };
	int rc = ops_pack(s->txn.encoder, OPS_LEVEL_PART, buffer_span(&w->part),
			  &s->txn.packed, &entry);

	if (rc == 0)
		rc = log_append(s->log, &entry, ret);
	if (rc < 0)
		store_fail(s, rc, "writing a checkpoint to the log");
	else
		w->end.len += record_len(entry.payload.len);
	return rc;
}

/* Appends a page of rows. 1: there are more tables or pages; 0: none. */
static int dump_some(struct writing *w)
{
	struct store *s = w->s;
	int rc;

	if (w->who == DUMP_CODEBOOKS)
		rc = codebooks_dump(s->codebooks, &w->cursor, &w->part);
	else if (w->who == DUMP_BANK)
		rc = bank_dump(s->bank, &w->cursor, &w->part);
	else
		rc = s->handlers.dump(s->handlers.ctx, &w->cursor, &w->part);
	if (rc != 0 || w->who == DUMP_USER)
		return rc;
	w->who++;
	w->cursor = (struct dump_cursor){ .table = 0 };
	return 1;
}

/* INDEX is held. As dump_some(). */
static int put_part(struct writing *w)
{
	struct log_place place;
	size_t head;
	int more;
	/* All of it: the log may end its segment here, and what is in it then is
	 * committed. */
	int rc = txn_seal(w->s);

	buffer_clear(&w->part);
	if (rc == 0)
		rc = round_part_put(&w->part, w->seq, w->end.n_parts + 1);
	if (rc < 0)
		return rc;
	head = w->part.len;
	more = dump_some(w);
	if (more < 0 || w->part.len == head)
		return more;
	rc = append_part(w, &place);
	if (rc < 0)
		return rc;
	w->end.n_parts++;
	w->end.hash = round_hash(w->end.hash, buffer_span(&w->part));
	return more;
}

static int write_part(struct writing *w)
{
	uint64_t begun;
	int rc = txn_begin(w->s);

	if (rc < 0)
		return rc;
	begun = clock_mono_ns();
	rc = put_part(w);
	w->hold_ns = clock_mono_ns() - begun;
	index_unlock(w->s);
	return rc;
}

/* INDEX is held. */
static int put_end(struct writing *w, struct log_place *ret)
{
	struct store *s = w->s;
	size_t i;
	int rc;

	w->end.earlier = s->kept.start;
	for (i = 0; i < STORE_N_IDS; i++)
		w->end.next_ids[i] = atomic_load(&s->next_ids[i]);
	w->end.n_duplicates =
		(uint64_t)atomic_load(&s->totals[TOTAL_DUPLICATES]);
	w->end.duplicate_len =
		(uint64_t)atomic_load(&s->totals[TOTAL_DUPLICATE_LEN]);
	buffer_clear(&w->part);
	rc = txn_seal(s);
	if (rc == 0)
		rc = round_part_put(&w->part, w->seq, 0);
	if (rc == 0)
		rc = round_end_put(&w->part, &w->end);
	if (rc == 0)
		rc = append_part(w, ret);
	if (rc == 0)
		txn_touch(s);
	return rc;
}

static int write_end(struct writing *w)
{
	struct store *s = w->s;
	struct log_place place = { .seq = 0 };
	int rc = txn_begin(s);

	if (rc < 0)
		return rc;
	rc = put_end(w, &place);
	index_unlock(s);
	if (rc == 0)
		rc = commit_sync(s, txn_mark(s));
	if (rc < 0)
		return rc;
	index_lock(s);
	checkpoint_note(s, place.segment, &w->end);
	index_unlock(s);
	log_set_checkpoint(s->log, place.segment);
	return 0;
}

void checkpoint_note(struct store *s, uint64_t segment,
		     const struct round_end *end)
{
	s->kept.end = segment;
	s->kept.start = end->segment;
	s->kept.earlier = end->earlier;
	s->kept.len = end->len;
	/* What came during the round is counted as part of it. */
	s->ops_len = 0;
}

uint64_t checkpoint_cost(struct store *s)
{
	uint64_t last;

	index_lock(s);
	last = s->kept.len;
	index_unlock(s);
	/* The next one is about as long as the last one. */
	return last > 0 ? last + last / 4 : atomic_load(&s->index_len);
}

/* A round must not be what fills the disk. */
static int check_room(struct store *s)
{
	uint64_t free_len = 0;
	uint64_t total = 0;
	int rc = io_space(s->dir_fd, &free_len, &total);

	if (rc < 0)
		return rc;
	return free_len / 2 < checkpoint_cost(s) ? -ENOSPC : 0;
}

static int begin(struct writing *w)
{
	struct store *s = w->s;
	int rc = check_room(s);

	if (rc == 0)
		rc = index_commit(s);
	if (rc < 0)
		return rc;
	index_lock(s);
	w->seq = s->position.seq;
	w->end.segment = s->position.segment;
	w->end.off = s->position.off;
	index_unlock(s);
	return 0;
}

static int write_all(struct writing *w)
{
	int rc = begin(w);

	if (rc == 0 && w->seq == 0)
		return 0; /* a store without a commit has nothing to tell */
	if (rc == 0)
		rc = 1;
	while (rc == 1) {
		rc = write_part(w);
		if (rc == 1 &&
		    !maintain_pause(w->s, max_u64(PAUSE_MIN_NS, w->hold_ns)))
			rc = -ECANCELED;
	}
	return rc == 0 ? write_end(w) : rc;
}

int checkpoint_write_held(struct store *s)
{
	struct writing w = { .s = s };
	int rc;

	if (!s->handlers.dump)
		return -EOPNOTSUPP;
	buffer_init(&w.part, RECORD_PAYLOAD_MAX);
	rc = write_all(&w);
	buffer_release(&w.part);
	return rc;
}

int checkpoint_write(struct store *s)
{
	int rc;

	maintain_enter(s);
	rc = checkpoint_write_held(s);
	maintain_leave(s);
	return rc;
}
