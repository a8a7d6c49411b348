/* SPDX-License-Identifier: MIT */
/*
 * test_ahead.c - frames decoded before they are read.
 */
#include "unit/store/fixture.h"
#include "unit/store/suites.h"

#include "lib/rng.h"
#include "lib/suite.h"
#include "store/ahead.h"
#include "store/chunk.h"
#include "store/state.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum {
	N_FRAMES = 40, /* several runs */
	RAW_LEN = 24 << 10,
};

/* A store with frames of one chunk each, nothing of them in memory. */
struct bed {
	struct fixture f;
	uint8_t raw[N_FRAMES][RAW_LEN];
	uint64_t ids[N_FRAMES];
	struct frame_place places[N_FRAMES];
};

static struct store *store_of_bed(const struct bed *b)
{
	return b->f.toy.store;
}

/* Half of it compresses. */
static void fill(uint8_t *raw, size_t i)
{
	struct rng rng = rng_of(i + 1);

	memset(raw, (int)i, RAW_LEN);
	for (size_t k = 0; k < RAW_LEN; k += 2)
		raw[k] = (uint8_t)rng_below(&rng, 256);
}

static void bed_begin(struct bed *b)
{
	struct toy_row row;

	fixture_begin(&b->f);
	for (size_t i = 0; i < N_FRAMES; i++) {
		fill(b->raw[i], i);
		ck_ok(toy_put(&b->f.toy, i, span_of(b->raw[i], RAW_LEN)));
	}
	fixture_sync(&b->f);
	fixture_reopen(&b->f);
	for (size_t i = 0; i < N_FRAMES; i++) {
		ck_assert_int_eq(toy_get(&b->f.toy, i, &row), 1);
		b->ids[i] = row.chunk;
		ck_ok(chunk_locate(store_of_bed(b), row.chunk, &b->places[i]));
	}
}

/* The system forgets the log's bytes, where it can. */
static void forget_log(const struct bed *b)
{
	char path[600];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", b->f.dir, SEGMENT_1);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	(void)close(fd);
}

static bool is_there(const struct bed *b, size_t i)
{
	return cache_has(store_of_bed(b)->cache, b->places[i].frame);
}

/* Has the chunks [from, to) decoded, and waits. */
static void go_ahead(struct bed *b, size_t from, size_t to, bool long_stream)
{
	struct store *s = store_of_bed(b);
	struct ahead a;
	unsigned turn = store_enter(s);

	ahead_begin(&a, s, long_stream);
	for (size_t i = from; i < to; i++)
		ahead_add(&a, b->ids[i]);
	ahead_end(&a);
	store_leave(s, turn);
	workers_free(s->prefetchers);
	ck_ok(workers_new("readahead", 2, N_FRAMES, &s->prefetchers));
}

static void expect_chunk(const struct bed *b, size_t i)
{
	struct chunk_view v;

	ck_ok(chunk_get(store_of_bed(b), b->ids[i], &v));
	ck_assert_uint_eq(v.bytes.len, RAW_LEN);
	ck_assert_mem_eq(v.bytes.ptr, b->raw[i], RAW_LEN);
	chunk_put(&v);
}

/* None of [from, to) has to be loaded any more. */
static void expect_decoded(const struct bed *b, size_t from, size_t to)
{
	struct cache_stats before;
	struct cache_stats after;

	cache_stat(store_of_bed(b)->cache, &before);
	for (size_t i = from; i < to; i++)
		expect_chunk(b, i);
	cache_stat(store_of_bed(b)->cache, &after);
	ck_assert_uint_eq(after.misses, before.misses);
}

static void check_runs(bool long_stream)
{
	static struct bed b;

	bed_begin(&b);
	forget_log(&b);
	go_ahead(&b, 1, N_FRAMES - 1, long_stream);
	ck_assert(!is_there(&b, 0));
	ck_assert(!is_there(&b, N_FRAMES - 1));
	expect_decoded(&b, 1, N_FRAMES - 1);
	/* What is there is not decoded again. */
	go_ahead(&b, 0, N_FRAMES, long_stream);
	expect_decoded(&b, 0, N_FRAMES);
	fixture_end(&b.f);
}

START_TEST(runs_are_decoded)
{
	check_runs(false);
}
END_TEST

START_TEST(runs_of_a_long_stream_are_decoded)
{
	check_runs(true);
}
END_TEST

START_TEST(backwards)
{
	static struct bed b;
	struct ahead a;

	bed_begin(&b);
	ahead_begin(&a, store_of_bed(&b), false);
	for (size_t i = N_FRAMES; i > 0; i--)
		ahead_add(&a, b.ids[i - 1]);
	ahead_end(&a);
	go_ahead(&b, 0, 0, false);
	expect_decoded(&b, 0, N_FRAMES);
	fixture_end(&b.f);
}
END_TEST

static void damage(const struct bed *b, size_t i)
{
	off_t off = (off_t)b->places[i].off + RAW_LEN / 4;
	char path[600];
	uint8_t byte;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", b->f.dir, SEGMENT_1);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(pread(fd, &byte, 1, off), 1);
	byte ^= 1;
	ck_assert_int_eq(pwrite(fd, &byte, 1, off), 1);
	(void)close(fd);
}

/* The other frames of its run are decoded; who reads it gets the error. */
START_TEST(damaged_frame_is_left_out)
{
	static struct bed b;
	const size_t bad = N_FRAMES / 2;
	struct chunk_view v;

	bed_begin(&b);
	damage(&b, bad);
	go_ahead(&b, 0, N_FRAMES, true);
	expect_decoded(&b, 0, bad);
	expect_decoded(&b, bad + 1, N_FRAMES);
	ck_assert(!is_there(&b, bad));
	ck_rc(chunk_get(store_of_bed(&b), b.ids[bad], &v), -EBADMSG);
	fixture_end(&b.f);
}
END_TEST

START_TEST(nothing_to_decode)
{
	static struct bed b;
	struct ahead a;

	bed_begin(&b);
	ahead_begin(&a, store_of_bed(&b), true);
	ahead_end(&a);
	ahead_begin(&a, store_of_bed(&b), true);
	ahead_add(&a, b.ids[N_FRAMES - 1] + 1000);
	ck_assert_ptr_null(a.run);
	ahead_end(&a);
	fixture_end(&b.f);
}
END_TEST

Suite *suite_ahead(void)
{
	const TTest *const tests[] = {
		runs_are_decoded,  runs_of_a_long_stream_are_decoded,
		backwards,         damaged_frame_is_left_out,
		nothing_to_decode,
	};

	return suite_of("store/ahead", tests, ARRAY_LEN(tests), 60);
}
