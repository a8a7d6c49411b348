/* SPDX-License-Identifier: MIT */
/* test_file_stored.c - tests of src/volume/file_stored.c. */
#include "unit/volume/fixture.h"
#include "unit/volume/suites.h"

#include "base/cleanup.h"
#include "lib/rng.h"
#include "volume/file.h"
#include "volume/file_stored.h"

#include <stdio.h>

#define ROOT VOLUME_ROOT

enum { LEN = 3 << 20 };

static uint64_t stored(struct fixture *f, uint64_t ino)
{
	struct file_stored s = { .off = 0 };
	int rc;

	do
		rc = file_stored(f->v, ino, &s);
	while (rc == 1);
	ck_ok(rc);
	return file_stored_bytes(&s);
}

/* Payloads of all frames. */
static uint64_t all_frames(struct fixture *f)
{
	struct store_stats stats;

	ck_ok(store_stat(volume_store(f->v), &stats));
	return stats.totals[TOTAL_FRAME_STORED];
}

/* A file of noise, which takes what it has and what its frames' heads take. */
static uint64_t make_noise(struct fixture *f, const char *name, uint64_t seed)
{
	AUTO_FREE uint8_t *bytes = malloc(LEN);
	struct rng rng = rng_of(seed);
	uint64_t ino = make_file(f, ROOT, name);

	ck_assert_ptr_nonnull(bytes);
	rng_fill(&rng, bytes, LEN);
	ck_ok(file_write(f->v, ino, 0, span_of(bytes, LEN), 0));
	return ino;
}

static void assert_near(uint64_t got, uint64_t wanted)
{
	ck_assert_msg(got + 8 >= wanted && got <= wanted + 8,
		      "%llu instead of %llu", (unsigned long long)got,
		      (unsigned long long)wanted);
}

/* In memory, in the index, and from the log. */
START_TEST(all_files_are_all_frames)
{
	struct fixture f;
	char name[16];
	uint64_t inos[40];
	uint64_t sum = 0;

	fixture_init(&f);
	inos[0] = make_noise(&f, "noise", 1);
	for (unsigned i = 1; i < ARRAY_LEN(inos); i++) {
		(void)snprintf(name, sizeof(name), "text %u", i);
		inos[i] = make_file(&f, ROOT, name);
		ck_ok(file_write(f.v, inos[i], 0, name_of(name), 0));
	}
	/* What is not encoded yet is, when it is asked for. */
	ck_assert_uint_ge(stored(&f, inos[0]), LEN);
	ck_assert_uint_le(stored(&f, inos[0]), LEN + LEN / 100);
	ck_ok(volume_sync(f.v));
	for (unsigned i = 0; i < ARRAY_LEN(inos); i++) {
		ck_assert_uint_gt(stored(&f, inos[i]), 0);
		sum += stored(&f, inos[i]);
	}
	ck_assert_msg(sum + ARRAY_LEN(inos) >= all_frames(&f) &&
			      sum <= all_frames(&f) + ARRAY_LEN(inos),
		      "%llu of %llu", (unsigned long long)sum,
		      (unsigned long long)all_frames(&f));
	fixture_reopen(&f);
	for (unsigned i = 0; i < ARRAY_LEN(inos); i++)
		sum -= stored(&f, inos[i]);
	ck_assert_uint_eq(sum, 0);
	fixture_release(&f);
}
END_TEST

START_TEST(who_shares_has_a_part)
{
	struct fixture f;
	struct file_range from = { 0 };
	struct file_range to = { 0 };
	uint64_t whole;

	fixture_init(&f);
	from.ino = make_noise(&f, "one", 1);
	to.ino = make_file(&f, ROOT, "two");
	whole = stored(&f, from.ino);
	ck_assert_int_eq(file_copy(f.v, &from, &to, LEN), LEN);
	assert_near(stored(&f, from.ino), whole / 2);
	assert_near(stored(&f, to.ino), whole / 2);
	fixture_reopen(&f);
	assert_near(stored(&f, from.ino), whole / 2);
	ck_ok(try_unlink(&f, ROOT, "two"));
	assert_near(stored(&f, from.ino), whole);
	/* The same bytes, found to be there, are shared as well. */
	assert_near(stored(&f, make_noise(&f, "again", 1)), whole / 2);
	fixture_release(&f);
}
END_TEST

START_TEST(holes_take_nothing)
{
	struct fixture f;
	uint64_t ino;

	fixture_init(&f);
	ino = make_file(&f, ROOT, "file");
	ck_assert_uint_eq(stored(&f, ino), 0);
	ck_ok(file_allocate(f.v, ino, 0, 0, LEN));
	ck_assert_uint_eq(stored(&f, ino), 0);
	ck_ok(file_write(f.v, ino, UINT64_C(1) << 50, name_of("end"), 0));
	ck_assert_uint_gt(stored(&f, ino), 3);
	ck_assert_uint_lt(stored(&f, ino), 100);
	fixture_release(&f);
}
END_TEST

START_TEST(only_regular_files)
{
	struct file_stored s = { .off = 0 };
	struct fixture f;
	uint64_t ino;

	fixture_init(&f);
	ck_rc(file_stored(f.v, ROOT, &s), -EISDIR);
	ino = make(&f, ROOT, "fifo", S_IFIFO | 0644);
	ck_rc(file_stored(f.v, ino, &s), -EINVAL);
	ck_rc(file_stored(f.v, 999, &s), -ENOENT);
	fixture_release(&f);
}
END_TEST

START_TEST(nobody_sets_it)
{
	const struct span name = name_of(STORED_XATTR);
	struct fixture f;
	uint64_t ino;

	fixture_init(&f);
	ino = make_file(&f, ROOT, "file");
	ck_rc(volume_setxattr(f.v, ino, name, name_of("1"), 0), -EPERM);
	ck_rc(volume_removexattr(f.v, ino, name), -EPERM);
	ck_rc(volume_listxattr(f.v, ino, NULL, 0), 0);
	/* Its neighbours are anybody's. */
	ck_ok(volume_setxattr(f.v, ino, name_of(STORED_XATTR "x"), name_of("1"),
			      0));
	fixture_release(&f);
}
END_TEST

Suite *suite_file_stored(void)
{
	const TTest *const tests[] = {
		all_files_are_all_frames, who_shares_has_a_part,
		holes_take_nothing,       only_regular_files,
		nobody_sets_it,
	};

	return suite_of("volume/file_stored", tests, ARRAY_LEN(tests), 60);
}
