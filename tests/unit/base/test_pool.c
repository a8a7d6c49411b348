/* SPDX-License-Identifier: MIT */
/*
 * test_pool.c - tests of src/base/pool.c.
 */
#include "unit/base/suites.h"

#include "base/bytes.h"
#include "base/pool.h"
#include "lib/suite.h"

#include <pthread.h>
#include <stdlib.h>

START_TEST(blocks_are_aligned_and_reused)
{
	struct pool *p = NULL;
	void *a;
	void *b;

	ck_ok(pool_new(5000, 1, &p));
	ck_assert_uint_eq(pool_block_len(p), 5000);
	a = pool_get(p);
	b = pool_get(p);
	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_nonnull(b);
	ck_assert_ptr_ne(a, b);
	ck_assert_uint_eq((uintptr_t)a % 4096, 0);
	ck_assert_uint_eq((uintptr_t)b % 4096, 0);
	memset(a, 1, 5000);
	memset(b, 2, 5000);
	pool_put(p, a);
	pool_put(p, b); /* one is kept: this one is freed */
	ck_assert_ptr_eq(pool_get(p), a);
	pool_put(p, a);
	pool_free(p);
}
END_TEST

START_TEST(keeping_none_works)
{
	struct pool *p = NULL;

	ck_ok(pool_new(1, 0, &p));
	pool_put(p, pool_get(p));
	pool_put(p, NULL);
	pool_free(p);
	pool_free(NULL);
}
END_TEST

START_TEST(impossible_sizes_are_refused)
{
	struct pool *p = NULL;
	void *block;

	ck_rc(pool_new(SIZE_MAX, 1, &p), -ENOMEM);
	ck_rc(pool_new(1, SIZE_MAX / 2, &p), -ENOMEM);
	ck_assert_ptr_null(p);
	ck_ok(pool_new(SIZE_MAX / 4, 1, &p));
	block = pool_get(p);
	ck_assert_ptr_null(block);
	pool_free(p);
}
END_TEST

static void *churn(void *arg)
{
	struct pool *p = arg;
	unsigned i;

	for (i = 0; i < 2000; i++) {
		uint8_t *block = pool_get(p);

		ck_assert_ptr_nonnull(block);
		memset(block, (int)i, 4096);
		ck_assert_uint_eq(block[4095], (uint8_t)i);
		pool_put(p, block);
	}
	return NULL;
}

START_TEST(threads_share_it)
{
	pthread_t threads[4];
	struct pool *p = NULL;
	size_t i;

	ck_ok(pool_new(4096, 2, &p));
	for (i = 0; i < ARRAY_LEN(threads); i++)
		ck_ok(pthread_create(&threads[i], NULL, churn, p));
	for (i = 0; i < ARRAY_LEN(threads); i++)
		ck_ok(pthread_join(threads[i], NULL));
	pool_free(p);
}
END_TEST

Suite *suite_pool(void)
{
	const TTest *const tests[] = {
		blocks_are_aligned_and_reused,
		keeping_none_works,
		impossible_sizes_are_refused,
		threads_share_it,
	};

	return suite_of("base/pool", tests, ARRAY_LEN(tests), 20);
}
