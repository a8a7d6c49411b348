/* SPDX-License-Identifier: MIT */
/*
 * test_chunk.c - chunks by id: with their whole frame, alone, and damaged.
 */
#include "unit/store/fixture.h"
#include "unit/store/suites.h"

#include "lib/rng.h"
#include "lib/suite.h"
#include "store/chunk.h"
#include "store/ingest.h"
#include "store/state.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum {
	N_CHUNKS = 5,
	CHUNK_LEN = 45 << 10,
	RAW_LEN = N_CHUNKS * CHUNK_LEN,
	N_THREADS = 8,
};

/* A store with one frame of several chunks, nothing of it in memory. */
struct bed {
	struct fixture f;
	uint8_t raw[RAW_LEN];
	uint64_t ids[N_CHUNKS];
	struct frame_place place;
};

/* Text of a kind: it compresses, and no two chunks are alike. */
static void fill_text(uint8_t *raw)
{
	static const char *const words[] = { "one ",  "two ",   "three ",
					     "four ", "five\n", "six\t" };
	struct rng rng = rng_of(4);
	size_t i = 0;

	while (i < RAW_LEN) {
		const char *word = words[rng_below(&rng, ARRAY_LEN(words))];

		for (; *word && i < RAW_LEN; word++)
			raw[i++] = (uint8_t)*word;
	}
}

static void note_ids(struct parcel *p, int rc)
{
	struct bed *b = p->chunks[0].owner;

	ck_ok(rc);
	for (size_t i = 0; i < N_CHUNKS; i++)
		b->ids[i] = p->chunks[i].id;
}

static void put_frame(struct bed *b)
{
	struct parcel *p;

	ck_ok(parcel_get(b->f.toy.store, true, &p));
	memcpy(p->raw, b->raw, RAW_LEN);
	p->raw_len = RAW_LEN;
	p->n_chunks = N_CHUNKS;
	for (uint32_t i = 0; i < N_CHUNKS; i++)
		p->chunks[i] = (struct parcel_chunk){
			.raw_off = i * CHUNK_LEN,
			.len = CHUNK_LEN,
			.owner = b,
		};
	p->done = note_ids;
	ingest_run(p);
}

static void bed_begin(struct bed *b)
{
	fixture_begin(&b->f);
	fill_text(b->raw);
	put_frame(b);
	ck_ok(toy_set(&b->f.toy, 1, 1));
	fixture_sync(&b->f);
	ck_assert(bank_locate(b->f.toy.store->bank, b->ids[0], &b->place));
	fixture_reopen(&b->f);
}

static void check_view(const struct bed *b, size_t i, struct chunk_view *v)
{
	ck_assert_uint_eq(v->bytes.len, CHUNK_LEN);
	ck_assert_mem_eq(v->bytes.ptr, b->raw + i * CHUNK_LEN, CHUNK_LEN);
	chunk_put(v);
}

static bool frame_is_there(struct bed *b)
{
	return cache_has(b->f.toy.store->cache, b->place.frame);
}

START_TEST(alone_first_then_whole)
{
	static struct bed b;
	struct chunk_view v;

	bed_begin(&b);
	for (unsigned round = 0; round < 3; round++) {
		ck_ok(chunk_get_alone(b.f.toy.store, b.ids[2], &v));
		check_view(&b, 2, &v);
		ck_assert(!frame_is_there(&b));
	}
	/* Another chunk of the frame: it is read more than here and there. */
	ck_ok(chunk_get_alone(b.f.toy.store, b.ids[4], &v));
	check_view(&b, 4, &v);
	ck_assert(frame_is_there(&b));
	for (size_t i = 0; i < N_CHUNKS; i++) {
		ck_ok(chunk_get_alone(b.f.toy.store, b.ids[i], &v));
		check_view(&b, i, &v);
	}
	fixture_end(&b.f);
}
END_TEST

START_TEST(each_alone)
{
	static struct bed b;
	struct chunk_view v;

	bed_begin(&b);
	for (size_t i = 0; i < N_CHUNKS; i++) {
		ck_ok(chunk_get_alone(b.f.toy.store, b.ids[i], &v));
		check_view(&b, i, &v);
		ck_assert(!frame_is_there(&b));
		fixture_reopen(&b.f);
	}
	ck_ok(chunk_get(b.f.toy.store, b.ids[1], &v));
	check_view(&b, 1, &v);
	ck_assert(frame_is_there(&b));
	fixture_end(&b.f);
}
END_TEST

/* Inverts a byte in the middle of the frame. */
static void flip(struct bed *b)
{
	uint64_t off = b->place.off + 48 + b->place.payload_len / 2;
	uint8_t byte;
	char path[600];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/log/%010llu.seg", b->f.dir,
		       (unsigned long long)b->place.segment);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &byte, 1, (off_t)off), 1);
	byte = (uint8_t)~byte;
	ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)off), 1);
	ck_ok(close(fd));
}

struct reader_thread {
	struct bed *b;
	size_t no;
	int want;
	pthread_t thread;
};

static void *read_it(void *arg)
{
	struct reader_thread *t = arg;
	struct bed *b = t->b;

	for (unsigned i = 0; i < 200; i++) {
		struct chunk_view v = { .cached = NULL };
		uint64_t id = b->ids[(t->no + i) % N_CHUNKS];
		int rc = i % 2 ? chunk_get(b->f.toy.store, id, &v)
			       : chunk_get_alone(b->f.toy.store, id, &v);

		if (rc == 0)
			chunk_put(&v);
		if (rc != t->want)
			return t;
	}
	return NULL;
}

static void read_by_many(struct bed *b, int want)
{
	struct reader_thread list[N_THREADS];
	void *failed;

	for (size_t i = 0; i < N_THREADS; i++) {
		list[i] = (struct reader_thread){ b, i, want, 0 };
		ck_ok(pthread_create(&list[i].thread, NULL, read_it, &list[i]));
	}
	for (size_t i = 0; i < N_THREADS; i++) {
		ck_ok(pthread_join(list[i].thread, &failed));
		ck_assert_ptr_null(failed);
	}
}

/* All who read it are told, and when it is whole again, all read it. */
START_TEST(damage_is_told_and_not_remembered)
{
	static struct bed b;

	bed_begin(&b);
	flip(&b);
	read_by_many(&b, -EBADMSG);
	ck_assert(!frame_is_there(&b));
	flip(&b);
	read_by_many(&b, 0);
	fixture_end(&b.f);
}
END_TEST

START_TEST(no_such_chunk)
{
	static struct bed b;
	struct bank_memory lie;
	struct chunk_view v;

	bed_begin(&b);
	ck_rc(chunk_get(b.f.toy.store, 1 << 20, &v), -EUCLEAN);
	ck_rc(chunk_get_alone(b.f.toy.store, 1 << 20, &v), -EUCLEAN);
	/* A place that tells lies. */
	lie.place = b.place;
	lie.moment = bank_moment(b.f.toy.store->bank);
	bank_remember(b.f.toy.store->bank, &lie, (const uint64_t[]){ 1 << 20 },
		      1);
	ck_rc(chunk_get_alone(b.f.toy.store, 1 << 20, &v), -EUCLEAN);
	ck_rc(chunk_get(b.f.toy.store, 1 << 20, &v), -EUCLEAN);
	fixture_end(&b.f);
}
END_TEST

Suite *suite_chunk(void)
{
	const TTest *const tests[] = {
		alone_first_then_whole,
		each_alone,
		damage_is_told_and_not_remembered,
		no_such_chunk,
	};

	return suite_of("store/chunk", tests, ARRAY_LEN(tests), 60);
}
