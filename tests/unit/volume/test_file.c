/* SPDX-License-Identifier: MIT */
/*
 * test_file.c - tests of src/volume/file*.c and flush*.c, on one thread.
 *
 * The model holds the bytes of an area and, for each of them, whether it is a
 * hole, unwritten or data; beyond the size there may be holes and unwritten.
 */
#ifndef _GNU_SOURCE
# define _GNU_SOURCE
#endif

#include "unit/volume/fixture.h"
#include "unit/volume/suites.h"

#include "lib/rng.h"
#include "store/state.h"
#include "volume/file.h"
#include "volume/flusher.h"
#include "volume/volume_impl.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	AREA = 3 << 20,
	HOLE = 0,
	UNWRITTEN = 1,
	DATA = 2,
};

struct twin {
	struct volume *v;
	uint64_t ino;
	uint64_t base; /* offset of the area in the file */
	uint64_t size; /* at least base: before it all is a hole */
	uint8_t *bytes;
	uint8_t *kind;
};

static void twin_init(struct twin *t, struct fixture *f, const char *name,
		      uint64_t base)
{
	*t = (struct twin){ .v = f->v, .base = base };
	t->ino = make_file(f, VOLUME_ROOT, name);
	t->bytes = calloc(1, AREA);
	t->kind = calloc(1, AREA);
	ck_assert(t->bytes && t->kind);
	if (base > 0) {
		uint8_t byte = 1;

		/* So that the model's area begins at a hole's end. */
		ck_ok(file_write(f->v, t->ino, base, span_of(&byte, 1), 0));
		t->bytes[0] = byte;
		t->kind[0] = DATA;
		t->size = base + 1;
	}
}

static void twin_release(struct twin *t)
{
	free(t->bytes);
	free(t->kind);
}

/* ---- both at once ------------------------------------------------------------ */

static void twin_write(struct twin *t, size_t at, struct span s)
{
	ck_ok(file_write(t->v, t->ino, t->base + at, s, 0));
	memcpy(t->bytes + at, s.ptr, s.len);
	memset(t->kind + at, DATA, s.len);
	t->size = max_u64(t->size, t->base + at + s.len);
}

static void twin_resize(struct twin *t, size_t at)
{
	struct volume_attr attr = { .size = t->base + at };
	uint64_t old = t->size;

	ck_ok(volume_setattr(t->v, t->ino, SET_SIZE, &attr, &attr));
	ck_assert_uint_eq(attr.size, t->base + at);
	t->size = t->base + at;
	if (t->size < old) {
		memset(t->bytes + at, 0, AREA - at);
		memset(t->kind + at, HOLE, AREA - at);
	}
}

static void twin_allocate(struct twin *t, int mode, size_t at, size_t len)
{
	bool punch = mode & FALLOC_FL_PUNCH_HOLE;

	ck_ok(file_allocate(t->v, t->ino, mode, t->base + at, len));
	if (!(mode & FALLOC_FL_KEEP_SIZE))
		t->size = max_u64(t->size, t->base + at + len);
	for (size_t i = at; i < at + len; i++) {
		if (punch || mode & FALLOC_FL_ZERO_RANGE) {
			t->bytes[i] = 0;
			t->kind[i] = punch ? HOLE : UNWRITTEN;
		} else if (t->kind[i] == HOLE) {
			t->kind[i] = UNWRITTEN;
		}
	}
}

static void twin_copy(struct twin *from, size_t from_at, struct twin *to,
		      size_t to_at, size_t len)
{
	struct file_range a = { from->ino, from->base + from_at };
	struct file_range b = { to->ino, to->base + to_at };
	uint64_t left = from->size > a.off ? from->size - a.off : 0;
	bool overlap;

	len = min_u64(len, left);
	overlap = from == to && from_at < to_at + len && to_at < from_at + len;
	ck_assert_int_eq(file_copy(from->v, &a, &b, len),
			 overlap ? -EINVAL : (ssize_t)len);
	if (overlap || len == 0)
		return;
	memcpy(to->bytes + to_at, from->bytes + from_at, len);
	for (size_t i = 0; i < len; i++)
		to->kind[to_at + i] =
			from->kind[from_at + i] == DATA ? DATA : HOLE;
	to->size = max_u64(to->size, b.off + len);
}

/* ---- comparing ----------------------------------------------------------------- */

static void twin_read(const struct twin *t, size_t at, size_t len)
{
	uint64_t off = t->base + at;
	uint64_t left = t->size > off ? t->size - off : 0;
	struct file_read r;
	size_t done = 0;

	ck_ok(file_read(t->v, t->ino, off, len, &r));
	ck_assert_uint_eq(r.len, min_u64(len, left));
	for (int i = 0; i < r.n_iov; i++) {
		ck_assert(memcmp(r.iov[i].iov_base, t->bytes + at + done,
				 r.iov[i].iov_len) == 0);
		done += r.iov[i].iov_len;
	}
	ck_assert_uint_eq(done, r.len);
	file_read_done(&r);
}

static void twin_seek(const struct twin *t, size_t at, int whence)
{
	uint64_t off = t->base + at;
	uint64_t got = 0;
	size_t i = at;

	if (off >= t->size) {
		ck_rc(file_seek(t->v, t->ino, off, whence, &got), -ENXIO);
		return;
	}
	while (t->base + i < t->size &&
	       (t->kind[i] == DATA) != (whence == SEEK_DATA))
		i++;
	if (t->base + i == t->size && whence == SEEK_DATA) {
		ck_rc(file_seek(t->v, t->ino, off, whence, &got), -ENXIO);
		return;
	}
	ck_ok(file_seek(t->v, t->ino, off, whence, &got));
	ck_assert_uint_eq(got, t->base + i);
}

static uint64_t size_of(struct volume *v, uint64_t ino)
{
	struct volume_attr attr;

	ck_ok(volume_getattr(v, ino, &attr));
	return attr.size;
}

/* All of it; `flushed`: the map is complete, too. */
static void twin_check(const struct twin *t, bool flushed)
{
	struct volume_attr attr;
	uint64_t n = 0;

	for (size_t at = 0; at < AREA; at += 1 << 20)
		twin_read(t, at, 1 << 20);
	ck_ok(volume_getattr(t->v, t->ino, &attr));
	ck_assert_uint_eq(attr.size, t->size);
	if (!flushed)
		return;
	for (size_t i = 0; i < AREA; i++)
		n += t->kind[i] != HOLE;
	ck_assert_uint_eq(attr.allocated, n);
}

/* ---- random operations ------------------------------------------------------------ */

struct play {
	struct fixture f;
	struct rng rng;
	struct twin a;
	struct twin b;
	uint8_t *src;
};

static void play_open(struct play *p, size_t dirty_len)
{
	struct volume_options options = { .dirty_len = dirty_len };

	options.store.n_workers = 2;
	ck_ok(volume_open(p->f.path, &options, &p->f.v));
	p->a.v = p->f.v;
	p->b.v = p->f.v;
}

static void play_init(struct play *p, uint64_t seed, uint64_t base,
		      size_t dirty_len)
{
	*p = (struct play){ .rng = rng_of(seed) };
	p->src = malloc(AREA);
	ck_assert(p->src);
	rng_fill(&p->rng, p->src, AREA);
	fixture_init_closed(&p->f);
	play_open(p, dirty_len);
	twin_init(&p->a, &p->f, "a", base);
	twin_init(&p->b, &p->f, "b", 0);
}

static void play_release(struct play *p)
{
	ck_ok(volume_sync(p->f.v));
	twin_check(&p->a, true);
	twin_check(&p->b, true);
	fixture_reopen(&p->f);
	p->a.v = p->b.v = p->f.v;
	twin_check(&p->a, true);
	twin_check(&p->b, true);
	twin_release(&p->a);
	twin_release(&p->b);
	free(p->src);
	fixture_release(&p->f);
}

static size_t some_len(struct rng *r)
{
	static const size_t limits[] = { 1,     10,    512,    4096,
					 20000, 70000, 300000, 1500000 };

	return 1 + rng_below(r, limits[rng_below(r, ARRAY_LEN(limits))]);
}

static struct span some_bytes(struct play *p, size_t len)
{
	return span_of(p->src + rng_below(&p->rng, AREA - len + 1), len);
}

/* What changes how the bytes are kept, but not what they are. */
static void stir(struct play *p, struct twin *t)
{
	switch (rng_below(&p->rng, 4)) {
	case 0:
		ck_ok(file_fsync(t->v, t->ino));
		twin_check(t, true);
		break;
	case 1:
		file_release(t->v, t->ino);
		break;
	case 2:
		ck_ok(flusher_run(t->v, false));
		break;
	default:
		ck_ok(flusher_run(t->v, true));
		twin_check(t, true);
	}
}

static void space_op(struct play *p, struct twin *t, size_t at, size_t len)
{
	static const int modes[] = {
		0,
		FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	};

	twin_allocate(t, modes[rng_below(&p->rng, ARRAY_LEN(modes))], at, len);
}

static void play_step(struct play *p)
{
	bool first = rng_below(&p->rng, 2);
	struct twin *t = first ? &p->a : &p->b;
	struct twin *other = rng_below(&p->rng, 2) ? &p->a : &p->b;
	size_t at = rng_below(&p->rng, AREA);
	size_t len = min_u64(some_len(&p->rng), AREA - at);
	size_t to = rng_below(&p->rng, AREA - len + 1);

	switch (rng_below(&p->rng, 24)) {
	case 0:
		twin_resize(t, at);
		break;
	case 1:
	case 2:
		space_op(p, t, at, len);
		break;
	case 3:
		if (other->base + to + len <= VOLUME_SIZE_MAX)
			twin_copy(t, at, other, to, len);
		break;
	case 4:
		twin_seek(t, at, SEEK_DATA);
		twin_seek(t, at, SEEK_HOLE);
		break;
	case 5:
		stir(p, t);
		break;
	case 6:
	case 7:
	case 8:
	case 9:
		twin_read(t, at, len);
		break;
	default:
		twin_write(t, at, some_bytes(p, len));
		if (rng_below(&p->rng, 3) == 0)
			twin_read(t, at, len);
	}
}

static void random_play(uint64_t seed, uint64_t base, size_t dirty_len,
			int n_steps)
{
	struct play p;

	play_init(&p, seed, base, dirty_len);
	for (int i = 0; i < n_steps; i++) {
		play_step(&p);
		if (i % 400 == 399) {
			fixture_close(&p.f);
			play_open(&p, dirty_len);
			twin_check(&p.a, true);
			twin_check(&p.b, true);
		}
	}
	play_release(&p);
}

START_TEST(random_against_model)
{
	random_play(1, 0, 0, 1500);
	random_play(2, 12345, 0, 600);
}
END_TEST

START_TEST(random_with_little_memory)
{
	random_play(3, 0, 64 << 10, 800);
}
END_TEST

START_TEST(random_at_the_end_of_offsets)
{
	random_play(4, VOLUME_SIZE_MAX - AREA, 0, 600);
}
END_TEST

/* ---- single things ------------------------------------------------------------------ */

START_TEST(append_ignores_the_offset)
{
	struct fixture f;
	struct twin t;

	fixture_init(&f);
	twin_init(&t, &f, "f", 0);
	for (int i = 0; i < 100; i++) {
		size_t at = (size_t)t.size;

		ck_ok(file_write(f.v, t.ino, 7, span_of("12345678", 8),
				 FILE_WRITE_APPEND));
		memcpy(t.bytes + at, "12345678", 8);
		t.size += 8;
	}
	twin_check(&t, false);
	twin_release(&t);
	fixture_release(&f);
}
END_TEST

START_TEST(no_byte_beyond_the_largest_size)
{
	struct fixture f;
	uint64_t ino;

	fixture_init(&f);
	ino = make_file(&f, VOLUME_ROOT, "f");
	ck_rc(file_write(f.v, ino, VOLUME_SIZE_MAX, span_of("x", 1), 0),
	      -EFBIG);
	ck_rc(file_write(f.v, ino, VOLUME_SIZE_MAX - 1, span_of("xy", 2), 0),
	      -EFBIG);
	ck_rc(file_write(f.v, ino, UINT64_MAX, span_of("xy", 2), 0), -EFBIG);
	ck_ok(file_write(f.v, ino, VOLUME_SIZE_MAX - 3, span_of("end", 3), 0));
	ck_rc(file_write(f.v, ino, 0, span_of("x", 1), FILE_WRITE_APPEND),
	      -EFBIG);
	ck_rc(file_allocate(f.v, ino, FALLOC_FL_ZERO_RANGE, 1, VOLUME_SIZE_MAX),
	      -EFBIG);
	fixture_release(&f);
}
END_TEST

static void expect_end(struct fixture *f, uint64_t ino)
{
	struct file_read r;

	ck_ok(file_read(f->v, ino, VOLUME_SIZE_MAX - 3, 100, &r));
	ck_assert_uint_eq(r.len, 3);
	ck_assert_mem_eq(r.iov[0].iov_base, "end", 3);
	file_read_done(&r);
}

START_TEST(last_bytes)
{
	struct fixture f;
	uint64_t ino;
	uint64_t got;

	fixture_init(&f);
	ino = make_file(&f, VOLUME_ROOT, "f");
	ck_ok(file_write(f.v, ino, VOLUME_SIZE_MAX - 3, span_of("end", 3), 0));
	expect_end(&f, ino);
	ck_ok(file_fsync(f.v, ino));
	expect_end(&f, ino);
	ck_ok(file_seek(f.v, ino, 0, SEEK_DATA, &got));
	ck_assert_uint_eq(got, VOLUME_SIZE_MAX - 3);
	ck_ok(file_seek(f.v, ino, got, SEEK_HOLE, &got));
	ck_assert_uint_eq(got, VOLUME_SIZE_MAX);
	fixture_release(&f);
}
END_TEST

static int try_resize(struct fixture *f, uint64_t ino, uint64_t size)
{
	struct volume_attr attr = { .size = size };

	return volume_setattr(f->v, ino, SET_SIZE, &attr, &attr);
}

START_TEST(space_of_the_largest_size)
{
	struct fixture f;
	uint64_t ino;

	fixture_init(&f);
	ino = make_file(&f, VOLUME_ROOT, "f");
	ck_ok(try_resize(&f, ino, VOLUME_SIZE_MAX));
	ck_ok(file_allocate(f.v, ino, 0, VOLUME_SIZE_MAX - 5, 5));
	ck_assert_uint_eq(attr_of(&f, ino).allocated, 5);
	ck_ok(file_allocate(f.v, ino,
			    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			    VOLUME_SIZE_MAX));
	ck_assert_uint_eq(attr_of(&f, ino).allocated, 0);
	ck_ok(try_resize(&f, ino, 0));
	ck_rc(try_resize(&f, ino, VOLUME_SIZE_MAX + 1), -EFBIG);
	ck_ok(try_resize(&f, ino, VOLUME_SIZE_MAX));
	fixture_release(&f);
}
END_TEST

START_TEST(wrong_arguments)
{
	struct fixture f;
	struct file_read r;
	uint64_t dir;
	uint64_t ino;
	uint64_t got;

	fixture_init(&f);
	dir = make_dir(&f, VOLUME_ROOT, "d");
	ino = make_file(&f, VOLUME_ROOT, "f");
	ck_rc(file_read(f.v, dir, 0, 1, &r), -EISDIR);
	ck_rc(file_read(f.v, 999, 0, 1, &r), -ENOENT);
	ck_rc(file_write(f.v, dir, 0, span_of("x", 1), 0), -EISDIR);
	ck_rc(file_seek(f.v, ino, 0, SEEK_SET, &got), -EINVAL);
	ck_rc(file_seek(f.v, ino, 0, SEEK_HOLE, &got), -ENXIO);
	ck_rc(file_allocate(f.v, ino, 0, 0, 0), -EINVAL);
	ck_rc(file_allocate(f.v, ino, FALLOC_FL_PUNCH_HOLE, 0, 1), -EOPNOTSUPP);
	ck_rc(file_allocate(f.v, ino, FALLOC_FL_COLLAPSE_RANGE, 0, 1),
	      -EOPNOTSUPP);
	ck_ok(file_write(f.v, ino, 0, span_of(NULL, 0), 0));
	ck_ok(file_read(f.v, ino, 0, 10, &r));
	ck_assert_uint_eq(r.len, 0);
	file_read_done(&r);
	fixture_release(&f);
}
END_TEST

/* A file of `len` bytes that say which one it is. */
static void small_bytes(unsigned i, uint8_t *dst, size_t len)
{
	struct rng r = rng_of(i + 1000);

	rng_fill(&r, dst, len);
}

enum { SMALL_LEN = 700 };

static void make_small(struct fixture *f, unsigned i, uint64_t *ret_ino)
{
	uint8_t bytes[SMALL_LEN];
	char name[20];

	(void)snprintf(name, sizeof(name), "f%u", i);
	*ret_ino = make_file(f, VOLUME_ROOT, name);
	small_bytes(i, bytes, SMALL_LEN);
	ck_ok(file_write(f->v, *ret_ino, 0, span_of(bytes, SMALL_LEN), 0));
	file_release(f->v, *ret_ino);
}

static void expect_small(struct fixture *f, unsigned i, uint64_t ino)
{
	uint8_t want[SMALL_LEN];
	struct file_read r;

	small_bytes(i, want, SMALL_LEN);
	ck_ok(file_read(f->v, ino, 0, 10000, &r));
	ck_assert_uint_eq(r.len, SMALL_LEN);
	ck_assert_mem_eq(r.iov[0].iov_base, want, SMALL_LEN);
	file_read_done(&r);
}

START_TEST(small_files_share_frames)
{
	enum { N = 300 };
	uint64_t inos[N];
	struct store_stats stats;
	struct fixture f;

	fixture_init(&f);
	for (unsigned i = 0; i < N; i++)
		make_small(&f, i, &inos[i]);
	ck_ok(volume_sync(f.v));
	ck_ok(store_stat(volume_store(f.v), &stats));
	ck_assert_uint_le(stats.totals[TOTAL_FRAMES], 3);
	fixture_reopen(&f);
	for (unsigned i = 0; i < N; i++)
		expect_small(&f, i, inos[i]);
	fixture_release(&f);
}
END_TEST

/* Over and over, while the old bytes wait in the open shared parcel. */
START_TEST(rewriting_what_is_packed)
{
	struct play p;

	play_init(&p, 5, 0, 4096);
	for (int i = 0; i < 400; i++) {
		size_t at = rng_below(&p.rng, 8000);

		twin_write(&p.a, at, some_bytes(&p, 100));
		file_release(p.f.v, p.a.ino);
		twin_read(&p.a, 0, 10000);
	}
	play_release(&p);
}
END_TEST

/* More pieces than a parcel can have chunks, and the last of many chunks. */
START_TEST(more_pieces_than_chunks)
{
	struct play p;

	play_init(&p, 6, 0, 0);
	for (size_t i = 0; i < 511; i++)
		twin_write(&p.a, i * 3, some_bytes(&p, 1));
	twin_write(&p.a, 10000, some_bytes(&p, 900000));
	ck_ok(file_fsync(p.f.v, p.a.ino));
	twin_check(&p.a, true);
	for (size_t i = 0; i < 5000; i++)
		twin_write(&p.b, i * 5, some_bytes(&p, 2));
	twin_check(&p.b, false);
	play_release(&p);
}
END_TEST

START_TEST(truncated_beyond_what_is_dirty)
{
	struct fixture f;
	struct twin t;
	uint64_t ino;

	fixture_init(&f);
	twin_init(&t, &f, "f", 0);
	ino = t.ino;
	twin_write(&t, 900000, span_of("dirty", 5));
	twin_resize(&t, 500000);
	ck_ok(file_fsync(f.v, ino));
	fixture_reopen(&f);
	t.v = f.v;
	ck_assert_uint_eq(size_of(f.v, ino), 500000);
	twin_check(&t, true);
	twin_release(&t);
	fixture_release(&f);
}
END_TEST

START_TEST(kept_size_and_many_leaves)
{
	enum { N = 20000 };
	struct volume_attr attr = { .size = 5 };
	struct fixture f;
	uint64_t ino;

	fixture_init(&f);
	ino = make_file(&f, VOLUME_ROOT, "f");
	ck_ok(file_write(f.v, ino, 0, span_of("0123456789", 10), 0));
	for (uint64_t i = 0; i < N; i++)
		ck_ok(file_allocate(f.v, ino, FALLOC_FL_KEEP_SIZE, 1000 + 2 * i,
				    1));
	ck_assert_uint_eq(attr_of(&f, ino).allocated, N + 10);
	ck_assert_uint_eq(attr_of(&f, ino).size, 10);
	ck_ok(volume_setattr(f.v, ino, SET_SIZE, &attr, &attr));
	ck_assert_uint_eq(attr.size, 5);
	ck_assert_uint_eq(attr_of(&f, ino).allocated, 5);
	fixture_release(&f);
}
END_TEST

Suite *suite_file(void)
{
	const TTest *const tests[] = {
		random_against_model,
		random_with_little_memory,
		random_at_the_end_of_offsets,
		append_ignores_the_offset,
		no_byte_beyond_the_largest_size,
		last_bytes,
		space_of_the_largest_size,
		wrong_arguments,
		small_files_share_frames,
		rewriting_what_is_packed,
		more_pieces_than_chunks,
		truncated_beyond_what_is_dirty,
		kept_size_and_many_leaves,
	};

	return suite_of("volume/file", tests, ARRAY_LEN(tests), 300);
}
