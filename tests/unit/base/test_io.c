/* SPDX-License-Identifier: MIT */
/*
 * test_io.c - tests of src/base/io.c.
 */
#include "unit/base/suites.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/report.h"
#include "lib/suite.h"
#include "lib/tmpdir.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_file(const struct tmpdir *dir, const char *name)
{
	int fd = io_open(dir->fd, name, O_RDWR | O_CREAT | O_EXCL, 0600);

	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(open_says_why_not)
{
	struct tmpdir dir;
	int fd;

	tmpdir_init(&dir);
	ck_rc(io_open(dir.fd, "none", O_RDONLY, 0), -ENOENT);
	fd = make_file(&dir, "a");
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_rc(io_open(dir.fd, "a", O_RDWR | O_CREAT | O_EXCL, 0600), -EEXIST);
	ck_ok(io_close(fd));
	ck_rc(io_close(fd), -EBADF);
	tmpdir_release(&dir);
}
END_TEST

START_TEST(open_follows_no_link)
{
	struct tmpdir dir;

	tmpdir_init(&dir);
	ck_ok(io_close(make_file(&dir, "a")));
	ck_ok(symlinkat("a", dir.fd, "link"));
	ck_rc(io_open(dir.fd, "link", O_RDONLY, 0), -ELOOP);
	tmpdir_release(&dir);
}
END_TEST

START_TEST(open_waits_for_no_pipe)
{
	struct tmpdir dir;

	tmpdir_init(&dir);
	ck_ok(mkfifoat(dir.fd, "pipe", 0600));
	report_silence(true);
	ck_rc(io_open(dir.fd, "pipe", O_RDONLY, 0), -EUCLEAN);
	ck_rc(io_open(dir.fd, "pipe", O_RDWR, 0), -EUCLEAN);
	report_silence(false);
	tmpdir_release(&dir);
}
END_TEST

START_TEST(reads_end_at_the_end)
{
	char buf[8] = "-------";
	struct tmpdir dir;
	int fd;

	tmpdir_init(&dir);
	fd = make_file(&dir, "a");
	ck_rc(io_pread(fd, buf, sizeof(buf), 0), 0);
	ck_ok(io_pwrite(fd, "hello", 5, 0));
	ck_rc(io_pread(fd, buf, 5, 0), 5);
	ck_assert_mem_eq(buf, "hello--", 7);
	ck_rc(io_pread(fd, buf, sizeof(buf), 3), 2);
	ck_assert_mem_eq(buf, "lollo--", 7);
	ck_rc(io_pread(fd, buf, sizeof(buf), 5), 0);
	ck_rc(io_pread(fd, buf, 0, 0), 0);
	ck_rc(io_pread(fd, buf, 1, UINT64_MAX), -EINVAL);
	ck_ok(io_close(fd));
	ck_rc(io_pread(fd, buf, 1, 0), -EBADF);
	tmpdir_release(&dir);
}
END_TEST

START_TEST(short_file_is_damage)
{
	struct tmpdir dir;
	char buf[8];
	int fd;

	tmpdir_init(&dir);
	fd = make_file(&dir, "a");
	ck_ok(io_pwrite(fd, "hello", 5, 0));
	ck_ok(io_pread_full(fd, buf, 5, 0));
	report_silence(true);
	ck_rc(io_pread_full(fd, buf, 6, 0), -EUCLEAN);
	ck_rc(io_pread_full(fd, buf, 1, 5), -EUCLEAN);
	report_silence(false);
	ck_ok(io_pread_full(fd, buf, 0, 5));
	ck_ok(io_close(fd));
	ck_rc(io_pread_full(fd, buf, 1, 0), -EBADF);
	tmpdir_release(&dir);
}
END_TEST

START_TEST(writes_leave_holes_and_grow)
{
	struct tmpdir dir;
	uint64_t size = 0;
	char buf[3];
	int fd;

	tmpdir_init(&dir);
	fd = make_file(&dir, "a");
	ck_ok(io_pwrite(fd, "x", 1, 1000000));
	ck_ok(io_size(fd, &size));
	ck_assert_uint_eq(size, 1000001);
	ck_ok(io_pread_full(fd, buf, 3, 999998));
	ck_assert_mem_eq(buf, "\0\0x", 3);
	ck_ok(io_pwrite(fd, "y", 0, 5000000));
	ck_ok(io_ftruncate(fd, 10));
	ck_ok(io_size(fd, &size));
	ck_assert_uint_eq(size, 10);
	ck_ok(io_fdatasync(fd));
	ck_ok(io_fsync(fd));
	ck_ok(io_close(fd));
	tmpdir_release(&dir);
}
END_TEST

START_TEST(failures_carry_errno)
{
	uint64_t size = 77;
	struct tmpdir dir;
	int fd;

	tmpdir_init(&dir);
	ck_ok(io_close(make_file(&dir, "a")));
	fd = io_open(dir.fd, "a", O_RDONLY, 0);
	ck_assert_int_ge(fd, 0);
	ck_rc(io_pwrite(fd, "x", 1, 0), -EBADF);
	ck_rc(io_ftruncate(fd, 1), -EINVAL);
	ck_rc(io_allocate(fd, 0, 1), -EBADF);
	ck_ok(io_close(fd));
	ck_rc(io_size(fd, &size), -EBADF);
	ck_assert_uint_eq(size, 77);
	ck_rc(io_fsync(fd), -EBADF);
	ck_rc(io_fdatasync(fd), -EBADF);
	tmpdir_release(&dir);
}
END_TEST

START_TEST(full_device_is_told)
{
	int fd = io_open(AT_FDCWD, "/dev/full", O_WRONLY, 0);

	ck_assert_int_ge(fd, 0);
	ck_rc(io_pwrite(fd, "x", 1, 0), -ENOSPC);
	ck_ok(io_close(fd));
}
END_TEST

START_TEST(allocation_grows_the_file)
{
	struct tmpdir dir;
	uint64_t size = 0;
	int fd;
	int rc;

	tmpdir_init(&dir);
	fd = make_file(&dir, "a");
	rc = io_allocate(fd, 0, 8192);
	if (rc != -EOPNOTSUPP) {
		ck_ok(rc);
		ck_ok(io_size(fd, &size));
		ck_assert_uint_eq(size, 8192);
	}
	ck_rc(io_allocate(fd, 0, 0), -EINVAL);
	ck_ok(io_close(fd));
	tmpdir_release(&dir);
}
END_TEST

START_TEST(names_come_and_go)
{
	struct tmpdir dir;

	tmpdir_init(&dir);
	ck_ok(io_mkdir(dir.fd, "d", 0700));
	ck_rc(io_mkdir(dir.fd, "d", 0700), -EEXIST);
	ck_ok(io_close(make_file(&dir, "a")));
	ck_ok(io_close(make_file(&dir, "b")));
	ck_ok(io_rename(dir.fd, "a", "b"));
	ck_rc(io_rename(dir.fd, "a", "b"), -ENOENT);
	ck_ok(io_unlink(dir.fd, "b"));
	ck_rc(io_unlink(dir.fd, "b"), -ENOENT);
	ck_rc(io_unlink(dir.fd, "d"), -EISDIR);
	tmpdir_release(&dir);
}
END_TEST

static int count_name(void *ctx, const char *name)
{
	unsigned *n = ctx;

	ck_assert(strcmp(name, "a") == 0 || strcmp(name, "b") == 0);
	++*n;
	return 0;
}

static int stop_at_once(void *ctx, const char *name)
{
	(void)name;
	++*(unsigned *)ctx;
	return -ECANCELED;
}

START_TEST(directories_are_listed)
{
	struct tmpdir dir;
	unsigned n = 0;
	int fd;

	tmpdir_init(&dir);
	ck_ok(io_list(dir.fd, count_name, &n));
	ck_assert_uint_eq(n, 0);
	fd = make_file(&dir, "a");
	ck_ok(io_mkdir(dir.fd, "b", 0700));
	ck_ok(io_list(dir.fd, count_name, &n));
	ck_assert_uint_eq(n, 2);
	ck_rc(io_list(dir.fd, stop_at_once, &n), -ECANCELED);
	ck_assert_uint_eq(n, 3);
	ck_rc(io_list(fd, count_name, &n), -ENOTDIR);
	ck_rc(io_list(-1, count_name, &n), -EBADF);
	ck_rc(io_rmdir(dir.fd, "a"), -ENOTDIR);
	ck_ok(io_rmdir(dir.fd, "b"));
	ck_rc(io_rmdir(dir.fd, "b"), -ENOENT);
	ck_ok(io_close(fd));
	tmpdir_release(&dir);
}
END_TEST

START_TEST(files_are_copied)
{
	static uint8_t bytes[600000];
	char from[300];
	char to[300];
	struct tmpdir dir;
	const char *usual = getenv("TMPDIR");
	AUTO_FREE char *kept = usual ? strdup(usual) : NULL;
	char *temp = NULL;
	uint64_t size = 0;
	int fd;

	tmpdir_init(&dir);
	fd = make_file(&dir, "a");
	ck_ok(io_random(bytes, sizeof(bytes)));
	ck_ok(io_pwrite(fd, bytes, sizeof(bytes), 0));
	ck_ok(io_close(fd));
	ck_ok(setenv("TMPDIR", dir.path, 1));
	ck_ok(io_temp_dir(&temp));
	ck_assert_mem_eq(temp, dir.path, strlen(dir.path));
	(void)snprintf(from, sizeof(from), "%s/a", dir.path);
	(void)snprintf(to, sizeof(to), "%s/b", temp);
	ck_ok(io_copy(from, to));
	ck_rc(io_copy(from, to), -EEXIST);
	ck_rc(io_copy(to + 1, from), -ENOENT);
	fd = io_open(AT_FDCWD, to, O_RDONLY, 0);
	ck_ok(io_size(fd, &size));
	ck_assert_uint_eq(size, sizeof(bytes));
	ck_ok(io_close(fd));
	free(temp);
	/* One that cannot be is passed by. */
	ck_ok(setenv("TMPDIR", "/nonexistent", 1));
	ck_ok(io_temp_dir(&temp));
	ck_ok(io_rmdir(AT_FDCWD, temp));
	free(temp);
	ck_ok(kept ? setenv("TMPDIR", kept, 1) : unsetenv("TMPDIR"));
	tmpdir_release(&dir);
}
END_TEST

START_TEST(lock_has_one_holder)
{
	struct tmpdir dir;
	int one;
	int two;

	tmpdir_init(&dir);
	one = make_file(&dir, "a");
	two = io_open(dir.fd, "a", O_RDWR, 0);
	ck_assert_int_ge(two, 0);
	ck_ok(io_lock(one));
	ck_ok(io_lock(one));
	ck_rc(io_lock(two), -EWOULDBLOCK);
	ck_ok(io_close(one));
	ck_ok(io_lock(two));
	ck_ok(io_close(two));
	tmpdir_release(&dir);
}
END_TEST

START_TEST(space_and_chance)
{
	uint64_t n_free = 0;
	uint64_t n_total = 0;
	uint8_t a[600] = { 0 };
	uint8_t b[600] = { 0 };
	struct tmpdir dir;

	tmpdir_init(&dir);
	ck_ok(io_space(dir.fd, &n_free, &n_total));
	ck_assert_uint_gt(n_total, 0);
	ck_assert_uint_le(n_free, n_total);
	ck_ok(io_random(a, sizeof(a)));
	ck_ok(io_random(b, sizeof(b)));
	ck_assert_mem_ne(a, b, sizeof(a));
	ck_assert_mem_ne(a + 568, b + 568, 32);
	ck_ok(io_random(NULL, 0));
	tmpdir_release(&dir);
	ck_rc(io_space(-1, &n_free, &n_total), -EBADF);
}
END_TEST

START_TEST(streams_come_in_what_there_is)
{
	char buf[8] = { 0 };
	int fds[2];

	ck_ok(pipe2(fds, O_CLOEXEC));
	ck_ok(io_write(fds[1], "hello", 5));
	ck_rc(io_read(fds[0], buf, sizeof(buf)), 5);
	ck_assert_str_eq(buf, "hello");
	ck_ok(io_write(fds[1], "", 0));
	ck_ok(io_close(fds[1]));
	ck_rc(io_read(fds[0], buf, sizeof(buf)), 0);
	ck_ok(io_close(fds[0]));
	ck_rc(io_read(fds[0], buf, sizeof(buf)), -EBADF);
	ck_rc(io_write(fds[0], "x", 1), -EBADF);
}
END_TEST

enum { MUCH = 1 << 20 };

static void *write_much(void *arg)
{
	uint8_t *bytes = malloc(MUCH);
	int *fd = arg;
	size_t i;

	ck_assert_ptr_nonnull(bytes);
	for (i = 0; i < MUCH; i++)
		bytes[i] = (uint8_t)(i * 7 >> 4);
	ck_ok(io_write(*fd, bytes, MUCH));
	ck_ok(io_close(*fd));
	free(bytes);
	return NULL;
}

/* A pipe that would not wait, written in more than it holds. */
START_TEST(streams_wait_where_the_descriptor_does_not)
{
	pthread_t thread;
	uint8_t buf[5000];
	size_t n_wrong = 0;
	size_t len = 0;
	int fds[2];
	ssize_t n;
	ssize_t i;

	ck_ok(pipe2(fds, O_NONBLOCK | O_CLOEXEC));
	ck_ok(pthread_create(&thread, NULL, write_much, &fds[1]));
	while ((n = io_read(fds[0], buf, sizeof(buf))) > 0)
		for (i = 0; i < n; i++, len++)
			n_wrong += buf[i] != (uint8_t)(len * 7 >> 4);
	ck_rc((int)n, 0);
	ck_ok(pthread_join(thread, NULL));
	ck_assert_uint_eq(len, MUCH);
	ck_assert_uint_eq(n_wrong, 0);
	ck_ok(io_close(fds[0]));
}
END_TEST

START_TEST(a_new_name_replaces_nothing)
{
	struct tmpdir dir;
	char buf[1];
	int fd;

	tmpdir_init(&dir);
	fd = make_file(&dir, "a");
	ck_ok(io_pwrite(fd, "a", 1, 0));
	ck_ok(io_close(make_file(&dir, "b")));
	ck_rc(io_rename_new(dir.fd, "a", "b"), -EEXIST);
	ck_rc(io_rename_new(dir.fd, "none", "c"), -ENOENT);
	ck_ok(io_rename_new(dir.fd, "a", "c"));
	ck_rc(io_open(dir.fd, "a", O_RDONLY, 0), -ENOENT);
	ck_ok(io_close(fd));
	fd = io_open(dir.fd, "c", O_RDONLY, 0);
	ck_rc(io_pread(fd, buf, 1, 0), 1);
	ck_ok(io_close(fd));
	tmpdir_release(&dir);
}
END_TEST

/* What the system remembers is read from there; it may remember all, but what was
 * just written is in any case. */
START_TEST(read_past_the_cache)
{
	static uint8_t bytes[3 * IO_PAGE_LEN];
	uint8_t *got = aligned_alloc(IO_PAGE_LEN, sizeof(bytes));
	struct tmpdir dir;
	ssize_t n;
	int direct;
	int fd;

	tmpdir_init(&dir);
	memset(bytes, 7, sizeof(bytes));
	fd = make_file(&dir, "a");
	ck_ok(io_pwrite(fd, bytes, sizeof(bytes) - 100, 0));
	ck_assert(io_is_cached(fd, 0, sizeof(bytes)));
	ck_ok(io_fsync(fd));
	direct = io_open(dir.fd, "a", O_RDONLY | O_DIRECT, 0);
	if (direct < 0) {
		ck_rc(direct, -EINVAL); /* such filesystems there are */
	} else {
		n = io_pread_direct(direct, got, sizeof(bytes), 0);
		ck_assert_int_eq(n, sizeof(bytes) - 100);
		ck_assert_mem_eq(got, bytes, sizeof(bytes) - 100);
		ck_ok(io_close(direct));
	}
	ck_ok(io_close(fd));
	free(got);
	tmpdir_release(&dir);
}
END_TEST

START_TEST(pages_of_offsets)
{
	ck_assert_uint_eq(io_page_down(0), 0);
	ck_assert_uint_eq(io_page_up(0), 0);
	ck_assert_uint_eq(io_page_down(IO_PAGE_LEN - 1), 0);
	ck_assert_uint_eq(io_page_up(1), IO_PAGE_LEN);
	ck_assert_uint_eq(io_page_up(IO_PAGE_LEN), IO_PAGE_LEN);
}
END_TEST

Suite *suite_io(void)
{
	const TTest *const tests[] = {
		open_says_why_not,
		open_follows_no_link,
		open_waits_for_no_pipe,
		pages_of_offsets,
		read_past_the_cache,
		reads_end_at_the_end,
		short_file_is_damage,
		writes_leave_holes_and_grow,
		failures_carry_errno,
		full_device_is_told,
		allocation_grows_the_file,
		names_come_and_go,
		streams_come_in_what_there_is,
		streams_wait_where_the_descriptor_does_not,
		a_new_name_replaces_nothing,
		directories_are_listed,
		files_are_copied,
		lock_has_one_holder,
		space_and_chance,
	};

	return suite_of("base/io", tests, ARRAY_LEN(tests), 20);
}
