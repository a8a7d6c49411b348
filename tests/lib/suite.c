/* SPDX-License-Identifier: MIT */
/*
 * suite.c - running the suites of one test program.
 */
#include "lib/suite.h"

#include "lib/tmpdir.h"

#include <stdlib.h>

const char *__asan_default_options(void);
const char *__tsan_default_options(void);
const char *__ubsan_default_options(void);

Suite *suite_of(const char *name, const TTest *const *tests, size_t n_tests,
		double timeout_s)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	size_t i;

	tcase_set_timeout(tcase, timeout_s);
	for (i = 0; i < n_tests; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return suite;
}

/*
 * A test that fails, or dies, leaves its directory behind: so all of them lie
 * in one, which goes with the program.
 */
static void move_in(struct tmpdir *t)
{
	tmpdir_init(t);
	if (setenv("TMPDIR", t->path, 1) != 0)
		abort();
}

int suite_run(const suite_maker *suites)
{
	SRunner *runner = srunner_create(NULL);
	struct tmpdir all;
	int n_failed;

	move_in(&all);
	for (; *suites; suites++)
		srunner_add_suite(runner, (*suites)());
	srunner_run_all(runner, CK_NORMAL);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	tmpdir_release(&all);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/*
 * The sanitizers ask for their settings here; without one nobody calls these.
 * Tests request more memory than there is, to see -ENOMEM.
 */
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1:detect_stack_use_after_return=1";
}

const char *__tsan_default_options(void)
{
	return "allocator_may_return_null=1:halt_on_error=1:"
	       "second_deadlock_stack=1";
}

const char *__ubsan_default_options(void)
{
	return "print_stacktrace=1";
}
