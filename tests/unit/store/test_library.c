/* SPDX-License-Identifier: MIT */
/*
 * test_library.c - codebooks in a store: learned, used, replayed, rebuilt,
 * damaged, retired. (library.c, codebooks.c, learned.c, lesson.c, trainer.c,
 * bases.c, check.c)
 */
#include "unit/store/suites.h"

#include "base/report.h"
#include "codec/train.h"
#include "lib/records.h"
#include "lib/suite.h"
#include "store/checkpoint.h"
#include "store/chunk.h"
#include "store/library.h"
#include "store/state.h"
#include "store/trainer.h"
#include "unit/store/fixture.h"

#include <stdlib.h>
#include <unistd.h>

enum {
	LEN = 3000, /* of a chunk: too short for a sketch */
	N_LESSON = 200,
	N_USED = 60,
};

static struct fixture f;

static struct span record(unsigned kind, uint64_t key)
{
	static uint8_t bytes[LEN];

	records_fill(kind, key, bytes, LEN);
	return span_of(bytes, LEN);
}

static void put_records(unsigned kind, uint64_t key, unsigned n)
{
	for (; n > 0; n--, key++)
		ck_ok(toy_put(&f.toy, key, record(kind, key)));
}

static void expect_records(unsigned kind, uint64_t key, unsigned n)
{
	for (; n > 0; n--, key++)
		toy_expect(&f.toy, key, record(kind, key));
}

static void begin(void)
{
	fixture_begin(&f);
	f.toy.options.effort = EFFORT_BALANCED;
	fixture_reopen(&f);
}

static struct codebooks *books(void)
{
	return f.toy.store->codebooks;
}

static uint64_t newest(void)
{
	return codebooks_newest(books(), CONTENT_JSON);
}

static uint64_t n_of(enum encode_kind kind)
{
	struct store_stats st;

	ck_ok(store_stat(f.toy.store, &st));
	return st.totals[TOTAL_KIND_FIRST + (int)kind];
}

struct told {
	unsigned n;
	struct trained last;
};

static void take_told(void *ctx, const struct trained *t)
{
	struct told *told = ctx;

	told->n++;
	told->last = *t;
}

/* Learns from what is stored; the codebook's id or 0. */
static uint64_t train(void)
{
	struct told told = { .n = 0 };

	ck_ok(trainer_run(f.toy.store, take_told, &told));
	ck_assert_uint_eq(told.n, 1);
	return told.last.codebook;
}

/* Records 0.. that were learned from, then N_USED that use the codebook. */
static void begin_learned(void)
{
	begin();
	put_records(1, 1, N_LESSON);
	ck_assert_uint_ne(train(), 0);
	put_records(1, 1 + N_LESSON, N_USED);
}

static void expect_learned(void)
{
	expect_records(1, 1, N_LESSON + N_USED);
	ck_assert_uint_eq(n_of(ENCODE_CODEBOOK), N_USED);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
}

static int row_of(uint64_t id, struct codebook_row *row)
{
	int rc = library_next(f.toy.store, id - 1, row);

	return rc == 1 && row->id == id;
}

/* SQL on the index of the closed or open store. */
static void run_sql(const char *sql)
{
	index_lock(f.toy.store);
	ck_ok(db_exec(f.toy.store->index.db, sql));
	index_unlock(f.toy.store);
	codebooks_trim(books());
}

START_TEST(small_records_become_smaller)
{
	struct store_stats before;
	struct store_stats after;

	begin();
	put_records(1, 1, N_LESSON);
	ck_ok(store_stat(f.toy.store, &before));
	ck_assert_uint_ne(train(), 0);
	put_records(1, 1 + N_LESSON, N_LESSON);
	ck_ok(store_stat(f.toy.store, &after));
	ck_assert_uint_lt(after.totals[TOTAL_FRAME_STORED] -
				  before.totals[TOTAL_FRAME_STORED],
			  before.totals[TOTAL_FRAME_STORED] * 7 / 10);
	expect_records(1, 1, 2 * N_LESSON);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

START_TEST(survives_reopening_crash_and_rebuild)
{
	struct codebook_row row;
	uint64_t id;

	begin_learned();
	id = newest();
	expect_learned();
	fixture_reopen(&f);
	ck_assert_uint_eq(newest(), id);
	expect_learned();
	ck_assert(row_of(id, &row));
	ck_assert_uint_eq(row.refs, N_USED);
	ck_assert_uint_eq(row.version, 1);
	ck_assert_str_eq(row.class, "json");
	ck_assert(row.newest);
	/* Rebuilt from the log alone. */
	ck_ok(toy_close(&f.toy));
	file_remove(f.dir, "index.db");
	ck_ok(toy_open(&f.toy, f.dir));
	ck_assert_uint_eq(newest(), id);
	expect_learned();
	ck_assert(row_of(id, &row));
	ck_assert_uint_eq(row.refs, N_USED);
	fixture_end(&f);
}
END_TEST

static uint8_t segment[16 << 20];

/* Where the only CODEBOOK record is in a segment's bytes. */
static size_t find_record(size_t len)
{
	size_t off;

	for (off = 128; off + 48 < len; off += 8)
		if (get_le32(segment + off) == RECORD_MAGIC &&
		    segment[off + REC_TYPE_OFF] == RECORD_CODEBOOK)
			return off;
	ck_abort_msg("no codebook record");
	return 0;
}

static void damage_record(void)
{
	size_t len = file_read(f.dir, SEGMENT_1, segment, sizeof(segment));
	size_t off = find_record(len);

	segment[off + RECORD_HEADER_LEN + 300] ^= 4;
	file_write(f.dir, SEGMENT_1, span_of(segment, len));
}

/* The index is made anew from a checkpoint. */
static void rebuild(bool damaged)
{
	ck_ok(toy_close(&f.toy));
	if (damaged)
		damage_record();
	file_remove(f.dir, "index.db");
	ck_ok(toy_open(&f.toy, f.dir));
	ck_assert_ptr_null(store_opened(f.toy.store)->read_only);
}

/* A checkpoint says where the record is, and nothing else. */
START_TEST(comes_back_from_a_checkpoint)
{
	struct codebook_row row;
	uint64_t id;

	begin_learned();
	id = newest();
	ck_assert(row_of(id, &row));
	ck_ok(checkpoint_write(f.toy.store));
	/* The rows of frames and chunks are as long as its payload. */
	ck_assert_uint_lt(f.toy.store->kept.len, row.payload_len * 3 / 2);
	rebuild(false);
	ck_assert_uint_eq(newest(), id);
	expect_learned();
	ck_assert(row_of(id, &row));
	ck_assert_uint_eq(row.refs, N_USED);
	ck_assert_str_eq(row.class, "json");
	ck_assert_uint_gt(row.payload_len, 1000);
	fixture_end(&f);
}
END_TEST

/* The one that the checkpoint tells of is gone. */
START_TEST(a_newer_record_comes_behind_the_checkpoint)
{
	struct codebook_row old;
	struct codebook_row row;

	begin_learned();
	/* Into a segment of its own. */
	fixture_reopen(&f);
	ck_assert(row_of(newest(), &old));
	ck_ok(checkpoint_write(f.toy.store));
	ck_ok(library_rewrite(f.toy.store, &old));
	fixture_sync(&f);
	rebuild(true);
	ck_assert(row_of(old.id, &row));
	ck_assert_uint_gt(row.place.off + row.place.segment * (1 << 30),
			  old.place.off + old.place.segment * (1 << 30));
	ck_assert_uint_eq(row.payload_len, old.payload_len);
	expect_records(1, 1, N_LESSON + N_USED);
	fixture_end(&f);
}
END_TEST

START_TEST(lost_behind_a_checkpoint_fails_what_uses_it)
{
	struct chunk_view v;
	struct toy_row row;
	int rc;

	begin_learned();
	fixture_reopen(&f);
	ck_ok(checkpoint_write(f.toy.store));
	rebuild(true);
	expect_records(1, 1, N_LESSON);
	ck_assert_int_eq(toy_get(&f.toy, 1 + N_LESSON, &row), 1);
	rc = chunk_get(f.toy.store, row.chunk, &v);
	ck_assert(rc == -EUCLEAN || rc == -EBADMSG);
	ck_assert_uint_gt(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

START_TEST(durable_before_what_uses_it)
{
	uint64_t id;

	begin_learned();
	id = newest();
	fixture_sync(&f);
	fixture_crash(&f);
	ck_assert_uint_eq(newest(), id);
	expect_learned();
	/* Ids go on, though the index had not seen this one. */
	ck_assert_uint_gt(store_next_id(f.toy.store, STORE_ID_CODEBOOK), id);
	fixture_end(&f);
}
END_TEST

/* One that was not committed is gone, and nothing refers to it. */
START_TEST(torn_tail_takes_it_along)
{
	uint64_t id = 0;

	begin();
	put_records(1, 1, N_LESSON);
	fixture_sync(&f);
	id = train();
	ck_assert_uint_ne(id, 0);
	fixture_crash(&f);
	ck_assert_uint_eq(newest(), 0);
	expect_records(1, 1, N_LESSON);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

/* Frames that gain nothing are not encoded with it, and few of them twice. */
START_TEST(other_text_is_left_alone)
{
	unsigned n;

	begin_learned();
	put_records(2, 300, 300);
	expect_records(2, 300, 300);
	n = (unsigned)(n_of(ENCODE_CODEBOOK) - N_USED);
	ck_assert_uint_lt(n, 30);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

START_TEST(unused_and_superseded_is_retired)
{
	struct codebook_row row;
	struct codebook *b = NULL;
	uint64_t ids[3];

	begin_learned();
	ids[0] = newest();
	ck_ok(library_get(f.toy.store, ids[0], &b));
	ck_ok(library_publish(f.toy.store, CONTENT_JSON, codebook_bytes(b),
			      &ids[1]));
	ck_ok(library_publish(f.toy.store, CONTENT_JSON, codebook_bytes(b),
			      &ids[2]));
	codebook_put(b);
	ck_assert_uint_gt(ids[1], ids[0]);
	ck_assert_uint_gt(ids[2], ids[1]);
	ck_assert(row_of(ids[1], &row));
	ck_assert_uint_eq(row.version, 2);
	ck_assert(!row.newest);
	fixture_reopen(&f);
	/* The first is used, the last is the newest. */
	ck_assert(row_of(ids[0], &row));
	ck_assert(!row_of(ids[1], &row));
	ck_assert(row_of(ids[2], &row));
	ck_assert_uint_eq(newest(), ids[2]);
	ck_rc(library_get(f.toy.store, ids[1], &b), -ENOENT);
	expect_learned();
	/* So a rebuild says, too. */
	ck_ok(toy_close(&f.toy));
	file_remove(f.dir, "index.db");
	ck_ok(toy_open(&f.toy, f.dir));
	ck_assert(!row_of(ids[1], &row));
	expect_learned();
	fixture_end(&f);
}
END_TEST

static const char cut_payload[] = "UPDATE codebook SET payload = "
				  "substr(payload, 1, length(payload) - 1)";

/* The log has it, too. */
START_TEST(damaged_row_is_made_good_by_the_log)
{
	struct codebook *b = NULL;

	begin_learned();
	fixture_reopen(&f);
	run_sql(cut_payload);
	ck_ok(library_get(f.toy.store, newest(), &b));
	codebook_put(b);
	expect_records(1, 1, N_LESSON + N_USED);
	ck_assert_uint_eq(toy_check(&f.toy), 1);
	fixture_end(&f);
}
END_TEST

/* Reads of what uses it fail; everything else is there. */
START_TEST(lost_codebook_fails_what_uses_it)
{
	struct codebook *b = NULL;
	struct chunk_view v;
	struct toy_row row;
	int rc;

	begin_learned();
	fixture_reopen(&f);
	run_sql(cut_payload);
	damage_record();
	rc = library_get(f.toy.store, newest(), &b);
	ck_assert(rc == -EUCLEAN || rc == -EBADMSG);
	ck_assert_int_eq(toy_get(&f.toy, 1 + N_LESSON, &row), 1);
	rc = chunk_get(f.toy.store, row.chunk, &v);
	ck_assert(rc == -EUCLEAN || rc == -EBADMSG);
	expect_records(1, 1, N_LESSON);
	ck_assert_uint_gt(toy_check(&f.toy), 0);
	/* New data does without. */
	put_records(1, 900, 10);
	expect_records(1, 900, 10);
	run_sql("DELETE FROM codebook");
	ck_rc(library_get(f.toy.store, newest(), &b), -ENOENT);
	ck_rc(chunk_get(f.toy.store, row.chunk, &v), -EUCLEAN);
	ck_assert_uint_gt(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

START_TEST(damaged_record_is_found)
{
	struct chunk_view v;
	struct toy_row row;

	begin_learned();
	/* A commit that proves that the record was on disk. */
	fixture_sync(&f);
	put_records(1, 900, 1);
	fixture_sync(&f);
	ck_ok(toy_close(&f.toy));
	damage_record();
	/* The index has it, too. */
	ck_ok(toy_open(&f.toy, f.dir));
	expect_records(1, 1, N_LESSON + N_USED);
	ck_assert_uint_gt(toy_check(&f.toy), 0);
	/* Without the index there is what was before it. */
	ck_ok(toy_close(&f.toy));
	file_remove(f.dir, "index.db");
	ck_ok(toy_open(&f.toy, f.dir));
	ck_assert_ptr_nonnull(store_opened(f.toy.store)->read_only);
	ck_assert_int_eq(toy_get(&f.toy, 1, &row), 1);
	ck_ok(chunk_get(f.toy.store, row.chunk, &v));
	chunk_put(&v);
	ck_rc(library_publish(f.toy.store, CONTENT_JSON, span_of(segment, 1000),
			      &row.value),
	      -EROFS);
	fixture_end(&f);
}
END_TEST

START_TEST(wrong_counts_are_found)
{
	begin_learned();
	fixture_reopen(&f);
	run_sql("UPDATE codebook SET refs = refs + 1");
	ck_assert_uint_eq(toy_check(&f.toy), 1);
	run_sql("UPDATE codebook SET refs = refs - 1, off8 = off8 + 1");
	ck_assert_uint_eq(toy_check(&f.toy), 1);
	run_sql("UPDATE codebook SET off8 = off8 - 1");
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	run_sql("INSERT INTO codebook SELECT 77, class, 9, 0, segment, off8, "
		"payload FROM codebook");
	ck_assert_uint_eq(toy_check(&f.toy), 1);
	fixture_end(&f);
}
END_TEST

START_TEST(what_is_no_dictionary_is_not_published)
{
	struct codebook *b = NULL;
	uint64_t id = 5;

	begin_learned();
	ck_ok(library_get(f.toy.store, newest(), &b));
	ck_rc(library_publish(f.toy.store, CONTENT_JSON, record(1, 1), &id),
	      -EUCLEAN);
	ck_rc(library_publish(f.toy.store, CONTENT_BINARY, codebook_bytes(b),
			      &id),
	      -EINVAL);
	ck_assert_uint_eq(id, 5);
	codebook_put(b);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

/* While data comes, a codebook is made of it, and memory is given back. */
START_TEST(learns_by_itself)
{
	unsigned i;

	begin();
	f.toy.options.train_after = 300000;
	fixture_reopen(&f);
	put_records(1, 1, 50);
	trainer_tick(f.toy.store->trainer);
	(void)usleep(20000);
	ck_assert_uint_eq(newest(), 0);
	put_records(1, 51, N_LESSON - 50);
	for (i = 0; i < 3000 && newest() == 0; i++) {
		trainer_tick(f.toy.store->trainer);
		(void)usleep(20000);
	}
	ck_assert_uint_ne(newest(), 0);
	put_records(1, N_LESSON + 1, 10);
	ck_assert_uint_gt(n_of(ENCODE_CODEBOOK), 0);
	ck_assert_uint_gt(codebooks_memory(books()), 100 << 10);
	/* The trainer may be at it again for a while. */
	for (i = 0; i < 3000 && codebooks_memory(books()) > 0; i++) {
		(void)usleep(20000);
		codebooks_trim(books());
	}
	ck_assert_uint_eq(codebooks_memory(books()), 0);
	f.toy.options.train_after = 0;
	fixture_reopen(&f);
	expect_records(1, 1, N_LESSON + 10);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

/* Closed while it learns: no thread stays, and nothing is half there. */
START_TEST(ends_while_it_learns)
{
	unsigned i;

	begin();
	f.toy.options.train_after = 200000;
	for (i = 0; i < 10; i++) {
		fixture_reopen(&f);
		put_records(1, 1 + 100 * i, 100);
		trainer_tick(f.toy.store->trainer);
		(void)usleep(3000 * i);
	}
	fixture_reopen(&f);
	expect_records(1, 1, 1000);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

/* What is as good as the one there is not published again. */
START_TEST(only_what_is_better_is_published)
{
	struct told told = { .n = 0 };

	begin_learned();
	ck_ok(trainer_run(f.toy.store, take_told, &told));
	ck_assert_uint_eq(told.n, 1);
	ck_assert_uint_eq(told.last.codebook, 0);
	ck_assert_uint_gt(told.last.n_frames, 100);
	ck_assert_uint_gt(told.last.raw, told.last.before);
	fixture_end(&f);
}
END_TEST

START_TEST(few_frames_are_compared)
{
	unsigned n_compared = 0;
	unsigned n_used = 0;
	unsigned i;

	begin_learned();
	for (i = 0; i < 1000; i++) {
		enum codebook_advice a =
			codebooks_advise(books(), CONTENT_JSON, 70000);

		n_compared += a == CODEBOOK_COMPARE;
		n_used += a == CODEBOOK_USE;
		if (a == CODEBOOK_COMPARE)
			codebooks_tell(books(), CONTENT_JSON, 70000, false);
	}
	ck_assert_uint_lt(n_compared, 20);
	ck_assert_uint_eq(n_used, 0);
	/* It changes its mind. */
	for (i = 0; i < 1000; i++) {
		enum codebook_advice a =
			codebooks_advise(books(), CONTENT_JSON, 70000);

		n_used += a == CODEBOOK_USE;
		if (a == CODEBOOK_COMPARE)
			codebooks_tell(books(), CONTENT_JSON, 70000, true);
	}
	ck_assert_uint_gt(n_used, 800);
	ck_assert_int_eq(codebooks_advise(books(), CONTENT_BINARY, 70000),
			 CODEBOOK_SKIP);
	fixture_end(&f);
}
END_TEST

Suite *suite_library(void)
{
	const TTest *const tests[] = {
		small_records_become_smaller,
		survives_reopening_crash_and_rebuild,
		comes_back_from_a_checkpoint,
		a_newer_record_comes_behind_the_checkpoint,
		lost_behind_a_checkpoint_fails_what_uses_it,
		durable_before_what_uses_it,
		torn_tail_takes_it_along,
		other_text_is_left_alone,
		unused_and_superseded_is_retired,
		damaged_row_is_made_good_by_the_log,
		lost_codebook_fails_what_uses_it,
		damaged_record_is_found,
		wrong_counts_are_found,
		what_is_no_dictionary_is_not_published,
		learns_by_itself,
		ends_while_it_learns,
		only_what_is_better_is_published,
		few_frames_are_compared,
	};

	return suite_of("store/library", tests, ARRAY_LEN(tests), 120);
}
