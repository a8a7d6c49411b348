/* SPDX-License-Identifier: MIT */
/* test_flush.c - where dirty bytes are cut, however they came. */
#include "unit/volume/fixture.h"
#include "unit/volume/suites.h"

#include "lib/rng.h"
#include "store/state.h"
#include "stream/chunker.h"
#include "volume/file.h"
#include "volume/filemap.h"
#include "volume/volume_impl.h"

#include <stdlib.h>

enum { LEN = 3 << 20, STREAM = 1 << 20 /* what file_write() flushes */ };

static uint8_t *random_bytes(void)
{
	uint8_t *bytes = malloc(LEN);
	struct rng rng = rng_of(21);

	ck_assert(bytes != NULL);
	rng_fill(&rng, bytes, LEN);
	return bytes;
}

static void write_at(struct fixture *f, uint64_t ino, uint64_t off,
		     struct span bytes)
{
	ck_ok(file_write(f->v, ino, off, bytes, 0));
}

static void write_all(struct fixture *f, uint64_t ino, uint64_t from,
		      const uint8_t *bytes, size_t piece)
{
	while (from < LEN) {
		size_t len = (size_t)min_u64(piece, LEN - from);

		write_at(f, ino, from, span_of(bytes + from, len));
		from += len;
	}
	ck_ok(file_fsync(f->v, ino));
}

/* One leaf has them all. */
static void expect_cuts(struct fixture *f, uint64_t ino, const uint8_t *bytes)
{
	struct store *s = volume_store(f->v);
	struct leaf *leaf = NULL;
	uint64_t off = 0;

	index_lock(s);
	ck_ok(filemap_leaf(f->v, ino, 0, &leaf));
	index_unlock(s);
	for (size_t i = 0; i < leaf->n; i++) {
		size_t len = chunker_cut(span_of(bytes + off, LEN - off), true);

		ck_assert_uint_eq(leaf->extents[i].off, off);
		ck_assert_uint_eq(leaf->extents[i].len, len);
		off += len;
	}
	ck_assert_uint_eq(off, LEN);
	leaf_put(leaf);
}

/* Also where a chunk did not fit the parcel that it was cut for. */
START_TEST(cut_alike_in_pieces_of_any_size)
{
	static const size_t pieces[] = { LEN, STREAM, 300000, 4096, 777 };
	uint8_t *bytes = random_bytes();
	struct fixture f;

	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		char name[2] = { (char)('a' + i) };
		uint64_t ino = make_file(&f, VOLUME_ROOT, name);

		write_all(&f, ino, 0, bytes, pieces[i]);
		expect_cuts(&f, ino, bytes);
	}
	fixture_release(&f);
	free(bytes);
}
END_TEST

/* What was looked at, and not taken, changes: a cut comes to be there. */
START_TEST(cut_where_the_newest_bytes_say)
{
	uint8_t *bytes = random_bytes();
	uint8_t *old = random_bytes();
	struct fixture f;
	size_t cut = 0;
	uint64_t ino;

	while (cut < STREAM)
		cut += chunker_cut(span_of(bytes + cut, LEN - cut), true);
	fixture_init(&f);
	ino = make_file(&f, VOLUME_ROOT, "f");
	memset(old + cut - 200, 0, 300);
	write_at(&f, ino, 0, span_of(old, cut + 100));
	write_at(&f, ino, cut - 200, span_of(bytes + cut - 200, 300));
	write_all(&f, ino, cut + 100, bytes, 4096);
	expect_cuts(&f, ino, bytes);
	fixture_release(&f);
	free(old);
	free(bytes);
}
END_TEST

Suite *suite_flush(void)
{
	const TTest *const tests[] = {
		cut_alike_in_pieces_of_any_size,
		cut_where_the_newest_bytes_say,
	};

	return suite_of("volume/flush", tests, ARRAY_LEN(tests), 60);
}
