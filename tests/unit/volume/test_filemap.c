/* SPDX-License-Identifier: MIT */
/*
 * test_filemap.c - tests of src/volume/filemap.c.
 *
 * The model is an array of cells: what each CELL bytes of the file are. Extents
 * begin and end at cells. After each change all rows are read and compared.
 */
#include "unit/volume/fixture.h"
#include "unit/volume/suites.h"

#include "lib/rng.h"
#include "store/ingest.h"
#include "store/state.h"
#include "volume/extent.h"
#include "volume/ops.h"
#include "volume/volume_impl.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	CELL = 512,
	N_CELLS = 6000,
	N_CHUNKS = 32,
	CHUNK_LEN = 64 << 10,
	CHUNK_CELLS = CHUNK_LEN / CELL,
	UNWRITTEN = UINT32_MAX, /* what a cell is: 0 a hole, */
};                              /* else chunk * CHUNK_CELLS + part + 1 */

struct world {
	struct fixture f;
	struct rng rng;
	uint64_t ino;
	uint64_t base;
	uint64_t chunks[N_CHUNKS];
	uint32_t cells[N_CELLS];
	uint32_t walked[N_CELLS];
	size_t n_leaves; /* of the newest walk */
	size_t n_extents;
};

/* ---- chunks ---------------------------------------------------------------- */

static void remember_ids(struct parcel *p, int rc)
{
	uint64_t *ids = p->owner;

	ck_ok(rc);
	for (size_t i = 0; i < p->n_chunks; i++)
		ids[i] = p->chunks[i].id;
}

static void make_chunks(struct world *w)
{
	enum { PER = PARCEL_RAW_MAX / CHUNK_LEN };

	for (size_t i = 0; i < N_CHUNKS; i += PER) {
		struct parcel *p;

		ck_ok(parcel_get(volume_store(w->f.v), true, &p));
		rng_fill(&w->rng, p->raw, PARCEL_RAW_MAX);
		p->raw_len = PARCEL_RAW_MAX;
		for (uint32_t k = 0; k < PER; k++)
			p->chunks[p->n_chunks++] = (struct parcel_chunk){
				.raw_off = k * CHUNK_LEN,
				.len = CHUNK_LEN,
			};
		p->owner = &w->chunks[i];
		p->done = remember_ids;
		ingest_run(p);
	}
}

static void world_init(struct world *w, uint64_t seed)
{
	*w = (struct world){ .rng = rng_of(seed) };
	fixture_init(&w->f);
	w->ino = make_file(&w->f, VOLUME_ROOT, "f");
	make_chunks(w);
}

static struct world *world_new(uint64_t seed)
{
	struct world *w = malloc(sizeof(*w));

	ck_assert(w);
	world_init(w, seed);
	return w;
}

/* ---- looking ---------------------------------------------------------------- */

static uint32_t cell_of(const struct world *w, const struct extent *e,
			uint64_t off)
{
	uint64_t part = e->chunk_off + (off - e->off);

	if (e->kind == EXTENT_UNWRITTEN)
		return UNWRITTEN;
	for (uint32_t i = 0; i < N_CHUNKS; i++)
		if (w->chunks[i] == e->chunk)
			return i * CHUNK_CELLS + (uint32_t)(part / CELL) + 1;
	ck_abort_msg("an unknown chunk");
	return 0;
}

static void walk_leaf(struct world *w, const struct leaf *leaf, uint64_t *refs)
{
	uint64_t end = leaf->from;

	ck_assert(leaf->n <= LEAF_EXTENTS_MAX);
	if (leaf->n > 0)
		ck_assert_uint_eq(leaf->extents[0].off, leaf->from);
	for (size_t i = 0; i < leaf->n; i++) {
		const struct extent *e = &leaf->extents[i];

		/* Not ck_assert(), which is a system call each time. */
		if (e->off < end || e->off < w->base)
			ck_abort_msg("extents overlap");
		end = extent_end(e);
		if (end > leaf->to || end > w->base + (uint64_t)N_CELLS * CELL)
			ck_abort_msg("extents leave their leaf");
		for (uint64_t off = e->off; off < end; off += CELL)
			w->walked[(off - w->base) / CELL] = cell_of(w, e, off);
		if (e->kind == EXTENT_CHUNK)
			refs[(w->walked[(e->off - w->base) / CELL] - 1) /
			     CHUNK_CELLS]++;
	}
	w->n_extents += leaf->n;
	w->n_leaves += leaf->n > 0;
}

/* All rows, each leaf going on where the one before ended. */
static void walk(struct world *w, uint64_t *refs)
{
	uint64_t off = 0;

	memset(w->walked, 0, sizeof(w->walked));
	w->n_leaves = 0;
	w->n_extents = 0;
	while (off < MAP_END_MAX) {
		struct leaf *leaf;

		if (filemap_leaf(w->f.v, w->ino, off, &leaf))
			ck_abort_msg("a leaf cannot be read");
		if (leaf->from > off || leaf->to <= off ||
		    (off > 0 && leaf->n > 0 && leaf->from != off))
			ck_abort_msg("leaves overlap");
		walk_leaf(w, leaf, refs);
		off = leaf->to;
		leaf_put(leaf);
	}
}

/* Every row, cell and count, against the model. INDEX is held. */
static void check_indexed(struct world *w)
{
	uint64_t refs[N_CHUNKS] = { 0 };
	struct store *s = volume_store(w->f.v);

	walk(w, refs);
	ck_assert(memcmp(w->walked, w->cells, sizeof(w->cells)) == 0);
	for (size_t i = 0; i < N_CHUNKS; i++) {
		uint64_t n;

		ck_ok(bank_refs(s->bank, w->chunks[i], &n));
		ck_assert_uint_eq(n, refs[i]);
	}
}

static void check(struct world *w)
{
	index_lock(volume_store(w->f.v));
	check_indexed(w);
	index_unlock(volume_store(w->f.v));
}

static int64_t n_allocated(const struct world *w)
{
	int64_t n = 0;

	for (size_t i = 0; i < N_CELLS; i++)
		n += w->cells[i] != 0;
	return n * CELL;
}

/* ---- changing ---------------------------------------------------------------- */

/* A new list of up to `max` extents in cells [from, to), put into the model. */
static size_t plan(struct world *w, size_t from, size_t to, size_t max,
		   struct extent *list)
{
	bool dense = rng_below(&w->rng, 2);
	size_t n = 0;
	size_t at = from;

	memset(&w->cells[from], 0, (to - from) * sizeof(w->cells[0]));
	while (n < max && at < to) {
		uint32_t chunk = (uint32_t)rng_below(&w->rng, N_CHUNKS);
		uint32_t part = (uint32_t)rng_below(&w->rng, CHUNK_CELLS);
		size_t len = 1 + rng_below(&w->rng, dense ? 1 : CHUNK_CELLS);
		bool unwritten = rng_below(&w->rng, 8) == 0;

		at += rng_below(&w->rng, 3) == 0 ? rng_below(&w->rng, 4) : 0;
		if (at >= to)
			break;
		len = min_u64(min_u64(len, CHUNK_CELLS - part), to - at);
		list[n] = (struct extent){
			.off = w->base + at * CELL,
			.len = len * CELL,
			.kind = unwritten ? EXTENT_UNWRITTEN : EXTENT_CHUNK,
		};
		if (!unwritten) {
			list[n].chunk = w->chunks[chunk];
			list[n].chunk_off = part * CELL;
		}
		for (size_t i = 0; i < len; i++)
			w->cells[at + i] = unwritten ? UNWRITTEN
						     : chunk * CHUNK_CELLS +
							       part +
							       (uint32_t)i + 1;
		at += len;
		n++;
	}
	return n;
}

/* Cells [from, to) become up to `max` random extents. Twice is as once. */
static void assign(struct world *w, size_t from, size_t to, size_t max)
{
	static struct extent list[MAP_EXTENTS_MAX];
	struct store *s = volume_store(w->f.v);
	struct map_range range = { .ino = w->ino,
				   .off = w->base + from * CELL,
				   .len = (to - from) * CELL };
	int64_t before = n_allocated(w);
	int64_t allocated;
	size_t n = plan(w, from, to, max, list);

	ck_ok(txn_begin(s));
	ck_ok(filemap_assign(w->f.v, &range, list, n, &allocated));
	ck_assert_int_eq(allocated, n_allocated(w) - before);
	if (rng_below(&w->rng, 4) == 0) {
		ck_ok(filemap_assign(w->f.v, &range, list, n, &allocated));
		ck_assert_int_eq(allocated, 0);
	}
	txn_end(s);
}

/* Nothing of the file is left, and no reference. */
static void delete_all(struct world *w)
{
	struct store *s = volume_store(w->f.v);
	uint64_t off = 1;

	ck_ok(txn_begin(s));
	ck_ok(filemap_delete(w->f.v, w->ino));
	ck_ok(filemap_tail(w->f.v, w->ino, 1, &off));
	ck_assert_uint_eq(off, 0);
	txn_end(s);
	memset(w->cells, 0, sizeof(w->cells));
	check(w);
}

static void world_free(struct world *w)
{
	check(w);
	delete_all(w);
	fixture_drop(&w->f);
	free(w);
}

static void random_assigns(uint64_t base, uint64_t seed, int n)
{
	static const size_t limits[] = { 1, 3, 30, 300, N_CELLS };
	struct world *w = world_new(seed);

	w->base = base;
	for (int i = 0; i < n; i++) {
		size_t from = rng_below(&w->rng, N_CELLS);
		size_t len =
			1 + rng_below(&w->rng, limits[rng_below(&w->rng, 5)]);
		size_t max = rng_below(&w->rng, 6) == 0 ? 0 : MAP_EXTENTS_MAX;

		len = min_u64(len, N_CELLS - from);
		assign(w, from, from + len, max);
		if (i % 8 == 0)
			check(w);
	}
	world_free(w);
}

START_TEST(random_from_zero)
{
	random_assigns(0, 1, 3000);
}
END_TEST

START_TEST(random_at_the_end)
{
	random_assigns(MAP_END_MAX - (uint64_t)N_CELLS * CELL, 2, 1500);
}
END_TEST

/* Small ones only: leaves are split again and again. */
START_TEST(random_small)
{
	struct world *w = world_new(3);

	for (int i = 0; i < 6000; i++) {
		size_t from = rng_below(&w->rng, N_CELLS - 3);

		assign(w, from, from + 1 + rng_below(&w->rng, 3),
		       rng_below(&w->rng, 9));
		if (i % 64 == 0)
			check(w);
	}
	ck_assert_uint_gt(w->n_leaves, 4);
	world_free(w);
}
END_TEST

START_TEST(appending_fills_leaves)
{
	struct world *w = world_new(4);

	for (size_t i = 0; i + 1 < N_CELLS; i += 2)
		assign(w, i, i + 2, 1);
	check(w);
	ck_assert_uint_le(w->n_leaves, w->n_extents / LEAF_EXTENTS_MAX + 1);
	world_free(w);
}
END_TEST

START_TEST(writing_backwards_fills_leaves)
{
	struct world *w = world_new(5);

	for (size_t i = N_CELLS; i-- > 0;)
		assign(w, i, i + 1, 1);
	check(w);
	ck_assert_uint_le(w->n_leaves, 2 * w->n_extents / LEAF_EXTENTS_MAX + 2);
	world_free(w);
}
END_TEST

/* The most that a change can have in hand. */
START_TEST(largest_change)
{
	struct world *w = world_new(6);

	for (size_t i = 0; i < N_CELLS; i++)
		assign(w, i, i + 1, 1);
	for (int i = 0; i < 200; i++) {
		size_t from = rng_below(&w->rng, N_CELLS - 2000);

		assign(w, from, from + 1024 + rng_below(&w->rng, 900),
		       MAP_EXTENTS_MAX);
		check(w);
	}
	assign(w, 0, N_CELLS, 0);
	check(w);
	ck_assert_uint_eq(w->n_leaves, 0);
	world_free(w);
}
END_TEST

START_TEST(tail_counts_from_the_end)
{
	struct world *w = world_new(7);
	uint64_t last;
	uint64_t first;
	uint64_t off;

	for (size_t i = 0; i < 600; i++)
		assign(w, i, i + 1, 1);
	index_lock(volume_store(w->f.v));
	ck_ok(filemap_tail(w->f.v, w->ino, 1, &last));
	ck_ok(filemap_tail(w->f.v, w->ino, 3, &first));
	ck_ok(filemap_tail(w->f.v, w->ino, 100, &off));
	index_unlock(volume_store(w->f.v));
	ck_assert_uint_gt(last, first);
	ck_assert_uint_eq(off, 0);
	world_free(w);
}
END_TEST

/* The index is a view: replayed from the log, it is the same. */
START_TEST(replay_makes_the_same)
{
	struct world *w = world_new(8);
	char name[320];

	for (int i = 0; i < 400; i++) {
		size_t from = rng_below(&w->rng, N_CELLS - 100);

		assign(w, from, from + 1 + rng_below(&w->rng, 100),
		       rng_below(&w->rng, 60));
	}
	fixture_reopen(&w->f);
	check(w);
	fixture_close(&w->f);
	(void)snprintf(name, sizeof(name), "%s/index.db", w->f.path);
	ck_ok(remove(name));
	fixture_open(&w->f);
	check(w);
	world_free(w);
}
END_TEST

/* ---- what is not to be believed ------------------------------------------------ */

static size_t good_body(const struct world *w, uint8_t *body)
{
	struct extent_cursor c = { .end = 4096 };
	size_t len = varint_put(body, w->ino);

	len += varint_put(body + len, 4096);
	len += varint_put(body + len, (uint64_t)100 * CELL);
	len += varint_put(body + len, 3);
	for (uint32_t i = 0; i < 3; i++)
		len += extent_put(&c,
				  &(struct extent){ .off = 4096 + i * 1024,
						    .len = 512,
						    .chunk = w->chunks[i] },
				  body + len);
	return len;
}

START_TEST(damaged_operations)
{
	struct world *w = world_new(9);
	struct store *s = volume_store(w->f.v);
	uint8_t body[200];
	size_t len = good_body(w, body);

	index_lock(s);
	for (size_t n = 0; n < len; n++)
		ck_rc(filemap_apply(w->f.v, span_of(body, n)), -EUCLEAN);
	ck_ok(filemap_apply(w->f.v, span_of(body, len)));
	for (size_t i = 0; i < len; i++) {
		int rc;

		/* Other numbers may be as good; nothing may break. */
		body[i] ^= 0x41;
		rc = filemap_apply(w->f.v, span_of(body, len));
		ck_assert(rc == 0 || rc == -EUCLEAN);
		body[i] ^= 0x41;
	}
	index_unlock(s);
	fixture_drop(&w->f);
	free(w);
}
END_TEST

static int read_row(struct world *w)
{
	struct store *s = volume_store(w->f.v);
	struct leaf *leaf;
	int rc;

	index_lock(s);
	rc = filemap_leaf(w->f.v, w->ino, (uint64_t)39 * CELL, &leaf);
	if (!rc)
		leaf_put(leaf);
	index_unlock(s);
	return rc;
}

START_TEST(damaged_rows)
{
	struct world *w = world_new(10);

	assign(w, 0, 40, 10);
	ck_ok(read_row(w));
	fixture_sql(&w->f, "UPDATE extent SET leaf = x''");
	ck_rc(read_row(w), -EUCLEAN);
	/* A gap before the first, an extent of length 0, a cut one. */
	fixture_sql(&w->f, "UPDATE extent SET leaf = x'0103'");
	ck_rc(read_row(w), -EUCLEAN);
	fixture_sql(&w->f, "UPDATE extent SET leaf = x'0001'");
	ck_rc(read_row(w), -EUCLEAN);
	fixture_sql(&w->f, "UPDATE extent SET leaf = x'000300'");
	ck_rc(read_row(w), -EUCLEAN);
	fixture_sql(&w->f, "UPDATE extent SET leaf = zeroblob(9000)");
	ck_rc(read_row(w), -EUCLEAN);
	fixture_sql(&w->f, "DELETE FROM extent");
	ck_ok(read_row(w));
	fixture_drop(&w->f);
	free(w);
}
END_TEST

/* More extents behind the range than two sound leaves can have. */
START_TEST(overlapping_rows)
{
	struct world *w = world_new(11);
	struct store *s = volume_store(w->f.v);
	struct map_range range = { .ino = w->ino, .off = 0, .len = 2048 };
	uint8_t body[64];
	size_t len = varint_put(body, w->ino);
	char sql[200];

	(void)snprintf(sql, sizeof(sql),
		       "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1"
		       " FROM n WHERE i<900) INSERT INTO extent"
		       " SELECT %llu, i, x'00818004' FROM n",
		       (unsigned long long)w->ino);
	fixture_sql(&w->f, sql);
	len += varint_put(body + len, range.off);
	len += varint_put(body + len, range.len);
	len += varint_put(body + len, 0);
	index_lock(s);
	ck_rc(filemap_apply(w->f.v, span_of(body, len)), -EUCLEAN);
	index_unlock(s);
	fixture_drop(&w->f);
	free(w);
}
END_TEST

Suite *suite_filemap(void)
{
	const TTest *const tests[] = {
		random_from_zero,
		random_at_the_end,
		random_small,
		appending_fills_leaves,
		writing_backwards_fills_leaves,
		largest_change,
		tail_counts_from_the_end,
		replay_makes_the_same,
		damaged_operations,
		damaged_rows,
		overlapping_rows,
	};

	return suite_of("volume/filemap", tests, ARRAY_LEN(tests), 300);
}
