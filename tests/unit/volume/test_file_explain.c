/* SPDX-License-Identifier: MIT */
/* test_file_explain.c - tests of src/volume/file_explain.c. */
#include "unit/volume/fixture.h"
#include "unit/volume/suites.h"

#include "base/cleanup.h"
#include "lib/rng.h"
#include "volume/file.h"
#include "volume/file_explain.h"

#include <fcntl.h>

enum { N = 64, HOLE = 1 << 20, UNWRITTEN = 64 << 10, LEN = 3 << 20 };

/* LEN bytes of noise, a hole, an unwritten range. */
static uint64_t make_pieces(struct fixture *f)
{
	AUTO_FREE uint8_t *bytes = malloc(LEN);
	struct rng rng = rng_of(5);
	uint64_t ino = make_file(f, VOLUME_ROOT, "file");

	ck_assert_ptr_nonnull(bytes);
	rng_fill(&rng, bytes, LEN);
	ck_ok(file_write(f->v, ino, 0, span_of(bytes, LEN), 0));
	ck_ok(file_allocate(f->v, ino, 0, LEN + HOLE, UNWRITTEN));
	return ino;
}

START_TEST(every_byte_is_explained_once)
{
	struct file_piece p[N];
	struct fixture f;
	uint64_t off = 0;
	uint64_t ino;
	int n, i;

	fixture_init(&f);
	ino = make_pieces(&f);
	n = file_explain(f.v, ino, 0, p, N);
	ck_assert_int_gt(n, 3 + LEN / (256 << 10));
	for (i = 0; i < n; i++) {
		ck_assert_uint_eq(p[i].off, off);
		off += p[i].len;
		if (off > LEN)
			break;
		ck_assert_int_eq(p[i].kind, PIECE_CHUNK);
		ck_ok(p[i].rc);
		ck_assert_uint_eq(p[i].how.len, p[i].len);
		ck_assert_str_eq(p[i].how.how.text, "store");
		ck_assert_uint_ge(p[i].how.how.stored_len, p[i].len);
		ck_assert_uint_ge(p[i].how.frame_stored_len,
				  p[i].how.how.stored_len);
		ck_assert_uint_gt(p[i].how.frame, 0);
	}
	ck_assert_int_eq(i, n - 2);
	ck_assert_int_eq(p[i].kind, PIECE_HOLE);
	ck_assert_uint_eq(p[i].len, HOLE);
	ck_assert_int_eq(p[i + 1].kind, PIECE_UNWRITTEN);
	ck_assert_uint_eq(p[i + 1].len, UNWRITTEN);
	fixture_release(&f);
}
END_TEST

START_TEST(goes_on_where_it_ended)
{
	struct file_piece all[N], one;
	struct fixture f;
	uint64_t off = 0;
	uint64_t ino;
	int n, i;

	fixture_init(&f);
	ino = make_pieces(&f);
	n = file_explain(f.v, ino, 0, all, N);
	for (i = 0; i < n; i++) {
		ck_assert_int_eq(file_explain(f.v, ino, off, &one, 1), 1);
		ck_assert_uint_eq(one.off, all[i].off);
		ck_assert_uint_eq(one.len, all[i].len);
		ck_assert_uint_eq(one.chunk, all[i].chunk);
		off += one.len;
	}
	ck_assert_int_eq(file_explain(f.v, ino, off, &one, 1), 0);
	ck_assert_int_eq(file_explain(f.v, ino, UINT64_MAX, &one, 1), 0);
	/* In the middle of a piece: its rest. */
	ck_assert_int_eq(file_explain(f.v, ino, 1000, &one, 1), 1);
	ck_assert_uint_eq(one.off, 1000);
	ck_assert_uint_eq(one.len, all[0].len - 1000);
	ck_assert_uint_eq(one.chunk_off, 1000);
	fixture_release(&f);
}
END_TEST

START_TEST(only_regular_files)
{
	struct file_piece one;
	struct fixture f;
	uint64_t ino;

	fixture_init(&f);
	ck_rc(file_explain(f.v, VOLUME_ROOT, 0, &one, 1), -EISDIR);
	ino = make(&f, VOLUME_ROOT, "fifo", S_IFIFO | 0644);
	ck_rc(file_explain(f.v, ino, 0, &one, 1), -EINVAL);
	ino = make_file(&f, VOLUME_ROOT, "empty");
	ck_assert_int_eq(file_explain(f.v, ino, 0, &one, 1), 0);
	fixture_release(&f);
}
END_TEST

Suite *suite_file_explain(void)
{
	const TTest *const tests[] = {
		every_byte_is_explained_once,
		goes_on_where_it_ended,
		only_regular_files,
	};

	return suite_of("volume/file_explain", tests, ARRAY_LEN(tests), 60);
}
