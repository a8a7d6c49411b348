/* SPDX-License-Identifier: MIT */
/*
 * test_explain.c - tests of fs/explain.c.
 */
#include "explain.h"
#include "unit/fs/suites.h"

#include "lib/suite.h"
#include "lib/tmpdir.h"

#include <errno.h>
#include <string.h>

static void told(const char *path, int rc, const char *wanted)
{
	char text[EXPLAIN_MAX];

	explain_open(path, rc, text);
	ck_assert_msg(strstr(text, wanted) != NULL, "%d: %s", rc, text);
	/* The thing is named, and it is one line. */
	ck_assert_ptr_nonnull(strstr(text, path));
	ck_assert_ptr_null(strchr(text, '\n'));
}

START_TEST(names_the_store)
{
	struct tmpdir tmp;

	tmpdir_init(&tmp);
	told(tmp.path, -ENOENT, "is not a sigmafs store");
	told("/no/such/thing", -ENOENT, "cannot be found");
	told("/dev/null", -ENOENT, "is not a directory");
	told(tmp.path, -EOPNOTSUPP, "newer format");
	told(tmp.path, -EACCES, "no permission");
	told(tmp.path, -EPERM, "no permission");
	told(tmp.path, -EUCLEAN, "is damaged");
	told(tmp.path, -EWOULDBLOCK, "in use by another process");
	told(tmp.path, -EMFILE, "Too many open files");
	tmpdir_release(&tmp);
}
END_TEST

START_TEST(names_what_is_in_the_way)
{
	char text[EXPLAIN_MAX];

	explain_create("/x", -EEXIST, text);
	ck_assert_str_eq(text, "cannot make a store at '/x': there is a store "
			       "already");
	explain_create("/x", -ENOTEMPTY, text);
	ck_assert_ptr_nonnull(strstr(text, "not empty"));
	explain_create("/x", -EROFS, text);
	ck_assert_ptr_nonnull(strstr(text, "Read-only"));
}
END_TEST

START_TEST(bounds_long_names)
{
	char path[2 * EXPLAIN_MAX];
	char text[EXPLAIN_MAX];

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	explain_open(path, -ENOENT, text);
	ck_assert_uint_lt(strlen(text), EXPLAIN_MAX);
	explain_create(path, -EIO, text);
	ck_assert_uint_lt(strlen(text), EXPLAIN_MAX);
}
END_TEST

Suite *suite_explain(void)
{
	const TTest *const tests[] = {
		names_the_store,
		names_what_is_in_the_way,
		bounds_long_names,
	};

	return suite_of("fs/explain", tests, sizeof(tests) / sizeof(tests[0]),
			10);
}
