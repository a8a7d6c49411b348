/* SPDX-License-Identifier: MIT */
/*
 * test_cleanup.c - tests of src/base/cleanup.h.
 */
#include "unit/base/suites.h"

#include "base/bytes.h"
#include "base/cleanup.h"
#include "lib/suite.h"

#include <fcntl.h>

/* A descriptor that stays open only when it is handed over. */
static int open_null(bool hand_over, int *ret_number)
{
	AUTO_CLOSE int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	*ret_number = fd;
	return hand_over ? steal_fd(&fd) : -1;
}

static char *copy_text(bool hand_over)
{
	AUTO_FREE char *copy = strdup("text");

	return hand_over ? steal_ptr(&copy) : NULL;
}

START_TEST(descriptor_is_closed_at_end_of_scope)
{
	int number;

	ck_assert_int_eq(open_null(false, &number), -1);
	ck_assert_int_ge(number, 0);
	ck_assert_int_eq(fcntl(number, F_GETFD), -1);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

START_TEST(stolen_descriptor_stays_open)
{
	int number;
	int fd = open_null(true, &number);

	ck_assert_int_eq(fd, number);
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
	ck_assert_int_eq(close(fd), 0);
}
END_TEST

/* The address sanitizer is the judge of what is freed here. */
START_TEST(pointer_is_freed_unless_stolen)
{
	char *kept = copy_text(true);

	ck_assert_str_eq(kept, "text");
	free(kept);
	ck_assert_ptr_null(copy_text(false));
}
END_TEST

Suite *suite_cleanup(void)
{
	const TTest *const tests[] = {
		descriptor_is_closed_at_end_of_scope,
		stolen_descriptor_stays_open,
		pointer_is_freed_unless_stolen,
	};

	return suite_of("base/cleanup", tests, ARRAY_LEN(tests), 5);
}
