/* SPDX-License-Identifier: MIT */
/*
 * sketches.c - a ring of sketches, a table that finds them, and two in SQL.
 *
 * The ring holds the newest; entry number i lies at i % SKETCHES_MAX. Buckets
 * of four hold places in the ring by super-feature; whether an entry still has
 * it is seen in the entry, so nothing is ever taken out of a bucket.
 *
 * Rows of `sketch` are those of the ring that are worth keeping. An entry that
 * is overwritten moves to `similar` at the next flush; if too many wait for
 * that, it is forgotten.
 */
#include "store/sketches.h"

#include "base/sync.h"
#include "store/db.h"

#include <stdatomic.h>
#include <stdlib.h>

enum {
	WAYS = 4,
	N_BUCKETS = SKETCHES_MAX * 2,
	BATCH = 256,
	LEAVING_MAX = 1 << 13,
	SUPERS_LEN = 4 * SKETCH_N,
	KEY_SHIFT = 3,

	LUCK_START = 6,
	LUCK_MAX = 32,
	LUCK_GAIN = 4, /* of a trial that was good; a bad one costs 1 */
	LUCKLESS_TRY = 32,
};

struct entry {
	uint64_t chunk; /* 0: empty */
	struct sketch sketch;
};

struct sketches {
	struct sync_mutex lock; /* LEAF */
	struct entry *ring GUARDED_BY(lock);
	uint8_t *keep GUARDED_BY(lock);             /* one bit each */
	uint32_t (*buckets)[WAYS] GUARDED_BY(lock); /* place + 1; 0: empty */
	uint64_t n_added GUARDED_BY(lock);
	struct entry *leaving GUARDED_BY(
		lock); /* LEAVING_MAX; NULL: none yet */
	size_t n_leaving GUARDED_BY(lock);

	/* atomic: hints */
	atomic_bool cold;
	atomic_bool forgot; /* `similar` has rows */
	atomic_int luck;
	atomic_uint n_luckless;

	/* INDEX */
	uint64_t n_written; /* entries that the index has, or need not have */
	struct db_stmt *put;
	struct db_stmt *del;
	struct db_stmt *oldest;
	struct db_stmt *load;
	struct db_stmt *put_similar;
	struct db_stmt *get_similar;
	struct db_stmt *any_similar;
};

int sketches_new(struct sketches **ret)
{
	struct sketches *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	sync_mutex_init(&k->lock, RANK_LEAF);
	/* The system gives zeroed pages as they are used. */
	k->ring = calloc(SKETCHES_MAX, sizeof(*k->ring));
	k->keep = calloc(SKETCHES_MAX / 8, 1);
	k->buckets = calloc(N_BUCKETS, sizeof(*k->buckets));
	atomic_store(&k->cold, true);
	atomic_store(&k->luck, LUCK_START);
	if (!k->ring || !k->keep || !k->buckets) {
		sketches_free(k);
		return -ENOMEM;
	}
	*ret = k;
	return 0;
}

void sketches_free(struct sketches *k)
{
	if (!k)
		return;
	free(k->ring);
	free(k->keep);
	free(k->buckets);
	free(k->leaving);
	sync_mutex_release(&k->lock);
	free(k);
}

int sketches_attach(struct sketches *k, struct db *db)
{
	const struct {
		const char *sql;
		struct db_stmt **ret;
	} all[] = {
		{ "INSERT OR REPLACE INTO sketch VALUES(?, ?)", &k->put },
		{ "DELETE FROM sketch WHERE chunk = ?", &k->del },
		{ "SELECT chunk FROM sketch ORDER BY chunk DESC LIMIT 1 "
		  "OFFSET ?",
		  &k->oldest },
		{ "SELECT chunk, supers FROM sketch WHERE chunk >= ? ORDER BY "
		  "chunk",
		  &k->load },
		{ "INSERT OR IGNORE INTO similar VALUES(?, ?)",
		  &k->put_similar },
		{ "SELECT chunk FROM similar WHERE key = ? ORDER BY chunk "
		  "DESC LIMIT 1",
		  &k->get_similar },
		{ "SELECT 1 FROM similar LIMIT 1", &k->any_similar },
	};
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < ARRAY_LEN(all); i++)
		rc = db_prepare(db, all[i].sql, all[i].ret);
	if (rc < 0)
		return rc;
	rc = db_step(k->any_similar);
	atomic_store(&k->forgot, rc == 1);
	db_reset(k->any_similar);
	return rc < 0 ? rc : 0;
}

/* ---- memory -------------------------------------------------------------- */

static uint32_t *bucket_of(struct sketches *k, uint32_t super)
{
	return k->buckets[(super >> 1) % N_BUCKETS];
}

/* How many entries came after the one at `place`. */
static uint64_t age_of(const struct sketches *k, size_t place)
{
	return (k->n_added - 1 - place) % SKETCHES_MAX;
}

/* The place in a bucket that an entry gets: free, or the oldest one's. */
static void enter(struct sketches *k, uint32_t super, size_t place)
{
	uint32_t *bucket = bucket_of(k, super);
	unsigned oldest = 0;
	unsigned i;

	for (i = 0; i < WAYS && bucket[i] != 0; i++) {
		if (age_of(k, bucket[i] - 1) > age_of(k, bucket[oldest] - 1))
			oldest = i;
	}
	bucket[i < WAYS ? i : oldest] = (uint32_t)place + 1;
}

static bool is_kept(const struct sketches *k, size_t place)
{
	return (k->keep[place / 8] >> place % 8 & 1) != 0;
}

static void set_kept(struct sketches *k, size_t place, bool kept)
{
	uint8_t bit = (uint8_t)(1 << place % 8);

	k->keep[place / 8] =
		(uint8_t)((k->keep[place / 8] & ~bit) | (kept ? bit : 0));
}

/* An entry is about to be overwritten. */
static void leave_locked(struct sketches *k, size_t place) REQUIRES(k->lock)
{
	if (k->ring[place].chunk == 0 || !is_kept(k, place))
		return;
	if (!k->leaving)
		k->leaving = malloc(LEAVING_MAX * sizeof(*k->leaving));
	if (k->leaving && k->n_leaving < LEAVING_MAX)
		k->leaving[k->n_leaving++] = k->ring[place];
}

static void add_locked(struct sketches *k, uint64_t chunk, bool kept,
		       const struct sketch *sketch) REQUIRES(k->lock)
{
	size_t place = k->n_added % SKETCHES_MAX;
	unsigned i;

	leave_locked(k, place);
	k->ring[place] = (struct entry){ chunk, *sketch };
	set_kept(k, place, kept);
	k->n_added++;
	for (i = 0; i < SKETCH_N; i++) {
		if (sketch->supers[i] != 0)
			enter(k, sketch->supers[i], place);
	}
}

void sketches_add(struct sketches *k, uint64_t chunk, size_t len,
		  const struct sketch *sketch)
{
	sync_lock(&k->lock);
	add_locked(k, chunk, len >= SKETCHES_KEEP_MIN, sketch);
	sync_unlock(&k->lock);
}

/* Takes the entry at `place` if it is a better one. */
static void consider(const struct entry *e, const struct sketch *sketch,
		     struct similar_chunk *best)
{
	unsigned matches = sketch_matches(&e->sketch, sketch);

	if (matches > best->matches ||
	    (matches > 0 && matches == best->matches && e->chunk > best->chunk))
		*best = (struct similar_chunk){ e->chunk, matches };
}

struct similar_chunk sketches_find(struct sketches *k,
				   const struct sketch *sketch)
{
	struct similar_chunk best = { 0, 0 };
	unsigned i, way;

	sync_lock(&k->lock);
	for (i = 0; i < SKETCH_N; i++) {
		const uint32_t *bucket = bucket_of(k, sketch->supers[i]);

		if (sketch->supers[i] == 0)
			continue;
		for (way = 0; way < WAYS && bucket[way] != 0; way++)
			consider(&k->ring[bucket[way] - 1], sketch, &best);
	}
	sync_unlock(&k->lock);
	return best;
}

bool sketches_promising(struct sketches *k, const struct similar_chunk *found)
{
	if (found->chunk == 0)
		return false;
	return found->matches > 1 || atomic_load(&k->luck) > 0 ||
	       atomic_fetch_add(&k->n_luckless, 1) % LUCKLESS_TRY == 0;
}

void sketches_judge(struct sketches *k, const struct similar_chunk *found,
		    bool good)
{
	int luck = atomic_load(&k->luck);

	if (found->matches > 1)
		return;
	/* Two at once may lose one of the counts. */
	if (good)
		luck = luck + LUCK_GAIN > LUCK_MAX ? LUCK_MAX
						   : luck + LUCK_GAIN;
	else if (luck > 0)
		luck--;
	atomic_store(&k->luck, luck);
}

/* ---- the index ----------------------------------------------------------- */

bool sketches_cold(struct sketches *k)
{
	return atomic_load(&k->cold);
}

bool sketches_forgot(struct sketches *k)
{
	return atomic_load(&k->forgot);
}

/* The first chunk of the newest SKETCHES_MAX rows. */
static int find_first(struct sketches *k, uint64_t *ret)
{
	int rc;

	db_bind_u64(k->oldest, 0, SKETCHES_MAX - 1);
	rc = db_step(k->oldest);
	*ret = rc == 1 ? db_column_u64(k->oldest, 0) : 0;
	db_reset(k->oldest);
	return rc < 0 ? rc : 0;
}

static bool take_row(struct db_stmt *row, struct entry *ret)
{
	struct span blob = db_column_blob(row, 1);
	unsigned i;

	ret->chunk = db_column_u64(row, 0);
	for (i = 0; blob.len == SUPERS_LEN && i < SKETCH_N; i++)
		ret->sketch.supers[i] = get_le32(blob.ptr + (size_t)4 * i);
	return blob.len == SUPERS_LEN && ret->chunk != 0;
}

/* Nothing was added yet: cold is what others wait behind. */
int sketches_load(struct sketches *k)
{
	struct entry e = { .chunk = 0 };
	uint64_t first = 0;
	int rc;

	if (!sketches_cold(k))
		return 0;
	rc = find_first(k, &first);
	if (rc < 0)
		return rc;
	db_bind_u64(k->load, 0, first);
	while ((rc = db_step(k->load)) == 1) {
		if (!take_row(k->load, &e))
			continue;
		sync_lock(&k->lock);
		add_locked(k, e.chunk, true, &e.sketch);
		k->n_written = k->n_added;
		sync_unlock(&k->lock);
	}
	atomic_store(&k->cold, false);
	return rc;
}

static uint64_t key_of(const struct sketch *sketch, unsigned i)
{
	return (uint64_t)sketch->supers[i] << KEY_SHIFT | i;
}

int sketches_find_old(struct sketches *k, const struct sketch *sketch,
		      struct similar_chunk *ret)
{
	struct similar_chunk found[SKETCH_N] = { { 0, 0 } };
	struct similar_chunk best = { 0, 0 };
	unsigned i, j;
	int rc;

	for (i = 0; i < SKETCH_N; i++) {
		if (sketch->supers[i] == 0)
			continue;
		db_bind_u64(k->get_similar, 0, key_of(sketch, i));
		rc = db_step(k->get_similar);
		if (rc == 1)
			found[i].chunk = db_column_u64(k->get_similar, 0);
		db_reset(k->get_similar);
		if (rc < 0)
			return rc;
		for (j = 0; j <= i && found[i].chunk != 0; j++)
			found[i].matches += found[j].chunk == found[i].chunk;
		if (found[i].matches > best.matches)
			best = found[i];
	}
	*ret = best;
	return 0;
}

static int write_entry(struct sketches *k, const struct entry *e)
{
	uint8_t supers[SUPERS_LEN];
	unsigned i;

	for (i = 0; i < SKETCH_N; i++)
		put_le32(supers + (size_t)4 * i, e->sketch.supers[i]);
	db_bind_u64(k->put, 0, e->chunk);
	db_bind_blob(k->put, 1, span_of(supers, sizeof(supers)));
	return db_run(k->put);
}

/* Up to BATCH entries that are not written. Returns how many numbers that
 * covers. */
static size_t take_batch(struct sketches *k, struct entry *batch, size_t *ret_n)
{
	uint64_t number = k->n_written;
	uint64_t end;
	size_t n = 0;

	sync_lock(&k->lock);
	/* What the ring has lost is lost. */
	if (k->n_added - number > SKETCHES_MAX)
		number = k->n_added - SKETCHES_MAX;
	end = min_u64(k->n_added, number + BATCH);
	for (; number < end; number++) {
		size_t place = number % SKETCHES_MAX;

		if (is_kept(k, place))
			batch[n++] = k->ring[place];
	}
	sync_unlock(&k->lock);
	*ret_n = n;
	return (size_t)(end - k->n_written);
}

static int write_new(struct sketches *k)
{
	struct entry batch[BATCH];
	size_t n_covered;
	size_t n, i;
	int rc = 0;

	do {
		n_covered = take_batch(k, batch, &n);
		for (i = 0; rc == 0 && i < n; i++)
			rc = write_entry(k, &batch[i]);
		if (rc == 0)
			k->n_written += n_covered;
	} while (rc == 0 && n_covered > 0);
	return rc;
}

struct similar_row {
	uint64_t key;
	uint64_t chunk;
};

static int compare_rows(const void *a, const void *b)
{
	const struct similar_row *x = a;
	const struct similar_row *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

/* Rows in the order of their key: neighbours are written together. */
static int write_similar(struct sketches *k, const struct entry *all, size_t n)
{
	struct similar_row *rows = malloc(n * SKETCH_N * sizeof(*rows));
	size_t n_rows = 0;
	size_t i;
	int rc = 0;

	/* Hints: what there is no room for is forgotten. */
	if (!rows)
		return 0;
	for (i = 0; i < n * SKETCH_N; i++) {
		const struct entry *e = &all[i / SKETCH_N];
		unsigned number = (unsigned)(i % SKETCH_N);

		if (e->sketch.supers[number] != 0)
			rows[n_rows++] = (struct similar_row){
				key_of(&e->sketch, number), e->chunk
			};
	}
	qsort(rows, n_rows, sizeof(*rows), compare_rows);
	for (i = 0; rc == 0 && i < n_rows; i++) {
		db_bind_u64(k->put_similar, 0, rows[i].key);
		db_bind_u64(k->put_similar, 1, rows[i].chunk);
		rc = db_run(k->put_similar);
	}
	free(rows);
	return rc;
}

static int move_leaving(struct sketches *k)
{
	struct entry *leaving;
	size_t n, i;
	int rc;

	sync_lock(&k->lock);
	leaving = k->leaving;
	n = k->n_leaving;
	k->leaving = NULL;
	k->n_leaving = 0;
	sync_unlock(&k->lock);
	if (n == 0) {
		free(leaving);
		return 0;
	}
	rc = write_similar(k, leaving, n);
	for (i = 0; rc == 0 && i < n; i++) {
		db_bind_u64(k->del, 0, leaving[i].chunk);
		rc = db_run(k->del);
	}
	free(leaving);
	atomic_store(&k->forgot, true);
	return rc;
}

int sketches_drop(struct sketches *k, uint64_t chunk)
{
	db_bind_u64(k->del, 0, chunk);
	return db_run(k->del);
}

int sketches_flush(struct sketches *k)
{
	int rc = write_new(k);

	return rc == 0 ? move_leaving(k) : rc;
}
