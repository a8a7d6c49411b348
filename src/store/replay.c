/* SPDX-License-Identifier: MIT */
/*
 * replay.c - from the index's position through the log to its end.
 *
 * Each group is read twice: first to see that it is whole, then to apply it,
 * and SQLite may spill what it changes: so memory stays bounded whatever a group
 * holds, be it a whole checkpoint. The position moves on with the rows, in the same
 * SQLite transactions.
 *
 * A result of 1 means "go on", 0 "the end", as scan_next() does; `damage` set
 * ends it, too.
 */
#include "store/replay.h"

#include "base/error.h"
#include "base/io.h"
#include "base/report.h"
#include "store/apply.h"
#include "store/scan.h"
#include "store/state.h"

enum {
	SAVE_OPS = 50000,       /* operations between commits of the index */
	SAVE_PENDING = 1 << 16, /* chunks */
};

static const char AHEAD[] =
	"the index is ahead of the log: the log's end was lost";
static const char MISSING[] = "a segment of the log is missing";
static const char BAD_HEADER[] = "the header of a segment is damaged";
static const char BAD_RECORD[] = "a record that was durable once is damaged";
static const char BAD_OP[] = "an operation in the log cannot be applied";
static const char NEWER[] = "the log holds records of a newer format";

struct replay {
	struct store *s;
	struct replayed *out;
	bool cut;
	const struct replayed *before; /* NULL: this is the first time */
	uint64_t log_len;              /* of all segments; to tell progress */
	uint64_t number;               /* of the segment at hand */
	uint64_t start;                /* where to begin in it */
	bool first;                    /* the segment where replay begins */
	struct segment *segment;       /* pinned, or NULL */
	struct scan scan;
	bool sealed;              /* a FOOTER ended it */
	uint64_t good_off;        /* behind its last COMMIT */
	uint64_t next_seq;        /* of the next record */
	struct commit_body group; /* so far */
	uint64_t group_off;
	struct applying apply;
	int failed; /* not the log's fault: ends it all */
};

static int damage(struct replay *r, const char *text, uint64_t off)
{
	r->out->damage = text;
	(void)corrupt("segment %llu @%llu: %s", (unsigned long long)r->number,
		      (unsigned long long)off, text);
	return 0;
}

/* ---- applying a group ---------------------------------------------------- */

/* Back to what the index file holds: the group at hand cannot be applied. */
static int take_back(struct replay *r)
{
	struct store *s = r->s;
	struct index_meta m;
	size_t i;
	int rc = db_rollback(s->index.db);

	if (rc == 0)
		rc = db_begin(s->index.db);
	if (rc == 0)
		rc = index_load(&s->index, &m);
	if (rc < 0)
		return rc;
	bank_reset(s->bank);
	rc = codebooks_reset(s->codebooks);
	if (rc < 0)
		return rc;
	for (i = 0; i < STORE_N_TOTALS; i++)
		atomic_store(&s->totals[i], m.totals[i]);
	s->position.seq = m.applied_seq;
	s->position.segment = m.segment;
	s->position.off = m.off;
	s->position.hash = m.commit_hash;
	s->position_before = m.log_len;
	s->n_before = m.n_before;
	s->kept = m.rounds;
	s->ops_len = m.ops_len;
	s->optimized = m.optimized;
	return 0;
}

/* What to do when the index refuses what the log says. 0: damage is set. */
static int refused(struct replay *r, int rc)
{
	const char *text = rc == -EOPNOTSUPP ? NEWER : BAD_OP;

	if (scan_is_bad(rc) && !db_damaged(r->s->index.db))
		rc = take_back(r);
	if (rc == 0) {
		r->out->refused = r->group.first_seq;
		return damage(r, text, r->group_off);
	}
	r->failed = rc;
	return rc;
}

/* Moves the position, with all that is applied, into the index file. */
static int save(struct replay *r)
{
	int rc = index_write(r->s, false);

	r->apply.n_ops = 0;
	return rc < 0 ? refused(r, rc) : 1;
}

static void tell_progress(const struct replay *r, uint64_t off)
{
	const struct store_options *o = &r->s->options;

	if (o->progress)
		o->progress(o->progress_ctx, atomic_load(&r->s->old_len) + off,
			    r->log_len);
}

static int apply_records(struct replay *r, uint64_t commit_off)
{
	struct scan_record rec = { .off = 0 };
	struct scan again;
	int rc = scan_init(&again, r->segment, r->group_off);

	while (rc >= 0 && again.off < commit_off) {
		tell_progress(r, again.off);
		rc = scan_next(&again, &rec);
		if (rc == 1)
			rc = apply_record(&r->apply, &rec, r->number);
		else if (rc == 0)
			rc = -EUCLEAN;
	}
	scan_release(&again);
	return rc < 0 ? rc : 0;
}

/* The group that ends with the COMMIT `rec` is whole. */
static int apply_group(struct replay *r, const struct scan_record *rec)
{
	struct store *s = r->s;
	uint64_t commit_off = rec->off;
	uint64_t seq = rec->head.seq;
	int rc;

	if (r->before && r->group.first_seq == r->before->refused) {
		r->out->damage = r->before->damage; /* has been told */
		return 0;
	}
	rc = apply_records(r, commit_off);
	if (rc == 0)
		rc = apply_end(&r->apply);
	if (rc < 0)
		return refused(r, rc);
	r->good_off = r->scan.off;
	r->out->last_commit = seq;
	r->out->applied = true;
	r->group = (struct commit_body){ .n_records = 0 };
	s->position.seq = seq;
	s->position.segment = r->number;
	s->position.off = r->good_off;
	s->position.hash = rec->head.header_hash;
	s->position_before = atomic_load(&s->old_len);
	s->n_before = atomic_load(&s->old_n);
	if (r->apply.n_ops >= SAVE_OPS ||
	    bank_n_pending(s->bank) >= SAVE_PENDING)
		return save(r);
	return 1;
}

/* ---- reading a segment --------------------------------------------------- */

static void add_to_group(struct replay *r, const struct scan_record *rec)
{
	if (r->group.n_records == 0) {
		r->group.first_seq = rec->head.seq;
		r->group_off = rec->off;
	}
	r->group.n_records++;
	r->group.hash = log_group_hash(r->group.hash, rec->head.header_hash);
}

static bool commit_fits(const struct replay *r, const struct scan_record *rec)
{
	struct commit_body body;

	return commit_body_get(rec->payload, &body) == 0 &&
	       r->group.n_records > 0 && body.first_seq == r->group.first_seq &&
	       body.n_records == r->group.n_records &&
	       body.hash == r->group.hash;
}

/* A good record. 1: go on; 0: the segment ends here; -EUCLEAN: it does not
 * belong here. */
static int take_record(struct replay *r, const struct scan_record *rec)
{
	if (rec->head.epoch != r->segment->header.epoch ||
	    rec->head.seq != r->next_seq)
		return -EUCLEAN;
	switch (rec->head.type) {
	case RECORD_FRAME:
	case RECORD_CODEBOOK:
	case RECORD_OPS:
	case RECORD_CHECKPOINT:
		add_to_group(r, rec);
		break;
	case RECORD_COMMIT:
		if (!commit_fits(r, rec))
			return -EUCLEAN;
		break;
	case RECORD_FOOTER:
		if (r->group.n_records > 0)
			return -EUCLEAN;
		r->sealed = true;
		break;
	case RECORD_SEEK:
	default:
		return -EOPNOTSUPP;
	}
	r->next_seq++;
	r->out->last_seq = max_u64(r->out->last_seq, rec->head.seq);
	if (rec->head.type == RECORD_COMMIT)
		return apply_group(r, rec);
	return !r->sealed;
}

/* Whether something behind the bad place proves that `seq` was durable. */
static int find_proof(struct replay *r, uint64_t seq, bool *ret)
{
	struct scan_record rec = { .off = 0 };
	struct commit_body body;
	int rc;

	*ret = false;
	rc = scan_resync(&r->scan, &rec);
	while (rc == 1) {
		r->out->last_seq = max_u64(r->out->last_seq, rec.head.seq);
		if (rec.head.type == RECORD_COMMIT &&
		    commit_body_get(rec.payload, &body) == 0 &&
		    body.durable >= seq)
			*ret = true;
		rc = scan_next(&r->scan, &rec);
		if (scan_is_bad(rc))
			rc = scan_resync(&r->scan, &rec);
	}
	return rc;
}

/* Zeros were written ahead of the tail; that is nothing to speak of. */
static bool tail_is_zero(const struct replay *r)
{
	uint8_t head[RECORD_HEADER_LEN];
	ssize_t n = io_pread(r->segment->fd, head, sizeof(head), r->good_off);
	ssize_t i = 0;

	while (i < n && head[i] == 0)
		i++;
	return i == n;
}

/* The newest segment was not sealed: cuts what follows its last COMMIT. */
static int end_log(struct replay *r)
{
	bool proven = false;
	int rc;

	if (r->scan.size <= r->good_off)
		return 0;
	rc = find_proof(r, r->next_seq, &proven);
	if (rc < 0)
		return rc;
	if (proven)
		return damage(r, BAD_RECORD, r->good_off);
	if (!r->cut)
		return 0;
	if (!tail_is_zero(r))
		report_info("the end of the log was not committed; it is cut "
			    "off at segment %llu @%llu",
			    (unsigned long long)r->number,
			    (unsigned long long)r->good_off);
	return segments_cut(r->s->segments, r->number, r->good_off);
}

/* The next segment. 1: there; 0: there is none, or one that was just begun
 * (which is removed). */
static int get_next(struct replay *r, struct segment **ret)
{
	struct segments *t = r->s->segments;
	uint64_t size = 0;
	int rc = segments_get(t, r->number + 1, ret);

	if (rc == -ENOENT)
		return 0;
	if (!scan_is_bad(rc))
		return rc < 0 ? rc : 1;
	rc = segments_size(t, r->number + 1, &size);
	if (rc < 0)
		return rc;
	/* Nothing is written to a segment before its header is durable. */
	if (size > SEGMENT_HEADER_LEN) {
		r->number++;
		return damage(r, BAD_HEADER, 0);
	}
	return r->cut ? segments_remove(t, r->number + 1) : 0;
}

/* With no next segment: is there one behind the gap? */
static int check_gap(struct replay *r)
{
	uint64_t first;
	uint64_t last;
	int rc = segments_range(r->s->segments, &first, &last);

	if (rc < 0)
		return rc;
	if (last > r->number + 1)
		return damage(r, MISSING, 0);
	return 0;
}

/* Whether the next segment follows what was read so far. */
static bool follows(const struct replay *r, const struct segment *next)
{
	return next->header.previous_commit == r->out->last_commit &&
	       next->header.epoch >= r->segment->header.epoch &&
	       next->header.first_seq >= r->next_seq;
}

/* The segment is read up to a place where it ends, or is bad. */
static int end_segment(struct replay *r, int why)
{
	struct segment *next = NULL;
	int rc = get_next(r, &next);

	if (rc < 0 || r->out->damage)
		return rc;
	if (rc == 1 && !follows(r, next)) {
		segments_put(r->s->segments, next);
		return damage(r, BAD_RECORD, r->scan.off);
	}
	segments_put(r->s->segments, next);
	if (rc == 1)
		return 1;
	/* A store that was closed cleanly is opened without a look at all of
	 * its segments. */
	if (!(r->sealed && r->first && !r->out->applied))
		rc = check_gap(r);
	if (rc < 0 || r->out->damage || r->sealed)
		return rc;
	return why == -EOPNOTSUPP ? damage(r, NEWER, r->scan.off) : end_log(r);
}

static int read_records(struct replay *r)
{
	struct scan_record rec = { .off = 0 };
	uint64_t off;
	int rc;

	do {
		off = r->scan.off;
		rc = scan_next(&r->scan, &rec);
		if (rc == 1)
			rc = take_record(r, &rec);
	} while (rc == 1);
	/* A record that is whole and does not belong is bad where it stands. */
	if (scan_is_bad(rc) && r->scan.off > off)
		r->scan.off = off;
	return rc;
}

/* 1: the next segment is to be read. */
static int read_segment(struct replay *r)
{
	const struct segment_header *h = &r->segment->header;
	struct store *s = r->s;
	int rc = scan_init(&r->scan, r->segment, r->start);

	r->sealed = false;
	r->good_off = r->start;
	r->group = (struct commit_body){ .n_records = 0 };
	r->out->epoch = max_u64(r->out->epoch, h->epoch);
	r->out->last_segment = r->number;
	if (!r->first || r->start == SEGMENT_HEADER_LEN)
		r->next_seq = h->first_seq;
	r->out->last_seq = max_u64(r->out->last_seq, r->next_seq - 1);
	if (rc == 0)
		rc = read_records(r);
	if (r->failed < 0)
		rc = r->failed;
	else if (!r->out->damage && (rc >= 0 || scan_is_bad(rc)))
		rc = end_segment(r, rc);
	/* A tail that was cut does not count. */
	atomic_fetch_add(&s->old_len, r->sealed ? r->scan.size : r->good_off);
	atomic_fetch_add(&s->old_n, 1);
	scan_release(&r->scan);
	return rc;
}

/* ---- where to begin ------------------------------------------------------ */

/* Whether the index's COMMIT stands where the index says. Another one there is
 * of another history: a copy of the store went its own way. */
static int check_position(struct replay *r, const struct index_meta *m)
{
	uint64_t len = record_len(COMMIT_LEN);
	struct scan_record rec = { .off = 0 };
	struct scan scan;
	int rc;

	if (m->off < SEGMENT_HEADER_LEN + len)
		return damage(r, AHEAD, m->off);
	rc = scan_init(&scan, r->segment, m->off - len);
	if (rc == 0)
		rc = scan_next(&scan, &rec);
	if (rc == 0 || scan_is_bad(rc) ||
	    (rc == 1 && (rec.head.type != RECORD_COMMIT ||
			 rec.head.seq != m->applied_seq)))
		rc = damage(r, AHEAD, m->off);
	if (rc == 1 && m->commit_hash != 0 &&
	    m->commit_hash != rec.head.header_hash) {
		r->out->foreign = true;
		rc = 0;
	}
	scan_release(&scan);
	return rc;
}

/* Pins r->number. 1; 0 with `damage` set. */
static int pin(struct replay *r, const char *missing)
{
	int rc = segments_get(r->s->segments, r->number, &r->segment);

	if (rc == -ENOENT)
		return damage(r, missing, 0);
	if (scan_is_bad(rc))
		return damage(r, BAD_HEADER, 0);
	return rc < 0 ? rc : 1;
}

static int begin_at(struct replay *r, const struct index_meta *m)
{
	int rc;

	r->number = m->segment;
	r->start = m->off;
	r->next_seq = m->applied_seq + 1;
	r->out->any = true;
	r->out->last_commit = m->applied_seq;
	r->out->last_segment = m->segment;
	atomic_store(&r->s->old_len, m->log_len);
	atomic_store(&r->s->old_n, m->n_before);
	rc = pin(r, AHEAD);
	return rc == 1 ? check_position(r, m) : rc;
}

static int begin(struct replay *r, const struct index_meta *m)
{
	struct segments *t = r->s->segments;
	uint64_t first = 0;
	uint64_t last = 0;
	uint64_t size = 0;
	int rc;

	r->out->epoch = m->epoch;
	r->out->last_seq = m->last_seq;
	if (m->segment != 0)
		return begin_at(r, m);
	rc = segments_range(t, &first, &last);
	if (rc < 0 || last == 0)
		return rc;
	r->number = 1;
	r->start = SEGMENT_HEADER_LEN;
	r->out->any = true;
	r->out->last_segment = last;
	if (first == 1 && last == 1) {
		/* It may have been just begun. */
		rc = segments_size(t, 1, &size);
		if (rc < 0)
			return rc;
		rc = segments_get(t, 1, &r->segment);
		if (scan_is_bad(rc) && size <= SEGMENT_HEADER_LEN) {
			r->out->any = false;
			r->out->last_segment = 0;
			return r->cut ? segments_remove(t, 1) : 0;
		}
		segments_put(t, r->segment);
		r->segment = NULL;
	}
	return pin(r, MISSING);
}

/* The index is empty: it is read from this round on. */
static int begin_with(struct replay *r, const struct round *from)
{
	struct index_meta m = {
		.applied_seq = from->seq,
		.segment = from->end.segment,
		.off = from->end.off,
	};
	int rc = segments_below(r->s->segments, m.segment, &m.n_before,
				&m.log_len);

	return rc < 0 ? rc : begin_at(r, &m);
}

static void take_meta(struct store *s, const struct index_meta *m)
{
	size_t i;

	for (i = 0; i < STORE_N_IDS; i++)
		atomic_store(&s->next_ids[i], max_u64(1, m->next_ids[i]));
	for (i = 0; i < STORE_N_TOTALS; i++)
		atomic_store(&s->totals[i], m->totals[i]);
	s->position = (struct log_commit){
		.seq = m->applied_seq,
		.segment = m->segment,
		.off = m->off,
		.hash = m->commit_hash,
	};
	s->position_before = m->log_len;
	s->n_before = m->n_before;
	s->kept = m->rounds;
	s->ops_len = m->ops_len;
	s->optimized = m->optimized;
	atomic_store(&s->old_len, 0);
	atomic_store(&s->old_n, 0);
	s->epoch = m->epoch;
	s->last_seq = m->last_seq;
}

static int read_log(struct replay *r)
{
	int rc = 1;

	r->first = true;
	while (rc == 1 && r->segment) {
		rc = read_segment(r);
		segments_put(r->s->segments, r->segment);
		r->segment = NULL;
		r->first = false;
		r->start = SEGMENT_HEADER_LEN;
		if (rc == 1) {
			r->number++;
			rc = pin(r, MISSING);
		}
	}
	return rc;
}

static int run(struct replay *r, const struct round *from)
{
	struct store *s = r->s;
	struct index_meta m;
	uint64_t n;
	int rc = index_load(&s->index, &m);

	if (rc == 0 && s->options.progress)
		rc = segments_below(s->segments, UINT64_MAX, &n, &r->log_len);
	if (rc < 0)
		return rc;
	take_meta(s, &m);
	rc = apply_begin(&r->apply, s, from);
	if (rc == 0)
		rc = from ? begin_with(r, from) : begin(r, &m);
	if (rc == 1)
		rc = read_log(r);
	segments_put(s->segments, r->segment);
	return rc;
}

/* The transaction that is open has changed nothing. */
static int set_spill(struct db *db, bool on)
{
	int rc = db_commit(db);

	if (rc == 0)
		rc = db_set_spill(db, on);
	return rc == 0 ? db_begin(db) : rc;
}

int replay_run(struct store *s, const struct replay_request *request,
	       struct replayed *ret)
{
	struct replay r = { .s = s,
			    .out = ret,
			    .cut = request->cut,
			    .before = request->before };
	int rc;

	*ret = (struct replayed){ .damage = NULL };
	rc = set_spill(s->index.db, true);
	if (rc == 0)
		rc = run(&r, request->from);
	ret->unfinished = s->rebuilding;
	apply_release(&r.apply);
	s->epoch = ret->epoch;
	s->last_seq = ret->last_seq;
	/* Whether the files are gone already is not said. */
	if (rc >= 0 && s->recount)
		rc = space_recount(s);
	if (rc >= 0 && ret->applied && !ret->unfinished)
		rc = save(&r);
	/* What is unfinished is not saved, and will be replaced. */
	if (rc >= 0 && !ret->unfinished)
		rc = set_spill(s->index.db, false);
	return rc < 0 ? rc : 0;
}
