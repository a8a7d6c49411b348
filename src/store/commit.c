/* SPDX-License-Identifier: MIT */
/*
 * commit.c - one fdatasync for all who wait, and the index behind it.
 *
 * commit_sync(): the first who comes leads. Under INDEX the batch becomes a
 * record and a COMMIT ends the group; then, under no lock but the leadership,
 * the log is written and synced. Who comes meanwhile waits: what he waits for
 * may have come after the COMMIT, then the next round is his.
 *
 * index_commit(): the log is synced first without INDEX; then INDEX is taken,
 * the small rest synced, rows and position written, and SQLite's transaction
 * committed, without a sync of its own. So the index is never ahead of the
 * durable log, and after a crash the log brings it up again.
 */
#include "store/state.h"

#include "base/error.h"

enum { WAL_MAX = 16 << 20 };

void commit_init(struct store *s)
{
	sync_mutex_init(&s->commit.lock, RANK_SYNC);
	sync_cond_init(&s->commit.done);
}

void commit_release(struct store *s)
{
	sync_cond_release(&s->commit.done);
	sync_mutex_release(&s->commit.lock);
}

/* INDEX held: ends the group. */
static int end_group(struct store *s, struct log_commit *ret)
{
	int rc = txn_seal(s);

	if (rc < 0)
		return rc;
	rc = log_commit(s->log, ret);
	if (rc < 0)
		store_fail(s, rc, "writing a commit to the log");
	return rc;
}

static int sync_log(struct store *s, uint64_t seq)
{
	int rc = log_sync(s->log, seq);

	if (rc < 0)
		store_fail(s, rc, "making the log durable");
	return rc;
}

/* Seals, writes, syncs. `*ret_mark`: durable up to there. */
static int commit_round(struct store *s, uint64_t *ret_mark)
{
	struct log_commit commit;
	uint64_t mark;
	int rc = txn_begin(s);

	if (rc < 0)
		return rc;
	rc = end_group(s, &commit);
	mark = txn_mark(s);
	index_unlock(s);
	if (rc == 0)
		rc = sync_log(s, commit.seq);
	if (rc == 0)
		*ret_mark = mark;
	return rc;
}

int commit_sync(struct store *s, uint64_t mark)
{
	struct commit *c = &s->commit;
	uint64_t covered = 0;
	int rc = 0;

	sync_lock(&c->lock);
	while (rc == 0 && c->durable < mark) {
		if (c->leading) {
			sync_wait(&c->done, &c->lock);
			continue;
		}
		c->leading = true;
		sync_unlock(&c->lock);
		rc = commit_round(s, &covered);
		sync_lock(&c->lock);
		c->leading = false;
		if (rc == 0)
			c->durable = max_u64(c->durable, covered);
		sync_broadcast(&c->done);
	}
	sync_unlock(&c->lock);
	return rc < 0 ? -EIO : 0;
}

int commit_flush(struct store *s)
{
	int rc = txn_begin(s);

	if (rc < 0)
		return rc;
	rc = txn_seal(s);
	index_unlock(s);
	if (rc < 0)
		return rc;
	rc = log_flush(s->log);
	if (rc < 0)
		store_fail(s, rc, "writing the log");
	return rc;
}

/* ---- the index ----------------------------------------------------------- */

static int save_meta(struct store *s)
{
	struct index_meta m = {
		.applied_seq = s->position.seq,
		.segment = s->position.segment,
		.off = s->position.off,
		.epoch = s->epoch,
		.last_seq = s->log ? log_last_seq(s->log) : s->last_seq,
		.log_len = s->position_before,
		.n_before = s->n_before,
		.rounds = s->kept,
		.ops_len = s->ops_len,
		.rebuilding = s->rebuilding,
		.commit_hash = s->position.hash,
		.optimized = s->optimized,
	};
	size_t i;

	for (i = 0; i < STORE_N_IDS; i++)
		m.next_ids[i] = atomic_load(&s->next_ids[i]);
	for (i = 0; i < STORE_N_TOTALS; i++)
		m.totals[i] = atomic_load(&s->totals[i]);
	return index_save(&s->index, &m);
}

static int write_out(struct store *s)
{
	int rc = bank_flush(s->bank, s->position.seq, s->totals);

	if (rc == 0)
		rc = sketches_flush(s->sketches);
	if (rc == 0)
		rc = save_meta(s);
	return rc == 0 ? db_commit(s->index.db) : rc;
}

int index_write(struct store *s, bool truncate)
{
	struct db *db = s->index.db;
	int rc = write_out(s);

	if (rc == 0 && (truncate || db_wal_len(db) > WAL_MAX))
		rc = db_checkpoint(db, truncate);
	if (rc == 0 && !truncate)
		rc = db_begin(db);
	if (rc == 0) {
		atomic_store(&s->n_ops, 0);
		atomic_store(&s->index_len, db_file_len(db) + db_wal_len(db));
	}
	return rc;
}

int index_end(struct store *s)
{
	int rc = write_out(s);

	if (rc < 0)
		return rc;
	/* Written anew it takes as much again for a moment. */
	if (!space_is_low(s))
		index_tidy(&s->index);
	return db_checkpoint(s->index.db, true);
}

/* INDEX held, the log nearly all durable. */
static int commit_rest(struct store *s, bool sync)
{
	struct log_commit commit;
	int rc = end_group(s, &commit);

	if (rc == 0)
		rc = sync_log(s, commit.seq);
	if (rc < 0)
		return rc;
	bank_settle(s->bank);
	if (commit.seq != 0) {
		s->position = commit;
		s->position_before = atomic_load(&s->old_len) + commit.before;
		s->n_before = atomic_load(&s->old_n) + commit.n_before;
	}
	rc = index_write(s, sync);
	if (rc == 0 && sync)
		rc = db_begin(s->index.db);
	if (rc < 0)
		store_fail(s, rc, "committing the index");
	return rc;
}

static int commit_index(struct store *s, bool sync)
{
	int rc = commit_sync(s, txn_mark(s));

	if (rc < 0)
		return rc;
	rc = txn_begin(s);
	if (rc < 0)
		return rc;
	rc = commit_rest(s, sync);
	index_unlock(s);
	return rc;
}

int index_commit(struct store *s)
{
	return commit_index(s, false);
}

int index_sync(struct store *s)
{
	return commit_index(s, true);
}
