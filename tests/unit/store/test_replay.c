/* SPDX-License-Identifier: MIT */
/*
 * test_replay.c - torn tails are cut, damage is not, and neither is ever
 * taken for the other.
 */
#include "unit/store/suites.h"

#include "base/report.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "store/checkpoint.h"
#include "store/state.h"
#include "unit/store/fixture.h"

#include <stdio.h>
#include <stdlib.h>

enum { IMAGE_MAX = 1 << 20, PAGE = 4096 };

/* A log of two groups: the first leads to state A, the second to B. */
struct image {
	struct fixture f;
	uint8_t *bytes; /* of the segment */
	size_t len;
	size_t first_end;       /* behind the first group */
	size_t data_len;        /* of each group's chunk */
	uint8_t data[2][30000]; /* the chunks */
};

enum state { STATE_A, STATE_B };

static void change(struct image *m, unsigned group)
{
	struct rng rng = rng_of(group + 1);

	rng_fill(&rng, m->data[group], m->data_len);
	ck_ok(toy_put(&m->f.toy, 10 + group,
		      span_of(m->data[group], m->data_len)));
	ck_ok(toy_set(&m->f.toy, 1, 100 + group));
	fixture_sync(&m->f);
}

static void image_begin(struct image *m, size_t data_len)
{
	fixture_begin(&m->f);
	m->data_len = data_len;
	change(m, 0);
	m->first_end = file_len(m->f.dir, SEGMENT_1);
	change(m, 1);
	copy_tree(m->f.dir, m->f.other);
	ck_ok(toy_close(&m->f.toy));
	file_remove(m->f.other, "index.db");
	file_remove(m->f.other, "index.db-wal");
	m->bytes = malloc(IMAGE_MAX);
	m->len = file_read(m->f.other, SEGMENT_1, m->bytes, IMAGE_MAX);
	ck_assert_uint_gt(m->len, m->first_end);
	report_silence(true);
}

static void image_end(struct image *m)
{
	report_silence(false);
	free(m->bytes);
	fixture_end(&m->f);
}

/* Opens a store whose only segment has these bytes, and no index. */
static const struct store_opened *open_with(struct image *m, struct span bytes)
{
	struct fixture *f = &m->f;
	static const char *const rest[] = { "index.db", "index.db-wal",
					    SEGMENT_2 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(rest); i++) {
		if (file_exists(f->other, rest[i]))
			file_remove(f->other, rest[i]);
	}
	file_write(f->other, SEGMENT_1, bytes);
	ck_ok(toy_open(&f->toy, f->other));
	return store_opened(f->toy.store);
}

static void expect_state(struct image *m, enum state state)
{
	struct toy *t = &m->f.toy;
	struct toy_row row;

	expect_value(t, 1, 100 + (unsigned)state);
	toy_expect(t, 10, span_of(m->data[0], m->data_len));
	if (state == STATE_B)
		toy_expect(t, 11, span_of(m->data[1], m->data_len));
	else
		ck_assert_int_eq(toy_get(t, 11, &row), 0);
	ck_assert_uint_eq(toy_count(t), 2U + (unsigned)state);
	if (!store_opened(t->store)->read_only)
		ck_assert_uint_eq(toy_check(t), 0);
}

/* Group two is not whole: state A, and the tail is gone from the file. */
static void expect_torn(struct image *m, struct span bytes)
{
	const struct store_opened *opened = open_with(m, bytes);

	ck_assert_ptr_null(opened->read_only);
	expect_state(m, STATE_A);
	ck_assert_uint_eq(file_len(m->f.other, SEGMENT_1), m->first_end);
	ck_ok(toy_set(&m->f.toy, 2, 2));
	ck_ok(toy_close(&m->f.toy));
	ck_ok(toy_open(&m->f.toy, m->f.other));
	ck_assert_ptr_null(store_opened(m->f.toy.store)->read_only);
	expect_value(&m->f.toy, 2, 2);
	ck_ok(toy_close(&m->f.toy));
}

/* Read-only, and the file is as it was. */
static void expect_damage(struct image *m, struct span bytes, size_t at)
{
	const struct store_opened *opened = open_with(m, bytes);
	uint8_t *after = malloc(IMAGE_MAX);

	ck_assert_msg(opened->read_only != NULL, "byte %zu", at);
	ck_rc(toy_set(&m->f.toy, 1, 1), -EROFS);
	ck_rc(toy_close(&m->f.toy), 0);
	ck_assert_uint_eq(file_read(m->f.other, SEGMENT_1, after, IMAGE_MAX),
			  bytes.len);
	ck_assert_mem_eq(after, bytes.ptr, bytes.len);
	ck_assert(!file_exists(m->f.other, SEGMENT_2));
	free(after);
}

START_TEST(tail_cut_at_every_byte)
{
	struct image m;
	size_t len;

	image_begin(&m, 50);
	for (len = m.first_end; len < m.len; len++)
		expect_torn(&m, span_of(m.bytes, len));
	ck_assert_ptr_null(open_with(&m, span_of(m.bytes, m.len))->read_only);
	expect_state(&m, STATE_B);
	image_end(&m);
}
END_TEST

/* Padding is not covered by a checksum: there nothing is lost. */
static bool is_padding(const struct image *m, size_t at)
{
	size_t off = 128;

	while (off + 48 <= m->len) {
		size_t used = 48 + get_le32(m->bytes + off + 12);
		size_t all = (used + 7) & ~(size_t)7;

		if (at < off + all)
			return at >= off + used;
		off += all;
	}
	return false;
}

START_TEST(every_byte_of_the_tail_flipped)
{
	struct image m;
	size_t at;

	image_begin(&m, 50);
	for (at = m.first_end; at < m.len; at++) {
		if (is_padding(&m, at))
			continue;
		m.bytes[at] ^= 0x5a;
		expect_torn(&m, span_of(m.bytes, m.len));
		m.bytes[at] ^= 0x5a;
	}
	image_end(&m);
}
END_TEST

START_TEST(every_byte_that_was_durable_flipped)
{
	struct image m;
	size_t at;

	image_begin(&m, 50);
	for (at = 0; at < m.first_end; at++) {
		if (at >= 128 && is_padding(&m, at))
			continue;
		m.bytes[at] ^= 0xa5;
		expect_damage(&m, span_of(m.bytes, m.len), at);
		m.bytes[at] ^= 0xa5;
	}
	image_end(&m);
}
END_TEST

START_TEST(zeroed_pages)
{
	uint8_t page[PAGE];
	struct image m;
	size_t at;

	image_begin(&m, 30000);
	for (at = 0; at < m.len; at += PAGE) {
		size_t n = m.len - at < PAGE ? m.len - at : PAGE;

		memcpy(page, m.bytes + at, n);
		memset(m.bytes + at, 0, n);
		if (at >= m.first_end)
			expect_torn(&m, span_of(m.bytes, m.len));
		else
			expect_damage(&m, span_of(m.bytes, m.len), at);
		memcpy(m.bytes + at, page, n);
	}
	image_end(&m);
}
END_TEST

START_TEST(zeros_behind_the_tail)
{
	uint8_t *longer = calloc(1, IMAGE_MAX);
	struct image m;

	image_begin(&m, 50);
	memcpy(longer, m.bytes, m.len);
	ck_assert_ptr_null(
		open_with(&m, span_of(longer, m.len + 300000))->read_only);
	expect_state(&m, STATE_B);
	ck_assert_uint_eq(file_len(m.f.other, SEGMENT_1), m.len);
	image_end(&m);
	free(longer);
}
END_TEST

/* The second segment has `len` bytes, all zero. */
static void begun_with(struct image *m, size_t len)
{
	static const uint8_t zeros[128];
	struct fixture *f = &m->f;

	ck_assert_ptr_null(open_with(m, span_of(m->bytes, m->len))->read_only);
	ck_ok(toy_close(&f->toy));
	file_write(f->other, SEGMENT_2, span_of(zeros, len));
	ck_ok(toy_open(&f->toy, f->other));
	ck_assert_ptr_null(store_opened(f->toy.store)->read_only);
	expect_state(m, STATE_B);
	ck_assert(!file_exists(f->other, SEGMENT_2));
	ck_ok(toy_set(&f->toy, 5, 5));
	fixture_sync(f);
	ck_assert(file_exists(f->other, SEGMENT_2));
	ck_ok(toy_close(&f->toy));
}

START_TEST(segment_just_begun_is_removed)
{
	static const size_t lens[] = { 0, 1, 64, 127, 128 };
	struct image m;
	size_t i;

	image_begin(&m, 50);
	for (i = 0; i < ARRAY_LEN(lens); i++)
		begun_with(&m, lens[i]);
	image_end(&m);
}
END_TEST

START_TEST(first_segment_just_begun)
{
	static const uint8_t zeros[128];
	struct image m;

	image_begin(&m, 50);
	ck_assert_ptr_null(open_with(&m, span_of(zeros, 100))->read_only);
	ck_assert_uint_eq(toy_count(&m.f.toy), 0);
	ck_ok(toy_set(&m.f.toy, 1, 1));
	ck_ok(toy_close(&m.f.toy));
	ck_ok(toy_open(&m.f.toy, m.f.other));
	expect_value(&m.f.toy, 1, 1);
	image_end(&m);
}
END_TEST

/* ---- several segments ---------------------------------------------------- */

/* Three mounts: keys 1, 2, 3 in segments 1, 2, 3. Closed. */
static void three_mounts(struct fixture *f)
{
	uint64_t key;

	fixture_begin(f);
	for (key = 1; key <= 3; key++) {
		ck_ok(toy_set(&f->toy, key, key));
		fixture_reopen(f);
	}
	ck_ok(toy_close(&f->toy));
	report_silence(true);
}

static void three_end(struct fixture *f)
{
	report_silence(false);
	fixture_end(f);
}

static void expect_read_only(struct fixture *f, uint64_t n_keys)
{
	ck_ok(toy_open(&f->toy, f->dir));
	ck_assert_ptr_nonnull(store_opened(f->toy.store)->read_only);
	ck_assert_uint_eq(toy_count(&f->toy), n_keys);
	ck_rc(toy_set(&f->toy, 1, 1), -EROFS);
}

START_TEST(segments_are_replayed_in_order)
{
	struct fixture f;

	three_mounts(&f);
	file_remove(f.dir, "index.db");
	ck_ok(toy_open(&f.toy, f.dir));
	ck_assert(store_opened(f.toy.store)->rebuilt);
	ck_assert_ptr_null(store_opened(f.toy.store)->read_only);
	ck_assert_uint_eq(toy_count(&f.toy), 3);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	three_end(&f);
}
END_TEST

START_TEST(missing_segment)
{
	static const char *const names[] = { SEGMENT_1, SEGMENT_2 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		struct fixture f;

		three_mounts(&f);
		file_remove(f.dir, "index.db");
		file_remove(f.dir, names[i]);
		expect_read_only(&f, i);
		three_end(&f);
	}
}
END_TEST

START_TEST(index_ahead_of_the_log)
{
	uint8_t bytes[PAGE];
	struct fixture f;
	size_t len;

	three_mounts(&f);
	len = file_read(f.dir, SEGMENT_3, bytes, sizeof(bytes));
	file_remove(f.dir, SEGMENT_3);
	expect_read_only(&f, 3);
	ck_ok(toy_close(&f.toy));
	file_write(f.dir, SEGMENT_3, span_of(bytes, 140));
	expect_read_only(&f, 3);
	ck_ok(toy_close(&f.toy));
	/* All there again: all is well. */
	file_write(f.dir, SEGMENT_3, span_of(bytes, len));
	ck_ok(toy_open(&f.toy, f.dir));
	ck_assert_ptr_null(store_opened(f.toy.store)->read_only);
	three_end(&f);
}
END_TEST

START_TEST(damage_in_an_old_segment)
{
	uint8_t bytes[PAGE];
	struct fixture f;
	size_t len;

	three_mounts(&f);
	len = file_read(f.dir, SEGMENT_2, bytes, sizeof(bytes));
	bytes[150] ^= 1;
	file_write(f.dir, SEGMENT_2, span_of(bytes, len));
	/* Nobody looks: the index has it. But a check does. */
	ck_ok(toy_open(&f.toy, f.dir));
	ck_assert_ptr_null(store_opened(f.toy.store)->read_only);
	ck_assert_uint_gt(toy_check(&f.toy), 0);
	ck_ok(toy_close(&f.toy));
	file_remove(f.dir, "index.db");
	expect_read_only(&f, 1);
	three_end(&f);
}
END_TEST

START_TEST(read_only_leaves_the_log_alone)
{
	struct image m;

	image_begin(&m, 50);
	m.f.toy.options.read_only = true;
	ck_assert_ptr_nonnull(
		open_with(&m, span_of(m.bytes, m.len - 1))->read_only);
	expect_state(&m, STATE_A);
	ck_ok(toy_close(&m.f.toy));
	ck_assert_uint_eq(file_len(m.f.other, SEGMENT_1), m.len - 1);
	image_end(&m);
}
END_TEST

START_TEST(long_replay_is_saved_on_the_way)
{
	struct fixture f;
	uint64_t i;

	fixture_begin(&f);
	for (i = 1; i <= 120000; i++) {
		ck_ok(toy_set(&f.toy, i % 1000 + 1, i));
		if (i % 20000 == 0)
			fixture_sync(&f);
	}
	fixture_sync(&f);
	fixture_crash(&f);
	ck_assert(store_opened(f.toy.store)->replayed);
	expect_value(&f.toy, 1, 120000);
	expect_value(&f.toy, 1000, 119999);
	ck_assert_uint_eq(toy_count(&f.toy), 1000);
	fixture_end(&f);
}
END_TEST

/* All that comes before it is there, and what belongs to it as a whole is not. */
static void before_a_bad_operation(bool checkpoint, bool no_index)
{
	struct fixture f;
	unsigned round;

	fixture_begin(&f);
	ck_ok(toy_set(&f.toy, 1, 11));
	ck_ok(toy_put(&f.toy, 10, span_of("some bytes", 10)));
	ck_ok(index_commit(f.toy.store));
	if (checkpoint)
		ck_ok(checkpoint_write(f.toy.store));
	ck_ok(toy_set(&f.toy, 1, 12));
	ck_ok(toy_del(&f.toy, 10));
	ck_ok(toy_put(&f.toy, 11, span_of("other bytes", 11)));
	fixture_sync(&f);
	ck_ok(toy_set(&f.toy, 99, 1));
	ck_ok(toy_set(&f.toy, 1, 13));
	fixture_sync(&f);
	toy_crash(&f.toy, f.dir, f.other);
	if (no_index) {
		file_remove(f.other, "index.db");
		file_remove(f.other, "index.db-wal");
	}
	f.toy.bad_key = 99;
	report_silence(true);
	for (round = 0; round < 2; round++) {
		ck_ok(toy_open(&f.toy, f.other));
		ck_assert_ptr_nonnull(store_opened(f.toy.store)->read_only);
		expect_value(&f.toy, 1, 12);
		toy_expect(&f.toy, 11, span_of("other bytes", 11));
		ck_assert_uint_eq(toy_count(&f.toy), 2);
		ck_rc(toy_set(&f.toy, 1, 1), -EROFS);
		ck_ok(toy_close(&f.toy));
		f.toy.options.read_only = !f.toy.options.read_only;
	}
	report_silence(false);
	/* A version that knows better finds all of it. */
	f.toy.bad_key = 0;
	f.toy.options.read_only = false;
	ck_ok(toy_open(&f.toy, f.other));
	ck_assert_ptr_null(store_opened(f.toy.store)->read_only);
	expect_value(&f.toy, 1, 13);
	toy_expect(&f.toy, 11, span_of("other bytes", 11));
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}

START_TEST(operation_that_cannot_be_applied)
{
	before_a_bad_operation(false, false);
	before_a_bad_operation(false, true);
	before_a_bad_operation(true, false);
	before_a_bad_operation(true, true);
}
END_TEST

Suite *suite_replay(void)
{
	const TTest *const tests[] = {
		tail_cut_at_every_byte,
		every_byte_of_the_tail_flipped,
		every_byte_that_was_durable_flipped,
		zeroed_pages,
		zeros_behind_the_tail,
		segment_just_begun_is_removed,
		first_segment_just_begun,
		segments_are_replayed_in_order,
		missing_segment,
		index_ahead_of_the_log,
		damage_in_an_old_segment,
		read_only_leaves_the_log_alone,
		long_replay_is_saved_on_the_way,
		operation_that_cannot_be_applied,
	};

	return suite_of("store/replay", tests, ARRAY_LEN(tests), 300);
}
