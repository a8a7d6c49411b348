/* SPDX-License-Identifier: MIT */
/*
 * suite.h - running the suites of one test program.
 */
#ifndef TESTS_LIB_SUITE_H
#define TESTS_LIB_SUITE_H

#include <check.h>
#include <stddef.h>

/* Makes one suite; check owns it from then on. */
typedef Suite *(*suite_maker)(void);

/*
 * Runs all suites up to the NULL that ends the array, prints check's summary
 * ("100%: Checks: N, Failures: 0, Errors: 0"), and returns main()'s status.
 * CK_FORK=no runs them in this process.
 */
int suite_run(const suite_maker *suites);

/* A suite with one case that holds `tests`. A test that forks, waits or
 * computes may take up to `timeout_s` seconds. */
Suite *suite_of(const char *name, const TTest *const *tests, size_t n_tests,
		double timeout_s);

/* Fails the test unless `expr` is `want`; prints both. */
#define ck_rc(expr, want) ck_assert_int_eq((expr), (want))
#define ck_ok(expr)       ck_assert_int_eq((expr), 0)

#endif
