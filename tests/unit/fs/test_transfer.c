/* SPDX-License-Identifier: MIT */
/*
 * test_transfer.c - tests of fs/transfer.c.
 */
#include "unit/fs/suites.h"

#include "base/bytes.h"
#include "json.h"
#include "lib/suite.h"
#include "lib/tmpdir.h"
#include "transfer.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

START_TEST(files_and_what_is_none)
{
	struct tmpdir dir;
	struct transfer t;
	char path[512];
	char buf[16];
	int fd;

	tmpdir_init(&dir);
	(void)snprintf(path, sizeof(path), "%s/in", dir.path);
	ck_rc(transfer_open(&t, path), -ENOENT);
	transfer_close(&t);
	ck_rc(transfer_open(&t, dir.path), -EISDIR);
	transfer_close(&t);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_eq(write(fd, "hello", 5), 5);
	ck_ok(transfer_open(&t, path));
	ck_assert_str_eq(t.name, path);
	ck_assert(transfer_is_file(&t));
	ck_assert(transfer_is_same(&t, fd));
	ck_assert(!transfer_is_same(&t, dir.fd));
	ck_assert_int_eq(transfer_read(&t, buf, 3), 3);
	/* It grows while it is read. */
	ck_assert_int_eq(write(fd, " world", 6), 6);
	ck_assert_int_eq(transfer_read(&t, buf, sizeof(buf)), 8);
	ck_assert_int_eq(transfer_read(&t, buf, sizeof(buf)), 0);
	ck_assert_uint_eq(t.read_len, 11);
	ck_ok(t.rc);
	transfer_close(&t);
	(void)close(fd);
	ck_ok(transfer_open(&t, "/dev/null"));
	ck_assert(!transfer_is_file(&t));
	transfer_close(&t);
	tmpdir_release(&dir);
}
END_TEST

START_TEST(failures_of_reading_stick)
{
	struct transfer t;
	char buf[1];

	ck_ok(transfer_open(&t, "/proc/self/mem"));
	ck_assert_int_lt(transfer_read(&t, buf, 1), 0);
	ck_rc(t.rc, -EIO);
	transfer_close(&t);
}
END_TEST

START_TEST(the_standard_input_stays_open)
{
	struct transfer t;
	struct stat st;

	ck_ok(transfer_open(&t, "-"));
	ck_assert_str_eq(t.name, "the standard input");
	transfer_close(&t);
	ck_ok(transfer_open(&t, NULL));
	transfer_close(&t);
	ck_ok(fstat(STDIN_FILENO, &st));
}
END_TEST

START_TEST(numbers_of_workers)
{
	unsigned n = 99;

	ck_rc(transfer_parse_workers("", &n), -EINVAL);
	ck_rc(transfer_parse_workers("x", &n), -EINVAL);
	ck_rc(transfer_parse_workers("-1", &n), -EINVAL);
	ck_rc(transfer_parse_workers("+1", &n), -EINVAL);
	ck_rc(transfer_parse_workers(" 1", &n), -EINVAL);
	ck_rc(transfer_parse_workers("1x", &n), -EINVAL);
	ck_rc(transfer_parse_workers("65", &n), -EINVAL);
	ck_rc(transfer_parse_workers("18446744073709551617", &n), -EINVAL);
	ck_assert_uint_eq(n, 99);
	ck_ok(transfer_parse_workers("64", &n));
	ck_assert_uint_eq(n, 64);
	ck_ok(transfer_parse_workers("0", &n));
	ck_assert_uint_ge(n, 1);
	ck_assert_uint_le(n, 64);
}
END_TEST

START_TEST(what_it_took)
{
	struct transfer t;
	struct json json;
	const char *text;
	uint64_t peak = 0;

	ck_ok(transfer_open(&t, "/dev/null"));
	json_init(&json, 1000);
	json_open(&json, NULL, '{');
	transfer_put(&t, 12345, &json);
	json_close(&json, '}');
	ck_ok(json_end(&json, &text));
	ck_ok(json_get_u64(text, "peak_memory_bytes", &peak));
	ck_assert_uint_gt(peak, MIB);
	ck_assert_uint_ge(transfer_peak_memory(), peak);
	ck_assert_ptr_nonnull(strstr(text, "\"wall_seconds\":0."));
	json_release(&json);
	transfer_close(&t);
}
END_TEST

Suite *suite_transfer(void)
{
	const TTest *const tests[] = {
		files_and_what_is_none,
		failures_of_reading_stick,
		the_standard_input_stays_open,
		numbers_of_workers,
		what_it_took,
	};

	return suite_of("fs/transfer", tests, ARRAY_LEN(tests), 20);
}
