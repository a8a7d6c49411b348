/* SPDX-License-Identifier: MIT */
/*
 * test_bank.c - chunks in memory and in the index, their counts, the index
 * file itself and the edge to SQLite.
 */
#include "unit/store/suites.h"

#include "base/report.h"
#include "codec/glyph_format.h"
#include "lib/suite.h"
#include "lib/tmpdir.h"
#include "store/bank.h"
#include "store/index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct bed {
	struct tmpdir tmp;
	struct index index;
	struct bank *bank;
	atomic_int_fast64_t totals[STORE_N_TOTALS];
};

static void bed_begin(struct bed *b)
{
	bool fresh;

	memset(b, 0, sizeof(*b));
	tmpdir_init(&b->tmp);
	ck_ok(index_open(&b->index, b->tmp.path, NULL, &fresh));
	ck_assert(fresh);
	ck_ok(bank_new(NULL, &b->bank));
	ck_ok(bank_attach(b->bank, b->index.db));
	ck_ok(db_begin(b->index.db));
}

static void bed_end(struct bed *b)
{
	bank_free(b->bank);
	index_close(&b->index);
	tmpdir_release(&b->tmp);
}

/* A frame of two chunks: ids 2n and 2n + 1. */
static void add(struct bed *b, uint64_t n)
{
	static const uint8_t glyphs[] = { GLYPH_PAYLOAD_BIT | PRIM_ZSTD, 1, 0 };
	struct frame_chunk chunks[2] = {
		{ .id = 2 * n, .hash = n * 1000 + 1, .len = 10 },
		{ .id = 2 * n + 1, .hash = n * 1000 + 2, .len = 20 },
	};
	struct bank_frame frame = {
		.place = { .frame = n + 500,
			   .segment = 3,
			   .off = n * 128,
			   .payload_len = 25 },
		.raw_len = 30,
		.glyphs = span_of(glyphs, sizeof(glyphs)),
		.chunks = chunks,
		.n_chunks = 2,
	};

	ck_ok(bank_add(b->bank, &frame));
}

static void expect_place(struct bed *b, uint64_t chunk)
{
	struct frame_place place;
	uint64_t n = chunk / 2;

	ck_ok(bank_load(b->bank, chunk, &place));
	ck_assert_uint_eq(place.frame, n + 500);
	ck_assert_uint_eq(place.segment, 3);
	ck_assert_uint_eq(place.off, n * 128);
	ck_assert_uint_eq(place.payload_len, 25);
}

START_TEST(frames_are_found_before_and_after_a_flush)
{
	struct frame_place place;
	struct bed b;
	uint64_t n;

	bed_begin(&b);
	for (n = 1; n <= 300; n++)
		add(&b, n);
	ck_assert_uint_eq(bank_n_pending(b.bank), 600);
	for (n = 2; n < 602; n++)
		expect_place(&b, n);
	/* Frames behind sequence 600 stay in memory. */
	ck_ok(bank_flush(b.bank, 600, b.totals));
	ck_assert_uint_eq(bank_n_pending(b.bank), 400);
	ck_assert_int_eq(b.totals[TOTAL_CHUNKS], 200);
	ck_assert_int_eq(b.totals[TOTAL_FRAMES], 100);
	ck_assert_int_eq(b.totals[TOTAL_CHUNK_LEN], 3000);
	ck_assert_int_eq(b.totals[TOTAL_KIND_FIRST + ENCODE_ZSTD], 100);
	bank_reset(b.bank);
	for (n = 2; n < 202; n++)
		expect_place(&b, n);
	ck_rc(bank_load(b.bank, 202, &place), -ENOENT);
	bed_end(&b);
}
END_TEST

static void expect_candidate(struct bed *b, uint64_t hash, uint64_t want)
{
	uint64_t chunk;

	ck_ok(bank_candidate_load(b->bank, hash, &chunk));
	ck_assert_uint_eq(chunk, want);
}

START_TEST(content_is_found)
{
	struct bed b;

	bed_begin(&b);
	add(&b, 7);
	ck_assert_uint_eq(bank_candidate(b.bank, 7001), 14);
	expect_candidate(&b, 7001, 14);
	ck_ok(bank_flush(b.bank, UINT64_MAX, b.totals));
	ck_assert_uint_eq(bank_candidate(b.bank, 7001), 0);
	expect_candidate(&b, 7001, 14);
	expect_candidate(&b, 7002, 15);
	expect_candidate(&b, 7003, 0);
	bed_end(&b);
}
END_TEST

static void expect_refs(struct bed *b, uint64_t chunk, uint64_t want)
{
	uint64_t refs = 0;

	ck_ok(bank_refs(b->bank, chunk, &refs));
	ck_assert_uint_eq(refs, want);
}

START_TEST(counts_are_kept)
{
	struct bed b;
	unsigned round;

	bed_begin(&b);
	report_silence(true);
	add(&b, 1);
	expect_refs(&b, 2, 0);
	for (round = 0; round < 3; round++) {
		/* Pending, then in the index, then changed there. */
		expect_refs(&b, 2, round);
		ck_rc(bank_ref(b.bank, 2, -1 - (int64_t)round), -EUCLEAN);
		expect_refs(&b, 2, round);
		ck_ok(bank_ref(b.bank, 2, 3));
		ck_ok(bank_ref(b.bank, 2, -2));
		expect_refs(&b, 2, round + 1);
		ck_ok(bank_flush(b.bank, 1000, b.totals));
		ck_assert_uint_eq(bank_n_pending(b.bank), 0);
		bank_reset(b.bank);
	}
	expect_refs(&b, 3, 0);
	report_silence(false);
	bed_end(&b);
}
END_TEST

START_TEST(unknown_chunk_has_no_count)
{
	uint64_t refs;
	struct bed b;

	bed_begin(&b);
	report_silence(true);
	ck_rc(bank_ref(b.bank, 99, 1), -EUCLEAN);
	ck_rc(bank_refs(b.bank, 99, &refs), -ENOENT);
	report_silence(false);
	bed_end(&b);
}
END_TEST

/* A frame of chunk 9 that is a delta of chunk `base`, `n` times over. */
static int add_deltas(struct bed *b, uint64_t seq, uint8_t base, size_t n)
{
	const struct frame_chunk chunk = { .id = seq, .hash = seq, .len = 7 };
	const uint8_t one[] = { GLYPH_DELTA << GLYPH_TYPE_SHIFT |
					GLYPH_PAYLOAD_BIT | PRIM_ZSTD_DELTA,
				2, base, 0 };
	uint8_t glyphs[(GLYPH_DELTAS_MAX + 1) * sizeof(one)];
	struct bank_frame frame = {
		.place = { .frame = seq, .payload_len = 9 },
		.raw_len = 7,
		.glyphs = span_of(glyphs, n * sizeof(one)),
		.chunks = &chunk,
		.n_chunks = 1,
	};
	size_t i;

	for (i = 0; i < n; i++)
		memcpy(glyphs + i * sizeof(one), one, sizeof(one));
	return bank_add(b->bank, &frame);
}

START_TEST(deltas_hold_their_bases)
{
	struct bed b;

	bed_begin(&b);
	report_silence(true);
	add(&b, 1); /* sequence 501 */
	add(&b, 2);
	ck_ok(bank_ref(b.bank, 2, 1));
	ck_ok(add_deltas(&b, 600, 2, 3));
	ck_ok(add_deltas(&b, 700, 2, 1));
	ck_ok(add_deltas(&b, 701, 4, 1));
	expect_refs(&b, 2, 5);
	expect_refs(&b, 4, 1);
	expect_refs(&b, 3, 0);
	/* The first two frames and the first of the deltas; then the rest. */
	ck_ok(bank_flush(b.bank, 650, b.totals));
	expect_refs(&b, 2, 5);
	expect_refs(&b, 4, 1);
	ck_assert_int_eq(b.totals[TOTAL_KIND_FIRST + ENCODE_DELTA], 1);
	ck_ok(bank_flush(b.bank, 1000, b.totals));
	ck_assert_int_eq(b.totals[TOTAL_KIND_FIRST + ENCODE_DELTA], 3);
	bank_reset(b.bank);
	expect_refs(&b, 2, 5);
	expect_refs(&b, 4, 1);
	/* The extent goes, the deltas stay. */
	ck_ok(bank_ref(b.bank, 2, -1));
	ck_ok(bank_flush(b.bank, 1000, b.totals));
	expect_refs(&b, 2, 4);
	report_silence(false);
	bed_end(&b);
}
END_TEST

/* What is not flushed is forgotten, and counted once when it comes again. */
START_TEST(deltas_count_once)
{
	struct bed b;

	bed_begin(&b);
	add(&b, 1);
	ck_ok(bank_flush(b.bank, 510, b.totals));
	ck_ok(add_deltas(&b, 600, 2, 1));
	expect_refs(&b, 2, 1);
	bank_reset(b.bank);
	expect_refs(&b, 2, 0);
	ck_ok(add_deltas(&b, 600, 2, 1));
	ck_ok(bank_flush(b.bank, 600, b.totals));
	expect_refs(&b, 2, 1);
	bed_end(&b);
}
END_TEST

START_TEST(bases_that_make_no_sense)
{
	struct bed b;

	bed_begin(&b);
	report_silence(true);
	add(&b, 1);
	ck_rc(add_deltas(&b, 600, 0, 1), -EUCLEAN);
	ck_rc(add_deltas(&b, 600, 2, GLYPH_DELTAS_MAX + 1), -EUCLEAN);
	ck_ok(add_deltas(&b, 600, 2, GLYPH_DELTAS_MAX));
	expect_refs(&b, 2, GLYPH_DELTAS_MAX);
	/* A base that is nowhere. */
	ck_ok(add_deltas(&b, 601, 99, 1));
	ck_rc(bank_flush(b.bank, 1000, b.totals), -EUCLEAN);
	report_silence(false);
	bed_end(&b);
}
END_TEST

START_TEST(rows_are_walked)
{
	struct frame_place place = { .frame = 0 };
	uint64_t chunk = 0;
	uint64_t n = 0;
	uint64_t refs;
	struct bed b;

	bed_begin(&b);
	for (n = 1; n <= 10; n++)
		add(&b, n);
	ck_ok(bank_flush(b.bank, UINT64_MAX, b.totals));
	for (n = 0; bank_next_frame(b.bank, place.frame, &place) == 1; n++)
		ck_assert_uint_eq(place.frame, n + 501);
	ck_assert_uint_eq(n, 10);
	for (n = 0; bank_next_chunk(b.bank, chunk, &chunk, &refs) == 1; n++)
		ck_assert_uint_eq(chunk, n + 2);
	ck_assert_uint_eq(n, 20);
	bed_end(&b);
}
END_TEST

START_TEST(same_frame_twice_is_refused)
{
	struct bed b;

	bed_begin(&b);
	report_silence(true);
	add(&b, 1);
	ck_ok(bank_flush(b.bank, 1000, b.totals));
	add(&b, 1);
	ck_rc(bank_flush(b.bank, 1000, b.totals), -EUCLEAN);
	report_silence(false);
	bed_end(&b);
}
END_TEST

/* ---- the index file ------------------------------------------------------ */

START_TEST(meta_comes_back)
{
	struct index_meta m = { .applied_seq = UINT64_MAX, .totals = { -5 } };
	struct index_meta got = { .applied_seq = 0 };
	struct index x;
	struct bed b;
	bool fresh;

	bed_begin(&b);
	m.segment = 1;
	m.off = 2;
	m.epoch = 3;
	m.last_seq = 4;
	m.log_len = 5;
	m.n_before = 6;
	m.rounds.earlier = 9;
	m.rebuilding = 1;
	m.next_ids[STORE_N_IDS - 1] = 7;
	m.totals[STORE_N_TOTALS - 1] = 8;
	ck_ok(index_save(&b.index, &m));
	ck_ok(db_commit(b.index.db));
	index_close(&b.index);
	ck_ok(index_open(&x, b.tmp.path, NULL, &fresh));
	ck_assert(!fresh);
	ck_ok(index_load(&x, &got));
	ck_assert_int_eq(memcmp(&got, &m, sizeof(m)), 0);
	index_close(&x);
	bed_end(&b);
}
END_TEST

static void spoil(const char *dir, const char *sql)
{
	char path[600];
	struct db *db;

	(void)snprintf(path, sizeof(path), "%s/index.db", dir);
	ck_ok(db_open(path, &db));
	ck_ok(db_exec(db, sql));
	db_close(db);
}

START_TEST(strange_files_are_put_aside)
{
	static const char *const spoils[] = {
		"PRAGMA user_version = 99",
		"PRAGMA application_id = 7",
		"DROP TABLE meta",
	};
	char path[600];
	struct tmpdir tmp;
	struct index x;
	bool fresh;
	FILE *f;
	size_t i;

	tmpdir_init(&tmp);
	report_silence(true);
	ck_ok(index_open(&x, tmp.path, "CREATE TABLE t(a)", &fresh));
	ck_assert(fresh);
	index_close(&x);
	for (i = 0; i < ARRAY_LEN(spoils); i++) {
		spoil(tmp.path, spoils[i]);
		ck_ok(index_open(&x, tmp.path, "CREATE TABLE t(a)", &fresh));
		ck_assert(fresh);
		index_close(&x);
	}
	(void)snprintf(path, sizeof(path), "%s/index.db", tmp.path);
	f = fopen(path, "wbe");
	ck_assert_ptr_nonnull(f);
	(void)fprintf(f, "this is no database, %4000d", 1);
	(void)fclose(f);
	ck_ok(index_open(&x, tmp.path, NULL, &fresh));
	ck_assert(fresh);
	index_close(&x);
	for (i = 1; i <= 4; i++) {
		(void)snprintf(path, sizeof(path), "%s/index.db.bad-%zu",
			       tmp.path, i);
		f = fopen(path, "rbe");
		ck_assert_ptr_nonnull(f);
		(void)fclose(f);
	}
	report_silence(false);
	tmpdir_release(&tmp);
}
END_TEST

START_TEST(link_is_not_followed)
{
	char target[600];
	char path[600];
	struct tmpdir tmp;
	struct index x;
	bool fresh;

	tmpdir_init(&tmp);
	report_silence(true);
	(void)snprintf(target, sizeof(target), "%s/elsewhere", tmp.path);
	(void)snprintf(path, sizeof(path), "%s/index.db", tmp.path);
	ck_ok(symlink(target, path));
	ck_assert_int_lt(index_open(&x, tmp.path, NULL, &fresh), 0);
	index_close(&x);
	ck_assert_int_ne(access(target, F_OK), 0);
	report_silence(false);
	tmpdir_release(&tmp);
}
END_TEST

/* ---- SQLite -------------------------------------------------------------- */

START_TEST(statements_bind_and_read)
{
	struct db_stmt *put;
	struct db_stmt *get;
	struct span blob;
	struct bed b;

	bed_begin(&b);
	ck_ok(db_exec(b.index.db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b, c "
				  "BLOB NOT NULL)"));
	ck_ok(db_prepare(b.index.db, "INSERT INTO t VALUES(?,?,?)", &put));
	ck_ok(db_prepare(b.index.db, "SELECT b, c FROM t ORDER BY a", &get));
	db_bind_u64(put, 0, 1);
	db_bind_i64(put, 1, -7);
	db_bind_blob(put, 2, span_of("xy\0z", 4));
	ck_ok(db_run(put));
	ck_assert_uint_eq(db_n_changed(b.index.db), 1);
	db_bind_u64(put, 0, 2);
	db_bind_u64(put, 1, UINT64_MAX);
	db_bind_blob(put, 2, span_of(NULL, 0));
	ck_ok(db_run(put));
	report_silence(true);
	ck_rc(db_run(put), -EUCLEAN);
	report_silence(false);
	ck_assert_int_eq(db_step(get), 1);
	ck_assert_int_eq(db_column_i64(get, 0), -7);
	blob = db_column_blob(get, 1);
	ck_assert_uint_eq(blob.len, 4);
	ck_assert_mem_eq(blob.ptr, "xy\0z", 4);
	ck_assert_int_eq(db_step(get), 1);
	ck_assert_uint_eq(db_column_u64(get, 0), UINT64_MAX);
	ck_assert_uint_eq(db_column_blob(get, 1).len, 0);
	ck_ok(db_step(get));
	ck_assert_int_eq(db_step(get), 1);
	db_reset(get);
	ck_assert_int_eq(db_step(get), 1);
	db_stmt_free(get);
	db_stmt_free(NULL);
	bed_end(&b);
}
END_TEST

START_TEST(lost_transaction_kills_the_connection)
{
	struct db_stmt *get;
	struct bed b;

	bed_begin(&b);
	ck_ok(db_exec(b.index.db, "CREATE TABLE t(a INTEGER PRIMARY KEY)"));
	ck_ok(db_prepare(b.index.db, "SELECT count(*) FROM t", &get));
	ck_ok(db_exec(b.index.db, "INSERT INTO t VALUES(1)"));
	report_silence(true);
	ck_assert_int_lt(
		db_exec(b.index.db, "INSERT OR ROLLBACK INTO t VALUES(1)"), 0);
	/* It would read a state that is too old. */
	ck_rc(db_step(get), -EIO);
	ck_rc(db_exec(b.index.db, "SELECT 1"), -EIO);
	report_silence(false);
	bed_end(&b);
}
END_TEST

Suite *suite_bank(void)
{
	const TTest *const tests[] = {
		frames_are_found_before_and_after_a_flush,
		content_is_found,
		counts_are_kept,
		unknown_chunk_has_no_count,
		deltas_hold_their_bases,
		deltas_count_once,
		bases_that_make_no_sense,
		rows_are_walked,
		same_frame_twice_is_refused,
		meta_comes_back,
		strange_files_are_put_aside,
		link_is_not_followed,
		statements_bind_and_read,
		lost_transaction_kills_the_connection,
	};

	return suite_of("store/bank", tests, ARRAY_LEN(tests), 30);
}
