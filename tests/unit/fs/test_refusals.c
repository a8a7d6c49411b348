/* SPDX-License-Identifier: MIT */
/*
 * test_refusals.c - told once for each refusal; a bounded number of inodes.
 */
#include "unit/fs/suites.h"

#include "base/bytes.h"
#include "lib/suite.h"
#include "refusals.h"

#include <errno.h>
#include <stdatomic.h>

static atomic_uint n_forgotten;

static void forget(void *ctx, uint64_t ino)
{
	atomic_fetch_add(&n_forgotten, 1);
	if (ctx)
		*(uint64_t *)ctx = ino;
}

START_TEST(told_once)
{
	struct refusals *r;
	uint64_t last = 0;

	atomic_store(&n_forgotten, 0);
	ck_ok(refusals_new(forget, &last, &r));
	ck_ok(refusals_take(r, 7));
	refusals_note(r, 7, -ENOSPC);
	/* Before it is told, more of them are the same one. */
	refusals_note(r, 7, -EIO);
	ck_ok(refusals_take(r, 8));
	ck_rc(refusals_take(r, 7), -ENOSPC);
	ck_ok(refusals_take(r, 7));
	refusals_note(r, 7, -EROFS);
	ck_rc(refusals_take(r, 7), -EROFS);
	refusals_free(r);
	ck_assert_uint_eq(atomic_load(&n_forgotten), 2);
	ck_assert_uint_eq(last, 7);
}
END_TEST

START_TEST(bounded)
{
	const uint64_t many = 100000;
	struct refusals *r;
	uint64_t n = 0;
	uint64_t ino;

	ck_ok(refusals_new(forget, NULL, &r));
	for (ino = 1; ino <= many; ino++)
		refusals_note(r, ino, -ENOSPC);
	for (ino = 1; ino <= many; ino++)
		n += refusals_take(r, ino) != 0;
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_le(n, 1024);
	/* There is room again. */
	refusals_note(r, many, -EIO);
	ck_rc(refusals_take(r, many), -EIO);
	refusals_free(r);
	refusals_free(NULL);
}
END_TEST

Suite *suite_refusals(void)
{
	const TTest *const tests[] = { told_once, bounded };

	return suite_of("fs/refusals", tests, ARRAY_LEN(tests), 20);
}
