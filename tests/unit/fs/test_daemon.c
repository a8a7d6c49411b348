/* SPDX-License-Identifier: MIT */
/*
 * test_daemon.c - tests of fs/daemon.c.
 */
#include "daemon.h"
#include "unit/fs/suites.h"

#include "base/report.h"
#include "lib/suite.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

START_TEST(the_parent_waits)
{
	struct daemon d;
	int status = 77;

	if (daemon_fork(&d, &status)) {
		daemon_ready(&d);
		/* A second time means nothing. */
		daemon_ready(&d);
		_exit(5);
	}
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(a_failure_comes_through)
{
	struct daemon d;
	int status = 77;

	if (daemon_fork(&d, &status))
		_exit(32);
	ck_assert_int_eq(status, 32);
	/* Never "all is well" without a word from the child. */
	if (daemon_fork(&d, &status))
		_exit(0);
	ck_assert_int_eq(status, 1);
	report_silence(true);
	if (daemon_fork(&d, &status)) {
		(void)raise(SIGKILL);
		_exit(0);
	}
	report_silence(false);
	ck_assert_int_eq(status, 128 + SIGKILL);
}
END_TEST

/* A lock of the caller's would be held as long as the mount is there. */
START_TEST(the_child_holds_on_to_nothing)
{
	struct daemon d;
	int low = fcntl(STDERR_FILENO, F_DUPFD, 3);
	int high = fcntl(STDERR_FILENO, F_DUPFD, 900);
	int status = 77;

	ck_assert_int_ge(low, 0);
	ck_assert_int_ge(high, 900);
	if (daemon_fork(&d, &status)) {
		if (fcntl(low, F_GETFD) >= 0 || fcntl(high, F_GETFD) >= 0 ||
		    fcntl(STDERR_FILENO, F_GETFD) < 0)
			_exit(5);
		daemon_ready(&d);
		_exit(0);
	}
	ck_assert_int_eq(status, 0);
	ck_assert_int_ge(fcntl(low, F_GETFD), 0);
	(void)close(low);
	(void)close(high);
}
END_TEST

START_TEST(staying_needs_nothing)
{
	struct daemon d;

	daemon_stay(&d);
	daemon_ready(&d);
	/* It has not let go of its output. */
	ck_assert_int_eq(fcntl(STDERR_FILENO, F_GETFD), 0);
	ck_assert_int_eq(d.ready_fd, -1);
}
END_TEST

Suite *suite_daemon(void)
{
	const TTest *const tests[] = {
		the_parent_waits,
		a_failure_comes_through,
		the_child_holds_on_to_nothing,
		staying_needs_nothing,
	};

	return suite_of("fs/daemon", tests, sizeof(tests) / sizeof(tests[0]),
			20);
}
