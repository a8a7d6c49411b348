/* SPDX-License-Identifier: MIT */
/*
 * test_slabs.c - tests of src/base/slabs.c.
 */
#include "unit/base/suites.h"

#include "base/bytes.h"
#include "base/slabs.h"
#include "lib/rng.h"
#include "lib/suite.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

enum {
	PAGE = SLABS_PAGE_LEN,
	N_BLOCKS = 200,
	LEN_MAX = 300 << 10,
};

struct block {
	uint8_t *bytes;
	size_t len;
	uint8_t value;
};

/* A block that is full of its value. */
static void take(struct slabs *s, struct block *b, size_t len, uint8_t value)
{
	*b = (struct block){ slabs_get(s, len), len, value };
	ck_assert_ptr_nonnull(b->bytes);
	ck_assert_uint_eq((uintptr_t)b->bytes % PAGE, 0);
	memset(b->bytes, value, len);
}

/* Nobody else has written there. */
static void give(struct slabs *s, struct block *b)
{
	for (size_t i = 0; i < b->len; i += 512)
		ck_assert_uint_eq(b->bytes[i], b->value);
	ck_assert_uint_eq(b->bytes[b->len - 1], b->value);
	slabs_put(s, b->bytes, b->len);
	b->bytes = NULL;
}

START_TEST(lengths)
{
	static const size_t lens[] = {
		1,
		PAGE - 1,
		PAGE,
		PAGE + 1,
		SLABS_BLOCK_MAX - 1,
		SLABS_BLOCK_MAX,
	};
	struct block blocks[ARRAY_LEN(lens)];
	struct slabs *s;

	ck_ok(slabs_new(&s));
	for (size_t i = 0; i < ARRAY_LEN(lens); i++)
		take(s, &blocks[i], lens[i], (uint8_t)i);
	for (size_t i = 0; i < ARRAY_LEN(lens); i++)
		give(s, &blocks[i]);
	slabs_put(s, NULL, 1);
	slabs_free(s);
	slabs_free(NULL);
}
END_TEST

/* Takes and gives back blocks of any length in any order. */
static void stir(struct slabs *s, uint64_t seed)
{
	struct rng rng = rng_of(seed);
	struct block blocks[N_BLOCKS] = { { NULL, 0, 0 } };

	for (unsigned i = 0; i < 8 * N_BLOCKS; i++) {
		struct block *b = &blocks[rng_below(&rng, N_BLOCKS)];

		if (b->bytes)
			give(s, b);
		else
			take(s, b, 1 + rng_below(&rng, LEN_MAX), (uint8_t)i);
	}
	for (unsigned i = 0; i < N_BLOCKS; i++)
		if (blocks[i].bytes)
			give(s, &blocks[i]);
}

START_TEST(blocks_do_not_overlap)
{
	struct slabs *s;

	ck_ok(slabs_new(&s));
	stir(s, 1);
	slabs_free(s);
}
END_TEST

/* What was given back is the first that is taken again. */
START_TEST(pages_are_used_again)
{
	struct block a;
	struct block b;
	struct block c;
	uint8_t *first;
	struct slabs *s;

	ck_ok(slabs_new(&s));
	take(s, &a, 10 * PAGE, 1);
	take(s, &b, 10 * PAGE, 2);
	first = a.bytes;
	give(s, &a);
	take(s, &a, 11 * PAGE, 3); /* too long for the hole */
	ck_assert(a.bytes > b.bytes);
	take(s, &c, 10 * PAGE, 4);
	ck_assert_ptr_eq(c.bytes, first);
	give(s, &a);
	give(s, &b);
	give(s, &c);
	slabs_free(s);
}
END_TEST

static void *stir_apart(void *arg)
{
	stir(arg, 2);
	return NULL;
}

START_TEST(many_threads)
{
	enum { N_THREADS = 4 };
	pthread_t threads[N_THREADS];
	struct slabs *s;

	ck_ok(slabs_new(&s));
	for (unsigned i = 0; i < N_THREADS; i++)
		ck_ok(pthread_create(&threads[i], NULL, stir_apart, s));
	for (unsigned i = 0; i < N_THREADS; i++)
		ck_ok(pthread_join(threads[i], NULL));
	slabs_free(s);
}
END_TEST

Suite *suite_slabs(void)
{
	const TTest *const tests[] = {
		lengths,
		blocks_do_not_overlap,
		pages_are_used_again,
		many_threads,
	};

	return suite_of("base/slabs", tests, ARRAY_LEN(tests), 60);
}
