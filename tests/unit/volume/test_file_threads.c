/* SPDX-License-Identifier: MIT */
/*
 * test_file_threads.c - one file, many threads.
 *
 * Each writer owns a part of the file and writes blocks that hold the number of
 * the write, over and over. A block read is one write's, whole, and never older
 * than what was read or synced before.
 */
#ifndef _GNU_SOURCE
# define _GNU_SOURCE
#endif

#include "unit/volume/fixture.h"
#include "unit/volume/suites.h"

#include "lib/rng.h"
#include "volume/file.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	N_WRITERS = 4,
	N_READERS = 2,
	N_BLOCKS = 150,  /* of each writer */
	BLOCK = 5000,    /* no multiple of anything */
	N_WRITES = 1500, /* of each writer */
	WORDS = BLOCK / 4,
	PART = N_BLOCKS * BLOCK,
	FILE_LEN = N_WRITERS * PART,
};

struct crowd {
	struct fixture f;
	uint64_t ino;
	atomic_uint failed; /* atomic: the line where something went wrong */
	atomic_bool ended;
	atomic_uint newest[N_WRITERS][N_BLOCKS]; /* after the write returned */
};

struct member {
	struct crowd *crowd;
	unsigned no;
	pthread_t thread;
};

/* ck_assert() is not for threads. */
static void wrong_at(struct crowd *c, bool wrong, unsigned line)
{
	if (wrong)
		atomic_store(&c->failed, line);
}

static void check_failed(struct crowd *c)
{
	unsigned line = atomic_load(&c->failed);

	ck_assert_uint_eq(line, 0);
}

#define wrong_if(c, wrong) wrong_at(c, wrong, __LINE__)

static uint64_t off_of(unsigned writer, unsigned block)
{
	return (uint64_t)writer * PART + (uint64_t)block * BLOCK;
}

static void *write_blocks(void *arg)
{
	struct member *m = arg;
	struct crowd *c = m->crowd;
	struct rng r = rng_of(m->no);
	uint32_t words[WORDS];

	for (uint32_t i = 1; i <= N_WRITES; i++) {
		unsigned block = (unsigned)rng_below(&r, N_BLOCKS);

		for (size_t k = 0; k < WORDS; k++)
			words[k] = i;
		wrong_if(c, file_write(c->f.v, c->ino, off_of(m->no, block),
				       span_of(words, BLOCK), 0));
		atomic_store(&c->newest[m->no][block], i);
		if (i % 100 == 0)
			file_release(c->f.v, c->ino);
	}
	return NULL;
}

/* The lowest number in a block; 0 where it is a hole or cut off. After a crash
 * (in another volume) a block may be of several writes. */
static uint32_t read_block(struct crowd *c, struct volume *v, unsigned writer,
			   unsigned block)
{
	uint32_t words[WORDS] = { 0 };
	struct file_read r;
	uint32_t lowest;
	size_t done = 0;

	if (file_read(v, c->ino, off_of(writer, block), BLOCK, &r)) {
		wrong_if(c, true);
		return 0;
	}
	for (int i = 0; i < r.n_iov; i++) {
		memcpy((uint8_t *)words + done, r.iov[i].iov_base,
		       r.iov[i].iov_len);
		done += r.iov[i].iov_len;
	}
	file_read_done(&r);
	lowest = words[0];
	for (size_t i = 1; i < WORDS && done == BLOCK; i++) {
		wrong_if(c, v == c->f.v && words[i] != words[0]);
		if (words[i] < lowest)
			lowest = words[i];
	}
	return done == BLOCK ? lowest : 0;
}

static void *read_blocks(void *arg)
{
	struct member *m = arg;
	struct crowd *c = m->crowd;
	struct rng r = rng_of(100 + m->no);
	static _Thread_local uint32_t seen[N_WRITERS][N_BLOCKS];

	while (!atomic_load(&c->ended)) {
		unsigned w = (unsigned)rng_below(&r, N_WRITERS);
		unsigned b = (unsigned)rng_below(&r, N_BLOCKS);
		uint32_t floor = atomic_load(&c->newest[w][b]);
		uint32_t got = read_block(c, c->f.v, w, b);

		wrong_if(c, got < floor || got < seen[w][b]);
		seen[w][b] = got;
	}
	return NULL;
}

static void *sync_file(void *arg)
{
	struct member *m = arg;
	struct crowd *c = m->crowd;

	while (!atomic_load(&c->ended))
		wrong_if(c, m->no == 0 ? file_fsync(c->f.v, c->ino)
				       : volume_sync(c->f.v));
	return NULL;
}

/* Small files come and go beside it, through the shared parcel. */
static void *make_small_files(void *arg)
{
	struct member *m = arg;
	struct crowd *c = m->crowd;
	char name[20];

	for (unsigned i = 0; !atomic_load(&c->ended); i++) {
		struct volume_new what = { .mode = S_IFREG | 0644 };
		struct volume_attr attr;

		(void)snprintf(name, sizeof(name), "s%u", i % 50);
		(void)volume_unlink(c->f.v, VOLUME_ROOT, name_of(name));
		if (volume_make(c->f.v, VOLUME_ROOT, name_of(name), &what,
				&attr)) {
			wrong_if(c, true);
			break;
		}
		wrong_if(c, file_write(c->f.v, attr.ino, 0, name_of(name), 0));
		file_release(c->f.v, attr.ino);
		volume_forget(c->f.v, attr.ino, 1);
	}
	return NULL;
}

static void start(struct member *m, struct crowd *c, unsigned no,
		  void *(*fn)(void *))
{
	*m = (struct member){ .crowd = c, .no = no };
	ck_assert_int_eq(pthread_create(&m->thread, NULL, fn, m), 0);
}

static void crowd_open(struct crowd *c, size_t dirty_len)
{
	struct volume_options options = { .dirty_len = dirty_len };

	options.store.n_workers = 2;
	ck_ok(volume_open(c->f.path, &options, &c->f.v));
}

static void check_all(struct crowd *c)
{
	for (unsigned w = 0; w < N_WRITERS; w++)
		for (unsigned b = 0; b < N_BLOCKS; b++)
			wrong_if(c, read_block(c, c->f.v, w, b) !=
					    atomic_load(&c->newest[w][b]));
	check_failed(c);
}

/* What is durable when a sync has returned, seen in a copy of the log. */
static void check_copy(struct crowd *c, bool whole)
{
	static uint32_t floors[N_WRITERS][N_BLOCKS];
	char command[2000];
	char copy[320];
	struct volume_options options = { .store.n_workers = 1 };
	struct volume *v;

	for (unsigned w = 0; w < N_WRITERS; w++)
		for (unsigned b = 0; b < N_BLOCKS; b++)
			floors[w][b] = atomic_load(&c->newest[w][b]);
	if (whole)
		ck_ok(volume_sync(c->f.v));
	else
		ck_ok(file_fsync(c->f.v, c->ino));
	(void)snprintf(copy, sizeof(copy), "%s/copy", c->f.dir.path);
	(void)snprintf(command, sizeof(command),
		       "mkdir '%s' && cp -r '%s/sigmafs.store' '%s/log' '%s' &&"
		       " : > '%s/lock'",
		       copy, c->f.path, c->f.path, copy, copy);
	ck_ok(system(command));
	ck_ok(volume_open(copy, &options, &v));
	for (unsigned w = 0; w < N_WRITERS; w++)
		for (unsigned b = 0; b < N_BLOCKS; b++)
			wrong_if(c, read_block(c, v, w, b) < floors[w][b]);
	ck_ok(volume_close(v));
	(void)snprintf(command, sizeof(command), "rm -r '%s'", copy);
	ck_ok(system(command));
}

static void crowd_run(size_t dirty_len)
{
	struct crowd *c = calloc(1, sizeof(*c));
	struct member writers[N_WRITERS];
	struct member others[N_READERS + 3];

	ck_assert_ptr_nonnull(c);
	fixture_init_closed(&c->f);
	crowd_open(c, dirty_len);
	c->ino = make_file(&c->f, VOLUME_ROOT, "f");
	for (unsigned i = 0; i < N_WRITERS; i++)
		start(&writers[i], c, i, write_blocks);
	for (unsigned i = 0; i < N_READERS; i++)
		start(&others[i], c, i, read_blocks);
	start(&others[N_READERS], c, 0, sync_file);
	start(&others[N_READERS + 1], c, 1, sync_file);
	start(&others[N_READERS + 2], c, 0, make_small_files);
	for (unsigned i = 0; i < 4; i++)
		check_copy(c, i % 2);
	for (unsigned i = 0; i < N_WRITERS; i++)
		ck_assert_int_eq(pthread_join(writers[i].thread, NULL), 0);
	atomic_store(&c->ended, true);
	for (unsigned i = 0; i < N_READERS + 3; i++)
		ck_assert_int_eq(pthread_join(others[i].thread, NULL), 0);
	check_all(c);
	fixture_reopen(&c->f);
	check_all(c);
	fixture_release(&c->f);
	free(c);
}

START_TEST(many_threads)
{
	crowd_run(0);
}
END_TEST

START_TEST(many_threads_with_little_memory)
{
	crowd_run(128 << 10);
}
END_TEST

/* ---- changes of the size, at the same time ------------------------------------- */

static void *append_blocks(void *arg)
{
	struct member *m = arg;
	struct crowd *c = m->crowd;
	uint32_t words[WORDS];

	for (size_t k = 0; k < WORDS; k++)
		words[k] = m->no + 1;
	for (unsigned i = 0; i < 600; i++)
		wrong_if(c, file_write(c->f.v, c->ino, 0, span_of(words, BLOCK),
				       FILE_WRITE_APPEND));
	return NULL;
}

/* Cuts at ends of blocks only, so that the file always is whole blocks. */
static void *cut_and_grow(void *arg)
{
	struct member *m = arg;
	struct crowd *c = m->crowd;
	struct rng r = rng_of(5);

	while (!atomic_load(&c->ended)) {
		struct volume_attr attr = { .size = rng_below(&r, 300) *
						    BLOCK };

		wrong_if(c, volume_setattr(c->f.v, c->ino, SET_SIZE, &attr,
					   &attr));
	}
	return NULL;
}

static uint64_t size_now(struct crowd *c)
{
	return attr_of(&c->f, c->ino).size;
}

/* Nothing written before a cut may come up again behind it. */
static void check_zeros(struct crowd *c, uint64_t from)
{
	uint64_t end = from + 2000000;
	struct volume_attr attr = { .size = end };
	struct file_read r;

	ck_ok(volume_setattr(c->f.v, c->ino, SET_SIZE, &attr, &attr));
	ck_ok(file_read(c->f.v, c->ino, from, 2000000, &r));
	ck_assert_uint_eq(r.len, 2000000);
	for (size_t i = 0; i < r.len; i++)
		if (((const uint8_t *)r.iov[0].iov_base)[i] != 0)
			ck_abort_msg("byte %zu came back", i);
	file_read_done(&r);
}

START_TEST(cutting_while_others_append)
{
	struct crowd *c = calloc(1, sizeof(*c));
	struct member writers[N_WRITERS];
	struct member cutter;
	struct member syncer;
	uint64_t size;

	ck_assert_ptr_nonnull(c);
	fixture_init_closed(&c->f);
	crowd_open(c, 0);
	c->ino = make_file(&c->f, VOLUME_ROOT, "f");
	for (unsigned i = 0; i < N_WRITERS; i++)
		start(&writers[i], c, i, append_blocks);
	start(&cutter, c, 0, cut_and_grow);
	start(&syncer, c, 0, sync_file);
	for (unsigned i = 0; i < N_WRITERS; i++)
		ck_assert_int_eq(pthread_join(writers[i].thread, NULL), 0);
	atomic_store(&c->ended, true);
	ck_assert_int_eq(pthread_join(cutter.thread, NULL), 0);
	ck_assert_int_eq(pthread_join(syncer.thread, NULL), 0);
	size = size_now(c);
	ck_assert_uint_eq(size % BLOCK, 0);
	for (unsigned b = 0; b < size / BLOCK; b++)
		wrong_if(c, read_block(c, c->f.v, 0, b) > N_WRITERS);
	check_zeros(c, size);
	ck_ok(volume_sync(c->f.v));
	check_failed(c);
	fixture_release(&c->f);
	free(c);
}
END_TEST

/* ---- everything at the same time ------------------------------------------------- */

enum { N_FILES = 3, LONG = 1500000 };

struct mess {
	struct crowd crowd;
	uint64_t inos[N_FILES];
};

static int some_space(struct volume *v, struct rng *r, uint64_t ino,
		      uint64_t off, uint64_t len)
{
	static const int modes[] = {
		0,
		FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	};

	return file_allocate(v, ino, modes[rng_below(r, ARRAY_LEN(modes))], off,
			     len);
}

static int some_copy(struct volume *v, const struct file_range *from,
		     const struct file_range *to, size_t len)
{
	ssize_t n = file_copy(v, from, to, len);

	return n < 0 && n != -EINVAL ? (int)n : 0;
}

static int read_and_forget(struct volume *v, uint64_t ino, uint64_t off,
			   size_t len)
{
	struct file_read r;
	int rc = file_read(v, ino, off, len, &r);

	if (!rc)
		file_read_done(&r);
	return rc;
}

static int some_op(struct mess *m, struct rng *r, const uint8_t *bytes)
{
	struct volume *v = m->crowd.f.v;
	struct file_range at = { m->inos[rng_below(r, N_FILES)],
				 rng_below(r, LONG) };
	struct file_range to = { m->inos[rng_below(r, N_FILES)],
				 rng_below(r, LONG) };
	size_t len = 1 + (rng_below(r, LONG) >> rng_below(r, 16));
	struct volume_attr attr = { .size = at.off };
	uint64_t got;
	int rc;

	switch (rng_below(r, 12)) {
	case 0:
		return volume_setattr(v, at.ino, SET_SIZE, &attr, &attr);
	case 1:
	case 2:
		return some_space(v, r, at.ino, at.off, len);
	case 3:
		return some_copy(v, &at, &to, len);
	case 4:
		rc = file_seek(v, at.ino, at.off, SEEK_DATA, &got);
		return rc == -ENXIO ? 0 : rc;
	case 5:
		return file_fsync(v, at.ino);
	case 6:
		file_release(v, at.ino);
		return 0;
	case 7:
	case 8:
		return read_and_forget(v, at.ino, at.off, len);
	default:
		return file_write(v, at.ino, at.off, span_of(bytes, len),
				  rng_below(r, 8) ? 0 : FILE_WRITE_APPEND);
	}
}

static void *do_anything(void *arg)
{
	struct member *m = arg;
	struct mess *mess = (struct mess *)m->crowd;
	struct rng r = rng_of(m->no);
	uint8_t *bytes = malloc(LONG);

	wrong_if(m->crowd, !bytes);
	if (!bytes)
		return NULL;
	rng_fill(&r, bytes, LONG);
	for (int i = 0; i < 250; i++)
		wrong_if(m->crowd, some_op(mess, &r, bytes));
	free(bytes);
	return NULL;
}

/* What comes of it nobody knows; but it is sound, which the fixture checks. */
START_TEST(everything_at_once)
{
	struct mess *m = calloc(1, sizeof(*m));
	struct member members[N_WRITERS];
	char name[20];

	ck_assert_ptr_nonnull(m);
	fixture_init_closed(&m->crowd.f);
	crowd_open(&m->crowd, 4 << 20);
	for (unsigned i = 0; i < N_FILES; i++) {
		(void)snprintf(name, sizeof(name), "f%u", i);
		m->inos[i] = make_file(&m->crowd.f, VOLUME_ROOT, name);
	}
	for (unsigned i = 0; i < N_WRITERS; i++)
		start(&members[i], &m->crowd, i, do_anything);
	for (unsigned i = 0; i < N_WRITERS; i++)
		ck_assert_int_eq(pthread_join(members[i].thread, NULL), 0);
	check_failed(&m->crowd);
	fixture_release(&m->crowd.f);
	free(m);
}
END_TEST

Suite *suite_file_threads(void)
{
	const TTest *const tests[] = {
		many_threads,
		many_threads_with_little_memory,
		cutting_while_others_append,
		everything_at_once,
	};

	return suite_of("volume/file_threads", tests, ARRAY_LEN(tests), 600);
}
