/* SPDX-License-Identifier: MIT */
/*
 * test_superblock_restore.c - a store that has lost its superblock.
 */
#include "unit/store/suites.h"

#include "base/hash.h"
#include "base/report.h"
#include "lib/fault.h"
#include "lib/suite.h"
#include "store/superblock_restore.h"
#include "unit/store/fixture.h"

#include <stdio.h>
#include <unistd.h>

/* A closed store with one key, and its superblock. */
static struct superblock begin(struct fixture *f)
{
	struct superblock sb;

	fixture_begin(f);
	ck_ok(toy_set(&f->toy, 1, 7));
	ck_ok(toy_close(&f->toy));
	ck_assert_int_eq(superblock_restore(f->dir, false, &sb), 0);
	return sb;
}

START_TEST(one_that_is_missing)
{
	struct fixture f;
	struct superblock old = begin(&f);
	struct superblock got;

	file_remove(f.dir, SUPERBLOCK_NAME);
	ck_assert_int_eq(superblock_restore(f.dir, true, &got), 1);
	ck_assert(!file_exists(f.dir, SUPERBLOCK_NAME));
	ck_assert_int_eq(superblock_restore(f.dir, false, &got), 1);
	ck_assert_mem_eq(got.uuid, old.uuid, sizeof(old.uuid));
	ck_ok(toy_open(&f.toy, f.dir));
	expect_value(&f.toy, 1, 7);
	fixture_end(&f);
}
END_TEST

/* Whatever fails, the next attempt succeeds. */
START_TEST(each_step_may_fail)
{
	char aside[600];
	struct fixture f;
	struct superblock old = begin(&f);
	struct superblock got;
	unsigned n = 0;
	int rc = -EIO;

	(void)snprintf(aside, sizeof(aside), "%s/" SUPERBLOCK_NAME ".bad-1",
		       f.dir);
	report_silence(true);
	while (rc < 0) {
		file_write(f.dir, SUPERBLOCK_NAME, span_of("damage", 6));
		(void)unlink(aside);
		fault_arm(FAULT_IO, ++n, -EIO, false);
		rc = superblock_restore(f.dir, false, &got);
		(void)fault_disarm();
		if (rc < 0)
			ck_assert(superblock_restore(f.dir, false, &got) >= 0);
		ck_assert_mem_eq(got.uuid, old.uuid, sizeof(old.uuid));
	}
	report_silence(false);
	ck_assert_uint_gt(n, 8);
	ck_ok(toy_open(&f.toy, f.dir));
	expect_value(&f.toy, 1, 7);
	fixture_end(&f);
}
END_TEST

START_TEST(who_is_asked)
{
	struct fixture f;
	struct superblock got = begin(&f);
	uint8_t header[64];
	char newer[128] = "sigmafs store\nversion: 2\n";
	size_t len = strlen(newer);

	report_silence(true);
	/* Newer versions know better. */
	len += (size_t)snprintf(
		newer + len, sizeof(newer) - len, "checksum: %016llx\n",
		(unsigned long long)hash64(span_of(newer, len), 0));
	file_write(f.dir, SUPERBLOCK_NAME, span_of(newer, len));
	ck_assert_int_eq(superblock_restore(f.dir, false, &got), -EOPNOTSUPP);
	file_remove(f.dir, SUPERBLOCK_NAME);
	/* A header that is damaged tells nothing. */
	ck_assert_uint_eq(file_read(f.dir, SEGMENT_1, header, sizeof(header)),
			  sizeof(header));
	header[20] ^= 1;
	file_write(f.dir, SEGMENT_1, span_of(header, sizeof(header)));
	ck_assert_int_eq(superblock_restore(f.dir, false, &got), -EUCLEAN);
	file_remove(f.dir, SEGMENT_1);
	ck_assert_int_eq(superblock_restore(f.dir, false, &got), -EUCLEAN);
	ck_assert_int_eq(superblock_restore(f.other, false, &got), -ENOENT);
	report_silence(false);
	fixture_end(&f);
}
END_TEST

Suite *suite_superblock_restore(void)
{
	const TTest *const tests[] = {
		one_that_is_missing,
		each_step_may_fail,
		who_is_asked,
	};

	return suite_of("store/superblock_restore", tests, ARRAY_LEN(tests),
			60);
}
