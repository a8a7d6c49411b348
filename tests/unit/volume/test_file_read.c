/* SPDX-License-Identifier: MIT */
/*
 * test_file_read.c - what a read sees when the file changes under it.
 *
 * The change happens on the reader's own thread, in the middle of the read: when
 * it fetches its first frame from the log.
 */
#ifndef _GNU_SOURCE
# define _GNU_SOURCE
#endif

#include "unit/volume/fixture.h"
#include "unit/volume/suites.h"

#include "base/io.h"
#include "lib/rng.h"
#include "store/state.h"
#include "volume/file.h"
#include "volume/file_data.h"
#include "volume/volume_impl.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	STRIDE = 64,
	N_PIECES = 700, /* three leaves */
	LEN = N_PIECES * STRIDE,
};

static struct {
	/* atomic: whoever reads first takes it */
	void (*_Atomic change)(struct fixture *f, uint64_t ino);
	struct fixture *f;
	uint64_t ino;
} hook;

int __real_io_pread_full(int fd, void *buf, size_t len, uint64_t off);
int __wrap_io_pread_full(int fd, void *buf, size_t len, uint64_t off);

int __wrap_io_pread_full(int fd, void *buf, size_t len, uint64_t off)
{
	void (*change)(struct fixture * f, uint64_t ino) =
		atomic_exchange(&hook.change, NULL);

	if (change)
		change(hook.f, hook.ino);
	return __real_io_pread_full(fd, buf, len, off);
}

/* A file of single bytes and holes, nothing of it in memory. */
static uint64_t make_pieces(struct fixture *f)
{
	uint64_t ino = make_file(f, VOLUME_ROOT, "f");

	for (uint64_t i = 0; i < N_PIECES; i++)
		ck_ok(file_write(f->v, ino, i * STRIDE, span_of("1", 1), 0));
	ck_ok(file_write(f->v, ino, LEN - 1, span_of("1", 1), 0));
	ck_ok(file_fsync(f->v, ino));
	fixture_reopen(f);
	return ino;
}

static void overwrite(struct fixture *f, uint64_t ino)
{
	uint8_t bytes[LEN];

	memset(bytes, '2', sizeof(bytes));
	ck_ok(file_write(f->v, ino, 0, span_of(bytes, sizeof(bytes)), 0));
	ck_ok(file_fsync(f->v, ino));
}

static void truncate_it(struct fixture *f, uint64_t ino)
{
	struct volume_attr attr = { .size = 1 };

	ck_ok(volume_setattr(f->v, ino, SET_SIZE, &attr, &attr));
	ck_ok(file_fsync(f->v, ino));
}

/* What a read gives that `change` happens in: always what was before. */
static void check_change(void (*change)(struct fixture *f, uint64_t ino))
{
	struct fixture f;
	struct file_read r;
	const uint8_t *got;
	uint64_t ino;

	fixture_init(&f);
	ino = make_pieces(&f);
	hook.f = &f;
	hook.ino = ino;
	hook.change = change;
	ck_ok(file_read(f.v, ino, 0, LEN, &r));
	ck_assert(!hook.change);
	ck_assert_uint_eq(r.len, LEN);
	ck_assert_int_eq(r.n_iov, 1);
	got = r.iov[0].iov_base;
	for (size_t i = 0; i < LEN; i++)
		ck_assert_int_eq(got[i],
				 i % STRIDE == 0 || i == LEN - 1 ? '1' : 0);
	file_read_done(&r);
	fixture_release(&f);
}

START_TEST(overwritten_while_read)
{
	check_change(overwrite);
}
END_TEST

START_TEST(truncated_while_read)
{
	check_change(truncate_it);
}
END_TEST

/* How many leaves the inode keeps, which are in order. */
static size_t n_leaves(struct fixture *f, uint64_t ino)
{
	struct inode *inode = inode_peek(f->v, ino);
	size_t n = 0;

	ck_assert(inode != NULL);
	sync_lock(&inode->lock);
	if (inode->data)
		n = inode->data->n_leaves;
	for (size_t i = 1; i < n; i++)
		ck_assert_uint_lt(inode->data->leaves[i - 1]->from,
				  inode->data->leaves[i]->from);
	sync_unlock(&inode->lock);
	inode_put(f->v, inode);
	return n;
}

static void read_len(struct fixture *f, uint64_t ino, uint64_t off, size_t len)
{
	struct file_read r;

	ck_ok(file_read(f->v, ino, off, len, &r));
	ck_assert_uint_eq(r.len, len);
	file_read_done(&r);
}

START_TEST(so_many_large_leaves_are_kept)
{
	enum { N = LEAF_RING_LEN + 20, N_EXTENTS = LEAF_SMALL + 1 };
	uint64_t inos[N];
	struct fixture f;
	size_t n_kept = 0;

	fixture_init(&f);
	for (unsigned i = 0; i < N; i++) {
		char name[3] = { (char)('0' + i / 50), (char)('0' + i % 50) };

		inos[i] = make_file(&f, VOLUME_ROOT, name);
		for (uint64_t k = 0; k < N_EXTENTS; k++)
			ck_ok(file_allocate(f.v, inos[i], 0, 2 * k, 1));
	}
	for (unsigned i = 0; i < N; i++) {
		read_len(&f, inos[i], 0, 2 * N_EXTENTS - 1);
		ck_assert_uint_eq(n_leaves(&f, inos[i]), 1);
	}
	for (unsigned i = 0; i < N; i++)
		n_kept += n_leaves(&f, inos[i]);
	ck_assert_uint_eq(n_kept, LEAF_RING_LEN);
	ck_assert_uint_eq(n_leaves(&f, inos[0]), 0);
	fixture_release(&f);
}
END_TEST

/* Also in any order, and small ones behind the first are counted. */
START_TEST(so_many_leaves_of_one_file_are_kept)
{
	enum { N = LEAF_RING_LEN + 20, FAR = 1 << 20 };
	struct fixture f;
	uint64_t ino;

	fixture_init(&f);
	ino = make_file(&f, VOLUME_ROOT, "f");
	/* Far behind each other: a row each. */
	for (uint64_t i = 0; i < N; i++)
		for (uint64_t k = 0; k < LEAF_EXTENTS_MAX; k++)
			ck_ok(file_allocate(f.v, ino, 0, i * FAR + 2 * k, 1));
	for (uint64_t i = N; i > 0; i--)
		read_len(&f, ino, (i - 1) * FAR, 1);
	ck_assert_uint_ge(n_leaves(&f, ino), LEAF_RING_LEN);
	ck_assert_uint_le(n_leaves(&f, ino), LEAF_RING_LEN + 1);
	fixture_release(&f);
}
END_TEST

START_TEST(a_change_drops_the_leaves_that_it_touches)
{
	struct fixture f;
	struct file_read r;
	uint64_t ino;

	fixture_init(&f);
	ino = make_pieces(&f);
	read_len(&f, ino, 0, LEN);
	ck_assert_uint_eq(n_leaves(&f, ino), 3);
	ck_ok(file_write(f.v, ino, LEN / 2, span_of("2", 1), 0));
	ck_ok(file_fsync(f.v, ino));
	ck_assert_uint_eq(n_leaves(&f, ino), 2);
	ck_ok(file_read(f.v, ino, LEN / 2, 1, &r));
	ck_assert_mem_eq(r.iov[0].iov_base, "2", 1);
	file_read_done(&r);
	ck_assert_uint_eq(n_leaves(&f, ino), 3);
	truncate_it(&f, ino);
	ck_assert_uint_eq(n_leaves(&f, ino), 0);
	fixture_release(&f);
}
END_TEST

/* ---- reading ahead --------------------------------------------------------- */

enum {
	PIECE = 16 << 10,
	STEP = PIECE + 4096, /* a piece and a hole */
	N_AHEAD = 300,       /* two leaves */
};

/* Whether the frame of the file's last chunk is decoded, or about to be. */
static bool last_is_there(struct fixture *f, uint64_t ino)
{
	struct store *s = volume_store(f->v);
	struct frame_place place;
	struct leaf *leaf = NULL;
	bool there;

	index_lock(s);
	ck_ok(filemap_leaf(f->v, ino, (uint64_t)(N_AHEAD - 1) * STEP, &leaf));
	ck_ok(bank_load(s->bank, leaf->extents[leaf->n - 1].chunk, &place));
	index_unlock(s);
	there = cache_has(s->cache, place.frame);
	leaf_put(leaf);
	return there;
}

static void read_pieces(struct fixture *f, uint64_t ino, const uint8_t *want)
{
	struct file_read r;

	for (uint64_t i = 0; i < LEAF_EXTENTS_MAX - 2; i++) {
		ck_ok(file_read(f->v, ino, i * STEP, STEP, &r));
		ck_assert_uint_eq(r.len, STEP);
		ck_assert_mem_eq(r.iov[0].iov_base, want + i * PIECE, PIECE);
		file_read_done(&r);
	}
}

START_TEST(reads_ahead_into_the_next_leaf)
{
	uint8_t *bytes = malloc(N_AHEAD * PIECE);
	struct rng rng = rng_of(8);
	struct fixture f;
	uint64_t ino;

	ck_assert(bytes != NULL);
	for (size_t i = 0; i < N_AHEAD * PIECE; i++)
		bytes[i] = (uint8_t)rng_u64(&rng);
	fixture_init(&f);
	ino = make_file(&f, VOLUME_ROOT, "f");
	for (uint64_t i = 0; i < N_AHEAD; i++)
		ck_ok(file_write(f.v, ino, i * STEP,
				 span_of(bytes + i * PIECE, PIECE), 0));
	ck_ok(file_fsync(f.v, ino));
	fixture_reopen(&f);
	ck_assert(!last_is_there(&f, ino));
	read_pieces(&f, ino, bytes);
	for (unsigned i = 0; i < 4000 && !last_is_there(&f, ino); i++)
		(void)usleep(10000);
	ck_assert(last_is_there(&f, ino));
	fixture_release(&f);
	free(bytes);
}
END_TEST

/* Who reads here and there has nothing read ahead. */
START_TEST(reads_not_ahead_for_random_readers)
{
	enum { LEN_ALL = 20 << 20, N_READS = 20 };
	struct cache_stats before;
	struct cache_stats after;
	struct rng rng = rng_of(8);
	struct fixture f;
	struct file_read r;
	uint64_t n_chunks = 0;
	uint64_t ino;
	uint8_t *bytes = malloc(LEN_ALL);

	ck_assert(bytes != NULL);
	for (size_t i = 0; i < LEN_ALL; i++)
		bytes[i] = (uint8_t)rng_u64(&rng);
	fixture_init(&f);
	ino = make_file(&f, VOLUME_ROOT, "f");
	ck_ok(file_write(f.v, ino, 0, span_of(bytes, LEN_ALL), 0));
	ck_ok(file_fsync(f.v, ino));
	fixture_reopen(&f);
	cache_stat(volume_store(f.v)->cache, &before);
	for (uint64_t i = 0; i < N_READS; i++) {
		uint64_t off = (i % 2 ? 11 << 20 : 2 << 20) + (i << 18);

		ck_ok(file_read(f.v, ino, off, 4096, &r));
		ck_assert_uint_eq(r.len, 4096);
		n_chunks += (uint64_t)r.n_iov;
		for (int k = 0; k < r.n_iov; off += r.iov[k++].iov_len)
			ck_assert_mem_eq(r.iov[k].iov_base, bytes + off,
					 r.iov[k].iov_len);
		file_read_done(&r);
	}
	(void)usleep(100000);
	cache_stat(volume_store(f.v)->cache, &after);
	ck_assert_uint_le(after.misses - before.misses, n_chunks);
	fixture_release(&f);
	free(bytes);
}
END_TEST

enum { TEXT_LEN = 100000, HOLE_LEN = 8192 };

/* Compares a read of all, and counts the frames that were looked for. */
static uint64_t count_frames(struct fixture *f, uint64_t ino, struct span all,
			     int *ret_pieces)
{
	struct cache *cache = volume_store(f->v)->cache;
	struct cache_stats before;
	struct cache_stats after;
	struct file_read r;
	size_t at = 0;

	cache_stat(cache, &before);
	ck_ok(file_read(f->v, ino, 0, all.len, &r));
	ck_assert_uint_eq(r.len, all.len);
	for (int i = 0; i < r.n_iov; at += r.iov[i++].iov_len)
		ck_assert_mem_eq(r.iov[i].iov_base, all.ptr + at,
				 r.iov[i].iov_len);
	ck_assert_uint_eq(at, all.len);
	*ret_pieces = r.n_iov;
	file_read_done(&r);
	cache_stat(cache, &after);
	return after.hits + after.misses - before.hits - before.misses;
}

/* Chunks that lie together are one piece, and a frame is looked for once; with a
 * hole between them, too, where all is copied. */
START_TEST(neighbours_share_a_frame)
{
	uint8_t *text = calloc(1, TEXT_LEN + HOLE_LEN);
	struct fixture f;
	uint64_t ino;
	uint64_t n_frames;
	int n_pieces;

	ck_assert(text != NULL);
	for (size_t i = 0; i < TEXT_LEN; i += 10)
		(void)snprintf((char *)text + i, 11, "%9zu\n", i * i % 999983);
	text[TEXT_LEN] = 0;
	fixture_init(&f);
	ino = make_file(&f, VOLUME_ROOT, "f");
	ck_ok(file_write(f.v, ino, 0, span_of(text, TEXT_LEN), 0));
	ck_ok(file_fsync(f.v, ino));
	fixture_reopen(&f);
	n_frames = count_frames(&f, ino, span_of(text, TEXT_LEN), &n_pieces);
	ck_assert_uint_eq(n_frames, 1);
	ck_assert_int_eq(n_pieces, 1);
	ck_ok(file_allocate(f.v, ino,
			    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			    (uint64_t)3 * HOLE_LEN, HOLE_LEN));
	memset(text + (size_t)3 * HOLE_LEN, 0, HOLE_LEN);
	ck_ok(file_fsync(f.v, ino));
	n_frames = count_frames(&f, ino, span_of(text, TEXT_LEN), &n_pieces);
	ck_assert_uint_eq(n_frames, 1);
	ck_assert_int_eq(n_pieces, 1);
	fixture_release(&f);
	free(text);
}
END_TEST

/* Frames of whole pages may lie side by side in memory, so that their bytes are one
 * piece; each needs its pin all the same. */
START_TEST(more_frames_than_pieces)
{
	enum { FRAME = 64 << 10, N_FRAMES = READ_IOV_MAX + 36 };
	uint8_t *bytes = malloc((size_t)N_FRAMES * FRAME);
	struct rng rng = rng_of(9);
	struct fixture f;
	uint64_t ino;
	int n_pieces;

	ck_assert(bytes != NULL);
	rng_fill(&rng, bytes, (size_t)N_FRAMES * FRAME);
	fixture_init(&f);
	ino = make_file(&f, VOLUME_ROOT, "f");
	for (size_t i = 0; i < N_FRAMES; i++) {
		ck_ok(file_write(f.v, ino, i * FRAME,
				 span_of(bytes + i * FRAME, FRAME), 0));
		ck_ok(file_fsync(f.v, ino));
	}
	fixture_reopen(&f);
	ck_assert_uint_ge(count_frames(&f, ino,
				       span_of(bytes, (size_t)N_FRAMES * FRAME),
				       &n_pieces),
			  N_FRAMES);
	/* Not all were given one by one. */
	ck_assert_int_eq(n_pieces, 1);
	fixture_release(&f);
	free(bytes);
}
END_TEST

Suite *suite_file_read(void)
{
	const TTest *const tests[] = {
		overwritten_while_read,
		truncated_while_read,
		so_many_large_leaves_are_kept,
		so_many_leaves_of_one_file_are_kept,
		a_change_drops_the_leaves_that_it_touches,
		reads_ahead_into_the_next_leaf,
		reads_not_ahead_for_random_readers,
		neighbours_share_a_frame,
		more_frames_than_pieces,
	};

	return suite_of("volume/file_read", tests, ARRAY_LEN(tests), 60);
}
