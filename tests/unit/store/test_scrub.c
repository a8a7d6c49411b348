/* SPDX-License-Identifier: MIT */
/*
 * test_scrub.c - a pass over all frames: each once, whatever stops it, and what
 * is damaged is told. (scrub.c, verify.c)
 */
#include "unit/store/suites.h"

#include "lib/rng.h"
#include "lib/suite.h"
#include "store/scrub.h"
#include "store/state.h"
#include "unit/store/fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { N_KEYS = 10, LEN = 20000 };

static struct fixture f;

/* What a watch has seen. */
struct seen {
	unsigned n_steps;
	unsigned stop_after; /* 0: never */
	unsigned n_found;
	uint64_t last_frame;
	struct scrub_damage damage;
};

static int step(void *ctx, const struct scrub_pass *pass)
{
	struct seen *seen = ctx;

	ck_assert_uint_gt(pass->after, seen->last_frame);
	seen->last_frame = pass->after;
	seen->n_steps++;
	return seen->n_steps == seen->stop_after ? -ECANCELED : 0;
}

static void found(void *ctx, const struct scrub_damage *damage)
{
	struct seen *seen = ctx;

	seen->n_found++;
	seen->damage = *damage;
}

static int scrub(struct scrub_pass *pass, struct seen *seen)
{
	const struct scrub_watch watch = { seen, step, found };

	return scrub_run(f.toy.store, pass, &watch);
}

static void begin(void)
{
	uint8_t bytes[LEN];
	uint64_t key;

	fixture_begin(&f);
	for (key = 0; key < N_KEYS; key++) {
		struct rng rng = rng_of(key + 1);

		rng_fill(&rng, bytes, LEN);
		ck_ok(toy_put(&f.toy, key, span_of(bytes, LEN)));
	}
	fixture_sync(&f);
}

/* The frame of the key's chunk. */
static struct frame_place place_of(uint64_t key)
{
	struct frame_place place;
	struct toy_row row;

	ck_assert_int_eq(toy_get(&f.toy, key, &row), 1);
	index_lock(f.toy.store);
	ck_ok(bank_load(f.toy.store->bank, row.chunk, &place));
	index_unlock(f.toy.store);
	return place;
}

/* Changes a byte in the middle of a frame's payload, on the disk. */
static void damage(const struct frame_place *place)
{
	char path[600];
	const off_t at = (off_t)(place->off + place->payload_len / 2);
	uint8_t byte;
	int fd;

	ck_assert_uint_eq(place->segment, 1);
	(void)snprintf(path, sizeof(path), "%s/" SEGMENT_1, f.dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
	byte ^= 0x10;
	ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
	ck_assert_int_eq(close(fd), 0);
}

START_TEST(looks_at_each_frame_once)
{
	struct scrub_pass pass = { .after = 0 };
	struct seen seen = { .n_steps = 0 };

	begin();
	ck_ok(scrub(&pass, &seen));
	ck_assert_uint_eq(seen.n_steps, N_KEYS);
	ck_assert_uint_eq(seen.n_found, 0);
	ck_assert_uint_eq(pass.n_frames, N_KEYS);
	ck_assert_uint_eq(pass.n_bytes, pass.total_len);
	/* What comes later is for the next pass. */
	ck_ok(toy_put(&f.toy, N_KEYS, span_of("later", 5)));
	fixture_sync(&f);
	ck_ok(scrub(&pass, &seen));
	ck_assert_uint_eq(seen.n_steps, N_KEYS);
	fixture_end(&f);
}
END_TEST

START_TEST(goes_on_where_it_stopped)
{
	struct scrub_pass pass = { .after = 0 };
	struct seen seen = { .stop_after = 3 };

	begin();
	ck_rc(scrub(&pass, &seen), -ECANCELED);
	ck_assert_uint_eq(pass.n_frames, 3);
	fixture_reopen(&f);
	ck_ok(scrub(&pass, &seen));
	ck_assert_uint_eq(seen.n_steps, N_KEYS);
	ck_assert_uint_eq(pass.n_bytes, pass.total_len);
	fixture_end(&f);
}
END_TEST

START_TEST(tells_damage_once)
{
	struct frame_place place;
	int i;

	begin();
	place = place_of(4);
	damage(&place);
	/* Also when it has been decoded before, and when it has not. */
	for (i = 0; i < 2; i++) {
		struct scrub_pass pass = { .after = 0 };
		struct seen seen = { .n_steps = 0 };

		ck_ok(scrub(&pass, &seen));
		ck_assert_uint_eq(pass.n_frames, N_KEYS);
		ck_assert_uint_eq(pass.n_damaged, 1);
		ck_assert_uint_eq(seen.n_found, 1);
		ck_assert_uint_eq(seen.damage.frame, place.frame);
		ck_assert_uint_eq(seen.damage.segment, place.segment);
		ck_assert_uint_eq(seen.damage.off, place.off);
		ck_rc(seen.damage.rc, -EBADMSG);
		fixture_reopen(&f);
	}
	fixture_end(&f);
}
END_TEST

START_TEST(passes_over_what_nobody_needs)
{
	struct scrub_pass pass = { .after = 0 };
	struct seen seen = { .n_steps = 0 };
	struct frame_place place;

	begin();
	place = place_of(N_KEYS - 1);
	damage(&place);
	ck_ok(toy_del(&f.toy, N_KEYS - 1));
	fixture_sync(&f);
	ck_ok(scrub(&pass, &seen));
	ck_assert_uint_eq(seen.n_steps, N_KEYS - 1);
	ck_assert_uint_eq(pass.n_damaged, 0);
	fixture_end(&f);
}
END_TEST

START_TEST(an_empty_store_is_done_at_once)
{
	struct scrub_pass pass = { .after = 0 };
	struct seen seen = { .n_steps = 0 };

	fixture_begin(&f);
	ck_ok(scrub(&pass, &seen));
	ck_assert_uint_eq(seen.n_steps, 0);
	fixture_end(&f);
}
END_TEST

Suite *suite_scrub(void)
{
	const TTest *const tests[] = {
		looks_at_each_frame_once,
		goes_on_where_it_stopped,
		tells_damage_once,
		passes_over_what_nobody_needs,
		an_empty_store_is_done_at_once,
	};

	return suite_of("store/scrub", tests, ARRAY_LEN(tests), 60);
}
