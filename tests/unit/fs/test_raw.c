/* SPDX-License-Identifier: MIT */
/*
 * test_raw.c - tests of fs/raw.c: what it leaves alone. What it serves is tried
 * on a mount, by tests/posix.
 */
#include "raw.h"
#include "unit/fs/suites.h"

#include "lib/suite.h"

#include <linux/fuse.h>

START_TEST(the_rest_is_left_to_libfuse)
{
	struct fuse_in_header header = { .len = sizeof(header), .unique = 42 };
	uint32_t opcode;

	for (opcode = 0; opcode < 5000; opcode++) {
		if (opcode == 51 || opcode == 52)
			continue;
		header.opcode = opcode;
		ck_assert(!raw_serve(NULL, span_of(&header, sizeof(header))));
	}
	/* Shorter than a header. */
	header.opcode = 52;
	ck_assert(!raw_serve(NULL, span_of(&header, sizeof(header) - 1)));
	ck_assert(!raw_serve(NULL, span_of(NULL, 0)));
}
END_TEST

Suite *suite_raw(void)
{
	const TTest *const tests[] = { the_rest_is_left_to_libfuse };

	return suite_of("fs/raw", tests, ARRAY_LEN(tests), 5);
}
