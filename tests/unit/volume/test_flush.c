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

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
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

/* Nothing ages: on a busy machine it takes longer than a second to write a file, and
 * what is handed to ingest because of that is cut at its end. */
static void init_ageless(struct fixture *f)
{
	fixture_init(f);
	housekeeping_end(volume_store(f->v));
}

/* Also where a chunk did not fit the parcel that it was cut for. */
START_TEST(cut_alike_in_pieces_of_any_size)
{
	static const size_t pieces[] = { LEN, STREAM, 300000, 4096, 777 };
	uint8_t *bytes = random_bytes();
	struct fixture f;

	init_ageless(&f);
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
	init_ageless(&f);
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

/* ---- beside a writer who never stops ---------------------------------------- */

enum {
	PIECE = 64 << 10,
	N_BEFORE = 400,   /* pieces, before the sync */
	N_AREA = 500,     /* where they are, when written over and over */
	N_ENDLESS = 8000, /* so many that no sync should see them */
};

struct writer {
	struct fixture *f;
	uint64_t ino;
	size_t area; /* piece i lies at place i % area */
	atomic_size_t n;
	atomic_bool enough; /* atomic: the sync has returned */
	atomic_int rc;
};

/* Every other byte tells how often the place was written before, the rest where it
 * is: after a crash a piece may be of two writes, cut anywhere. */
static void fill_piece(uint8_t *piece, size_t at, size_t round)
{
	struct rng rng = rng_of(at);

	rng_fill(&rng, piece, PIECE);
	for (size_t k = 0; k < PIECE; k += 2)
		piece[k] = (uint8_t)round;
}

static void *write_pieces(void *arg)
{
	struct writer *w = arg;
	uint8_t piece[PIECE];
	int rc = 0;

	for (size_t i = 0; !rc && i < N_ENDLESS && !atomic_load(&w->enough);
	     i++) {
		fill_piece(piece, i % w->area, i / w->area);
		rc = file_write(w->f->v, w->ino, i % w->area * PIECE,
				span_of(piece, PIECE), 0);
		atomic_store(&w->n, i + 1);
	}
	atomic_store(&w->rc, rc);
	return NULL;
}

/* The name of a second file tells what had been written before the sync. */
static void sync_beside_writer(struct fixture *f, size_t area)
{
	struct writer w = { .f = f, .area = area };
	pthread_t thread;
	char name[24];
	size_t n;

	w.ino = make_file(f, VOLUME_ROOT, "f");
	ck_assert_int_eq(pthread_create(&thread, NULL, write_pieces, &w), 0);
	do
		n = atomic_load(&w.n);
	while (n < N_BEFORE);
	(void)snprintf(name, sizeof(name), "%zu", n);
	(void)make_file(f, VOLUME_ROOT, name);
	ck_ok(volume_sync(f->v));
	atomic_store(&w.enough, true);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_ok(atomic_load(&w.rc));
	ck_assert_uint_lt(atomic_load(&w.n), N_ENDLESS);
}

static void sync_beside_appender(struct fixture *f)
{
	sync_beside_writer(f, SIZE_MAX);
}

static void sync_beside_overwriter(struct fixture *f)
{
	sync_beside_writer(f, N_AREA);
}

static size_t n_before(struct fixture *f)
{
	char name[24];

	for (size_t n = N_BEFORE; n < N_ENDLESS; n++) {
		(void)snprintf(name, sizeof(name), "%zu", n);
		if (ino_of(f, VOLUME_ROOT, name))
			return n;
	}
	return 0;
}

/* The oldest round of which something is at the place. */
static size_t oldest_at(struct fixture *f, size_t at)
{
	uint8_t got[PIECE] = { 0 };
	uint8_t piece[PIECE];
	size_t oldest = UINT8_MAX;
	struct file_read r;
	size_t done = 0;

	ck_ok(file_read(f->v, ino_of(f, VOLUME_ROOT, "f"), at * PIECE, PIECE,
			&r));
	ck_assert_uint_eq(r.len, PIECE);
	for (int k = 0; k < r.n_iov; k++) {
		memcpy(got + done, r.iov[k].iov_base, r.iov[k].iov_len);
		done += r.iov[k].iov_len;
	}
	file_read_done(&r);
	fill_piece(piece, at, 0);
	for (size_t k = 0; k < PIECE; k += 2) {
		if (got[k + 1] != piece[k + 1])
			ck_abort_msg("byte %zu of piece %zu is wrong", k + 1,
				     at);
		oldest = got[k] < oldest ? got[k] : oldest;
	}
	return oldest;
}

/* And then the power is cut. */
static void expect_synced(void (*work)(struct fixture *f), size_t area)
{
	struct fixture f;
	size_t n;

	fixture_init_closed(&f);
	fixture_crash(&f, work, false);
	n = n_before(&f);
	ck_assert_uint_gt(n, 0);
	for (size_t at = 0; at < n && at < area; at++)
		ck_assert_uint_ge(oldest_at(&f, at), (n - 1 - at) / area);
	fixture_release(&f);
}

START_TEST(sync_ends_beside_an_appender)
{
	expect_synced(sync_beside_appender, SIZE_MAX);
}
END_TEST

START_TEST(sync_ends_beside_an_overwriter)
{
	expect_synced(sync_beside_overwriter, N_AREA);
}
END_TEST

Suite *suite_flush(void)
{
	const TTest *const tests[] = {
		cut_alike_in_pieces_of_any_size,
		cut_where_the_newest_bytes_say,
		sync_ends_beside_an_appender,
		sync_ends_beside_an_overwriter,
	};

	return suite_of("volume/flush", tests, ARRAY_LEN(tests), 60);
}
