/* SPDX-License-Identifier: MIT */
/*
 * salvage_log.c - the records that were found, put in order, and what they do.
 *
 * Operations are after-images. Applied in the order of the log from the newest
 * checkpoint that is whole, they make the tables as they were, but for what lost
 * ones would have changed. If any are lost behind that checkpoint, and the
 * store's own index is sound and further on, that is what the rest is applied to.
 *
 * A group of the log without its COMMIT counts, too: what damage has taken is no
 * reason to leave out what it has not. Only at the log's end records behind a gap
 * are left out, as a mount would: they may refer to data that was never
 * written.
 */
#include "store/salvage_impl.h"

#include "base/error.h"
#include "store/ops.h"
#include "store/rounds.h"

#include <assert.h>
#include <stdlib.h>

static_assert(RECORD_OPS == 3 && RECORD_COMMIT == 4 && RECORD_CHECKPOINT == 5 &&
		      RECORD_FOOTER == 6,
	      "the statements below name them");

const char salvage_schema[] =
	"DROP TABLE IF EXISTS salvage_record;"
	"DROP TABLE IF EXISTS salvage_run;"
	"CREATE TABLE salvage_record(epoch INTEGER NOT NULL, seq INTEGER NOT "
	"NULL, piece INTEGER NOT NULL, off8 INTEGER NOT NULL, type INTEGER NOT "
	"NULL, PRIMARY KEY(epoch, seq)) WITHOUT ROWID;"
	"CREATE TABLE salvage_run(epoch INTEGER NOT NULL, first INTEGER NOT "
	"NULL, last INTEGER NOT NULL, PRIMARY KEY(epoch, first)) WITHOUT "
	"ROWID;";

int salvage_attach(struct salvage *v)
{
	struct db *db = v->s->index.db;
	int rc = db_prepare(db,
			    "INSERT OR REPLACE INTO salvage_record "
			    "VALUES(?, ?, ?, ?, ?)",
			    &v->put_record);

	if (rc == 0)
		rc = db_prepare(db,
				"INSERT INTO salvage_run VALUES(?, ?, ?) ON "
				"CONFLICT(epoch, first) DO UPDATE SET last = "
				"max(last, excluded.last)",
				&v->put_run);
	return rc;
}

/* ---- noting ------------------------------------------------------------------ */

static int end_run(struct salvage *v)
{
	if (v->run.last == 0)
		return 0;
	v->n_rows++;
	db_bind_u64(v->put_run, 0, v->run.epoch);
	db_bind_u64(v->put_run, 1, v->run.first);
	db_bind_u64(v->put_run, 2, v->run.last);
	return db_run(v->put_run);
}

static int note_run(struct salvage *v, const struct record *head)
{
	int rc;

	if (head->epoch == v->run.epoch && head->seq == v->run.last + 1) {
		v->run.last++;
		return 0;
	}
	rc = end_run(v);
	v->run = (struct salvage_run){ head->epoch, head->seq, head->seq };
	return rc;
}

static bool is_data(const struct record *head)
{
	return head->type == RECORD_FRAME || head->type == RECORD_CODEBOOK;
}

int salvage_note(struct salvage *v, const struct carved *r, uint64_t piece)
{
	int rc;

	/* No store gets so far. */
	if (r->head.seq == 0 || r->head.seq > INT64_MAX ||
	    r->head.epoch > INT64_MAX)
		return 0;
	/* That a frame is lost is told by the files that need it. */
	if (!r->whole && !is_data(&r->head))
		return 0;
	rc = note_run(v, &r->head);
	if (rc < 0 || is_data(&r->head))
		return rc;
	v->n_rows++;
	db_bind_u64(v->put_record, 0, r->head.epoch);
	db_bind_u64(v->put_record, 1, r->head.seq);
	db_bind_u64(v->put_record, 2, piece);
	db_bind_u64(v->put_record, 3, r->off / RECORD_ALIGN);
	db_bind_u64(v->put_record, 4, r->head.type);
	return db_run(v->put_record);
}

/* ---- reading noted records ----------------------------------------------------- */

struct noted {
	uint64_t epoch;
	uint64_t seq;
	uint64_t piece;
	uint64_t off;
	enum record_type type;
};

static struct noted noted_of(struct db_stmt *row)
{
	return (struct noted){
		.epoch = db_column_u64(row, 0),
		.seq = db_column_u64(row, 1),
		.piece = db_column_u64(row, 2),
		.off = db_column_u64(row, 3) * RECORD_ALIGN,
		.type = (enum record_type)db_column_u64(row, 4),
	};
}

/* Reads records of one piece after the other. */
struct reading {
	struct salvage *v;
	uint64_t piece; /* 0: none is open */
	struct segment *segment;
	struct scan scan;
};

static void close_piece(struct reading *r)
{
	if (r->piece == 0)
		return;
	scan_release(&r->scan);
	segments_put(r->v->s->segments, r->segment);
	r->piece = 0;
}

static int open_piece(struct reading *r, uint64_t piece)
{
	int rc;

	close_piece(r);
	rc = segments_get(r->v->s->segments, piece, &r->segment);
	if (rc < 0)
		return rc;
	rc = scan_init(&r->scan, r->segment, 0);
	if (rc < 0)
		segments_put(r->v->s->segments, r->segment);
	else
		r->piece = piece;
	return rc;
}

/* 1: there it is; 0: it cannot be read any more. */
static int read_noted(struct reading *r, const struct noted *n,
		      struct scan_record *ret)
{
	int rc = r->piece == n->piece ? 0 : open_piece(r, n->piece);

	if (rc < 0)
		return rc;
	r->scan.off = n->off;
	rc = scan_next(&r->scan, ret);
	if (rc == -EIO || scan_is_bad(rc))
		return 0;
	return rc == 1 && ret->head.seq != n->seq ? 0 : rc;
}

/* The same, unpacked. */
static int read_ops(struct reading *r, const struct noted *n, struct span *ret)
{
	struct context *x = r->v->apply.x;
	struct scan_record rec;
	int rc = read_noted(r, n, &rec);

	if (rc < 1)
		return rc;
	rc = context_decoder(x);
	if (rc == 0)
		rc = ops_unpack(x->decoder, rec.head.flags, rec.payload,
				&x->raw, ret);
	if (rc == -ENOMEM)
		return rc;
	return rc == 0;
}

/* ---- the newest whole checkpoint ------------------------------------------------- */

/* All parts of the round, in their order, give the hash of its END: 1, 0. */
static int is_whole(struct reading *r, const struct round *round)
{
	struct round_part part = { .number = 0 };
	uint64_t n_parts = 0;
	uint64_t hash = 0;
	struct db_stmt *s;
	struct span payload;
	int rc = db_prepare(r->v->s->index.db,
			    "SELECT * FROM salvage_record WHERE seq > ? AND "
			    "seq < ? AND type = 5 ORDER BY epoch, seq",
			    &s);

	if (rc < 0)
		return rc;
	db_bind_u64(s, 0, round->seq);
	db_bind_u64(s, 1, round->end_seq);
	while ((rc = db_step(s)) == 1) {
		const struct noted n = noted_of(s);

		rc = read_ops(r, &n, &payload);
		if (rc < 0)
			break;
		if (rc == 0 || round_part_get(payload, &part) < 0 ||
		    part.round != round->seq)
			continue;
		if (part.number != ++n_parts)
			break;
		hash = round_hash(hash, payload);
	}
	db_stmt_free(s);
	if (rc < 0)
		return rc;
	return n_parts == round->end.n_parts && hash == round->end.hash;
}

/* An END that says something: 1, 0. */
static int read_end(struct reading *r, const struct noted *n, struct round *ret)
{
	struct round_part part = { .number = 0 };
	struct span payload;
	int rc = read_ops(r, n, &payload);

	if (rc < 1)
		return rc;
	if (round_part_get(payload, &part) < 0 || part.number != 0 ||
	    round_end_get(part.rest, &ret->end) < 0)
		return 0;
	ret->seq = part.round;
	ret->end_seq = n->seq;
	return ret->seq < ret->end_seq;
}

/* So many ENDs are looked at, each with all of its parts. */
enum { ROUNDS_TRIED = 16 };

/* 1: found; 0: there is none. */
static int find_round(struct reading *r, struct round *ret)
{
	unsigned n_tried = 0;
	struct db_stmt *s;
	int rc = db_prepare(r->v->s->index.db,
			    "SELECT * FROM salvage_record WHERE type = 5 "
			    "ORDER BY epoch DESC, seq DESC",
			    &s);

	if (rc < 0)
		return rc;
	while ((rc = db_step(s)) == 1) {
		const struct noted n = noted_of(s);

		rc = read_end(r, &n, ret);
		if (rc == 1 && n_tried++ < ROUNDS_TRIED)
			rc = is_whole(r, ret);
		else if (rc == 1)
			rc = 0;
		if (rc != 0)
			break;
	}
	db_stmt_free(s);
	return rc;
}

/* ---- what is missing --------------------------------------------------------------- */

/* The log, from where its operations are to be applied. */
struct course {
	struct salvage *v;
	struct round round;   /* seq 0: from the first record on */
	uint64_t after;       /* a sequence */
	uint64_t last_epoch;  /* with records */
	uint64_t last_commit; /* of that epoch; 0: none */
	uint64_t end;     /* sequence: later ones of that epoch are left out */
	uint64_t highest; /* sequence of all */
};

/* The first head of an epoch, or of the next one that has any; NULL: none. */
static const struct segment_header *first_head(const struct salvage *v,
					       uint64_t epoch)
{
	size_t low = 0;
	size_t high = v->sources.n_heads;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (v->sources.heads[mid].header.epoch < epoch)
			low = mid + 1;
		else
			high = mid;
	}
	return low < v->sources.n_heads ? &v->sources.heads[low].header : NULL;
}

/* What a later mount has not seen as committed is none of the log. */
static uint64_t epoch_limit(const struct salvage *v, uint64_t epoch)
{
	const struct segment_header *next = first_head(v, epoch + 1);

	/* One that begins in the middle of its epoch tells of that. */
	return next ? next->previous_commit : UINT64_MAX;
}

static int one_number(struct db *db, const char *sql, uint64_t param,
		      uint64_t *ret)
{
	struct db_stmt *s;
	int rc = db_prepare(db, sql, &s);

	if (rc < 0)
		return rc;
	db_bind_u64(s, 0, param);
	rc = db_step(s);
	if (rc == 1)
		*ret = db_column_u64(s, 0);
	db_stmt_free(s);
	return rc < 0 ? rc : 0;
}

/* Where the log ends: with the run of its last COMMIT, or FOOTER. */
static int find_end(struct course *c)
{
	struct db *db = c->v->s->index.db;
	struct db_stmt *s;
	int rc = one_number(db,
			    "SELECT coalesce(max(epoch), 0) FROM salvage_run "
			    "WHERE epoch >= ?",
			    0, &c->last_epoch);

	if (rc == 0)
		rc = one_number(db,
				"SELECT coalesce(max(seq), 0) FROM "
				"salvage_record WHERE epoch = ? AND type IN "
				"(4, 6)",
				c->last_epoch, &c->last_commit);
	if (rc == 0)
		rc = one_number(db,
				"SELECT coalesce(max(last), 0) FROM "
				"salvage_run WHERE epoch >= ?",
				0, &c->highest);
	if (rc == 0)
		rc = db_prepare(db,
				"SELECT last FROM salvage_run WHERE epoch = ? "
				"AND last >= ? ORDER BY first LIMIT 1",
				&s);
	if (rc < 0)
		return rc;
	db_bind_u64(s, 0, c->last_epoch);
	db_bind_u64(s, 1, c->last_commit);
	rc = db_step(s);
	if (rc == 1)
		c->end = db_column_u64(s, 0);
	db_stmt_free(s);
	return rc < 0 ? rc : 0;
}

static void tell_lost(struct course *c, uint64_t from, uint64_t to)
{
	from = max_u64(from, c->after + 1);
	if (from > to)
		return;
	c->v->whole = false;
	salvage_tell(c->v, SALVAGE_RECORDS_LOST, from, to);
}

/* Between the run before, which ended at `last`, and this one. */
static void judge_run(struct course *c, const struct salvage_run *before,
		      const struct salvage_run *run)
{
	const struct segment_header *head;
	uint64_t last = before->last;

	if (run->epoch == c->last_epoch && run->first > c->end) {
		salvage_tell(c->v, SALVAGE_TAIL_DROPPED, run->first, run->last);
		return;
	}
	if (run->epoch == before->epoch) {
		tell_lost(c, last + 1, run->first - 1);
		return;
	}
	head = first_head(c->v, run->epoch);
	if (!head || head->epoch != run->epoch)
		return;
	if (head->previous_commit < head->first_seq)
		tell_lost(c, last + 1, head->previous_commit);
	tell_lost(c, head->first_seq, run->first - 1);
}

/* Tells which records are missing. Sets `whole`. */
static int judge_runs(struct course *c)
{
	struct salvage_run before = { 0, 0, c->after };
	struct db_stmt *s;
	int rc = db_prepare(c->v->s->index.db,
			    "SELECT epoch, first, last FROM salvage_run WHERE "
			    "last > ? ORDER BY epoch, first",
			    &s);

	c->v->whole = true;
	if (rc < 0)
		return rc;
	db_bind_u64(s, 0, c->after);
	while ((rc = db_step(s)) == 1) {
		struct salvage_run run = { db_column_u64(s, 0),
					   db_column_u64(s, 1),
					   db_column_u64(s, 2) };
		uint64_t limit = epoch_limit(c->v, run.epoch);

		if (run.first > limit)
			continue;
		run.last = min_u64(run.last, limit);
		if (before.epoch == 0)
			before.epoch = run.epoch;
		judge_run(c, &before, &run);
		if (run.epoch != before.epoch || run.last > before.last)
			before = run;
	}
	db_stmt_free(s);
	return rc;
}

static int by_value(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

/* Numbers of segments from `from` on that none of the heads has. */
static int judge_numbers(struct course *c, uint64_t from)
{
	const struct sources *src = &c->v->sources;
	uint64_t *numbers = calloc(src->n_heads, sizeof(*numbers));
	uint64_t next = from;
	size_t i;

	if (!numbers)
		return -ENOMEM;
	for (i = 0; i < src->n_heads; i++)
		numbers[i] = src->heads[i].header.number;
	qsort(numbers, src->n_heads, sizeof(*numbers), by_value);
	for (i = 0; i < src->n_heads; i++) {
		if (numbers[i] < from)
			continue;
		if (numbers[i] > next) {
			c->v->whole = false;
			salvage_tell(c->v, SALVAGE_SEGMENT_MISSING, next,
				     numbers[i] - 1);
		}
		next = numbers[i] + 1;
	}
	free(numbers);
	return 0;
}

/* ---- the index that the store had ---------------------------------------------------- */

/* Whether it knows more than the log now tells, and is of this log. */
static int index_helps(struct course *c, struct index_meta *m)
{
	uint64_t seq = 0;
	int rc;

	if (!c->v->has_index)
		return 0;
	rc = index_load(&c->v->s->index, m);
	if (rc < 0)
		return rc;
	if (m->rebuilding || m->applied_seq == 0 || m->applied_seq < c->after)
		return 0;
	if (c->v->whole && m->applied_seq <= c->highest)
		return 0;
	rc = one_number(c->v->s->index.db,
			"SELECT seq FROM salvage_record WHERE seq = ? AND type "
			"<> 4",
			m->applied_seq, &seq);
	/* Another record stands where its COMMIT should. */
	return rc < 0 ? rc : seq == 0;
}

/* The same of its hash, if that COMMIT is there. */
static int index_fits(struct reading *r, const struct index_meta *m)
{
	struct noted n = { .piece = 0 };
	struct scan_record rec;
	struct db_stmt *s;
	int rc = db_prepare(r->v->s->index.db,
			    "SELECT * FROM salvage_record WHERE seq = ? AND "
			    "type = 4 ORDER BY epoch DESC LIMIT 1",
			    &s);

	if (rc < 0)
		return rc;
	db_bind_u64(s, 0, m->applied_seq);
	rc = db_step(s);
	if (rc == 1)
		n = noted_of(s);
	db_stmt_free(s);
	if (rc < 1 || m->commit_hash == 0)
		return rc < 0 ? rc : 1;
	rc = read_noted(r, &n, &rec);
	return rc < 1 ? rc : rec.head.header_hash == m->commit_hash;
}

/* ---- applying -------------------------------------------------------------------------- */

/* Operations of the user; the store's own tables are made from records. */
static int apply_batch(struct course *c, struct span batch, uint64_t seq)
{
	struct store *s = c->v->s;
	struct reader reader = reader_of(batch);
	struct op op = { .type = 0 };
	bool refused = false;
	int rc;

	while ((rc = ops_next(&reader, &op)) == 1) {
		if (op.type < OP_USER_FIRST)
			continue;
		rc = op.type > OP_USER_LAST
			     ? -EOPNOTSUPP
			     : s->handlers.apply(s->handlers.ctx, op.type,
						 op.body);
		c->v->n_rows++;
		if (rc < 0 && (!scan_is_bad(rc) || db_damaged(s->index.db)))
			return rc;
		refused = refused || rc < 0;
	}
	if (refused || rc < 0) {
		c->v->whole = false;
		salvage_tell(c->v, SALVAGE_OP_REFUSED, seq, seq);
	}
	return 0;
}

/* A part of the round that all begins with; of others only when operations are
 * lost, which they may make up for. */
static int apply_part(struct course *c, struct span payload, uint64_t seq)
{
	struct round_part part = { .number = 0 };

	if (round_part_get(payload, &part) < 0 || part.number == 0 ||
	    (part.round != c->round.seq && c->v->whole))
		return 0;
	return apply_batch(c, part.rest, seq);
}

static int apply_noted(struct course *c, struct reading *r,
		       const struct noted *n)
{
	struct span payload;
	int rc = read_ops(r, n, &payload);

	if (rc < 0)
		return rc;
	if (rc == 0) {
		tell_lost(c, n->seq, n->seq);
		return 0;
	}
	rc = n->type == RECORD_CHECKPOINT ? apply_part(c, payload, n->seq)
					  : apply_batch(c, payload, n->seq);
	return rc < 0 ? rc : salvage_end_txn(c->v, false);
}

static bool is_left_out(const struct course *c, const struct noted *n)
{
	return (n->epoch == c->last_epoch && n->seq > c->end) ||
	       n->seq > epoch_limit(c->v, n->epoch);
}

/* The next record behind one: 1; 0: none. A statement of its own each time,
 * because the transaction ends now and then. */
static int next_noted(struct db_stmt *s, struct noted *n)
{
	struct noted next = *n;
	int rc;

	db_bind_u64(s, 0, n->epoch);
	db_bind_u64(s, 1, n->seq);
	rc = db_step(s);
	if (rc == 1)
		next = noted_of(s);
	db_reset(s);
	/* In a table that is damaged the way could be a circle. */
	if (rc == 1 && (next.epoch < n->epoch ||
			(next.epoch == n->epoch && next.seq <= n->seq)))
		return -EUCLEAN;
	*n = next;
	return rc;
}

static int apply_all(struct course *c, struct reading *r)
{
	struct noted n = { .epoch = 0, .seq = 0 };
	struct db_stmt *s;
	int rc = db_prepare(c->v->s->index.db,
			    "SELECT * FROM salvage_record WHERE (epoch, seq) > "
			    "(?1, ?2) AND type IN (3, 5) ORDER BY epoch, seq "
			    "LIMIT 1",
			    &s);

	if (rc < 0)
		return rc;
	while ((rc = next_noted(s, &n)) == 1) {
		if (n.seq <= c->after || is_left_out(c, &n))
			continue;
		rc = apply_noted(c, r, &n);
		if (rc < 0)
			break;
	}
	db_stmt_free(s);
	return rc;
}

/* ---- all ----------------------------------------------------------------------------------- */

/* Where to begin, and with what in the tables. */
static int choose(struct course *c, struct reading *r)
{
	struct index_meta m = { .applied_seq = 0 };
	int rc = find_round(r, &c->round);

	if (rc == 0)
		c->round = (struct round){ .seq = 0 };
	if (rc >= 0)
		rc = find_end(c);
	if (rc < 0)
		return rc;
	c->after = c->round.seq;
	rc = judge_runs(c);
	if (rc == 0)
		rc = judge_numbers(c, max_u64(1, c->round.end.segment));
	if (rc == 0)
		rc = index_helps(c, &m);
	if (rc == 1)
		rc = index_fits(r, &m);
	if (rc == 1) {
		tell_lost(c, c->highest + 1, m.applied_seq);
		c->after = m.applied_seq;
		salvage_tell(c->v, SALVAGE_INDEX_USED, m.applied_seq, 0);
	}
	if (rc == 0 && c->v->has_index)
		rc = db_exec(c->v->s->index.db, c->v->s->handlers.clear);
	return rc < 0 ? rc : 0;
}

int salvage_replay(struct salvage *v)
{
	struct course c = { .v = v };
	struct reading r = { .v = v };
	int rc = end_run(v);

	if (rc == 0)
		rc = salvage_end_txn(v, true);
	if (rc == 0)
		rc = choose(&c, &r);
	if (rc == 0)
		rc = apply_all(&c, &r);
	close_piece(&r);
	return rc;
}
