/* SPDX-License-Identifier: MIT */
/*
 * txn.c - changes: into the batch and into the index, under INDEX.
 *
 * A batch is whole transactions, so it can become an OPS record whenever none
 * is open. One transaction that is too large for a record is spilled: several
 * OPS records, and the log holds back any COMMIT until the last of them.
 */
#include "store/drop.h"
#include "store/ops.h"
#include "store/state.h"
#include "stream/record.h"

#include "base/error.h"
#include "base/varint.h"

enum {
	BATCH_SEAL = 256 << 10, /* at the end of a transaction */
	BATCH_SPILL = 3 << 20,  /* in the middle of one */
	OPS_MAX = 10000,        /* kick the index commit */
	PENDING_MAX = 1 << 14,  /* chunks: some 50 ms of SQL */
	CACHE_MAX = 24 << 20,
	CHECK_EVERY = 256, /* operations between looks at the memory */
};

int txn_init(struct store *s)
{
	buffer_init(&s->txn.batch, RECORD_PAYLOAD_MAX);
	buffer_init(&s->txn.packed, RECORD_PAYLOAD_MAX);
	return encoder_new(&s->txn.encoder);
}

void txn_release(struct store *s)
{
	buffer_release(&s->txn.batch);
	buffer_release(&s->txn.packed);
	encoder_free(s->txn.encoder);
	s->txn.encoder = NULL;
}

LOCK_UNCHECKED void index_lock(struct store *s)
{
	sync_lock(&s->index_mutex);
}

LOCK_UNCHECKED void index_unlock(struct store *s)
{
	sync_unlock(&s->index_mutex);
}

LOCK_UNCHECKED int txn_begin(struct store *s)
{
	int rc = store_writable(s);

	if (rc < 0)
		return rc;
	sync_lock(&s->index_mutex);
	rc = store_writable(s);
	if (rc < 0)
		sync_unlock(&s->index_mutex);
	return rc;
}

static int apply_codebook_del(struct store *s, struct span body)
{
	struct reader in = reader_of(body);
	uint64_t id = 0;
	int rc = varint_get(&in, &id);

	return rc < 0 ? rc : codebooks_remove(s->codebooks, id);
}

int txn_apply(struct store *s, uint8_t type, struct span body)
{
	if (type == OP_CODEBOOK_DEL)
		return apply_codebook_del(s, body);
	if (type == OP_FRAME_DEL)
		return drop_apply_frame(s, body);
	if (type == OP_SEGMENT_DEL)
		return drop_apply_segment(s, body);
	if (type < OP_USER_FIRST || type > OP_USER_LAST)
		return -EOPNOTSUPP;
	return s->handlers.apply(s->handlers.ctx, type, body);
}

/* The batch, as it is, becomes a record. */
static int write_batch(struct store *s)
{
	struct txn *t = &s->txn;
	struct log_entry entry = { .type = RECORD_OPS };
	struct log_place place;
	int rc;

	if (t->batch.len == 0)
		return 0;
	rc = ops_pack(t->encoder, OPS_LEVEL, buffer_span(&t->batch), &t->packed,
		      &entry);
	if (rc == 0)
		rc = log_append(s->log, &entry, &place);
	if (rc < 0) {
		store_fail(s, rc, "writing operations to the log");
		return rc;
	}
	buffer_clear(&t->batch);
	s->ops_len += record_len(entry.payload.len);
	return 0;
}

int txn_seal(struct store *s)
{
	struct txn *t = &s->txn;
	int rc = 0;

	if (s->handlers.before_batch) {
		t->sealing = true;
		rc = s->handlers.before_batch(s->handlers.ctx);
		t->sealing = false;
	}
	if (rc < 0) {
		store_fail(s, rc, "logging what was held back");
		return rc;
	}
	rc = write_batch(s);
	if (rc == 0 && t->spilled) {
		t->spilled = false;
		log_hold(s->log, false);
	}
	return rc;
}

/* Part of a large transaction goes to the log before its end. */
static int spill(struct store *s)
{
	if (!s->txn.spilled) {
		s->txn.spilled = true;
		log_hold(s->log, true);
	}
	return write_batch(s);
}

int txn_op(struct store *s, uint8_t type, struct span body)
{
	int rc = store_writable(s);

	if (rc < 0)
		return rc;
	if (s->txn.batch.len + body.len > BATCH_SPILL)
		rc = spill(s);
	if (rc < 0)
		return rc;
	rc = ops_put(&s->txn.batch, type, body);
	if (rc == 0)
		rc = txn_apply(s, type, body);
	if (rc < 0) {
		store_fail(s, rc, "applying an operation");
		return rc;
	}
	atomic_fetch_add(&s->mark, 1);
	atomic_fetch_add(&s->n_ops, 1);
	return 0;
}

/* Whether the memory that waits for the index commit has become too much. */
static bool commit_due(struct store *s)
{
	uint64_t n = atomic_load(&s->n_ops);

	if (n >= OPS_MAX)
		return true;
	if (n % CHECK_EVERY != 0)
		return false;
	return bank_n_pending(s->bank) >= PENDING_MAX ||
	       db_cache_used(s->index.db) >= CACHE_MAX;
}

LOCK_UNCHECKED void txn_end(struct store *s)
{
	bool due;

	if (s->txn.batch.len > BATCH_SEAL || s->txn.spilled)
		(void)txn_seal(s);
	due = commit_due(s);
	sync_unlock(&s->index_mutex);
	if (due)
		housekeeping_kick(s);
}

void txn_touch(struct store *s)
{
	atomic_fetch_add(&s->mark, 1);
}

uint64_t txn_mark(const struct store *s)
{
	return atomic_load(&s->mark);
}

uint64_t store_next_id(struct store *s, enum store_id kind)
{
	return atomic_fetch_add(&s->next_ids[kind], 1);
}

void store_saw_id(struct store *s, enum store_id kind, uint64_t id)
{
	if (atomic_load(&s->next_ids[kind]) <= id)
		atomic_store(&s->next_ids[kind], id + 1);
}

void store_total_add(struct store *s, enum store_total t, int64_t delta)
{
	atomic_fetch_add(&s->totals[t], delta);
}
