/* SPDX-License-Identifier: MIT */
/*
 * test_output.c - tests of fs/output.c.
 */
#include "unit/fs/suites.h"

#include "lib/rng.h"
#include "lib/suite.h"
#include "lib/tmpdir.h"
#include "output.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCK ((size_t)4096)

static struct tmpdir dir;

static const char *path_of(const char *name)
{
	static char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", dir.path, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "we");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_ok(fclose(file));
}

static void check_file(const char *name, const void *bytes, size_t len)
{
	uint8_t *got = malloc(len + 1);
	FILE *file = fopen(path_of(name), "re");

	ck_assert_ptr_nonnull(got);
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fread(got, 1, len + 1, file), len);
	if (len > 0)
		ck_assert_mem_eq(got, bytes, len);
	(void)fclose(file);
	free(got);
}

static struct span text(const char *t)
{
	return span_of(t, strlen(t));
}

START_TEST(a_file_appears_when_it_is_whole)
{
	struct output o;
	struct stat st;
	mode_t mask;

	tmpdir_init(&dir);
	mask = umask(027);
	ck_ok(output_open(&o, path_of("out"), false));
	ck_ok(output_write(&o, text("hello ")));
	ck_rc(access(path_of("out"), F_OK), -1);
	ck_ok(output_write(&o, text("world")));
	ck_ok(output_finish(&o, NULL));
	(void)umask(mask);
	check_file("out", "hello world", 11);
	ck_assert_uint_eq(tmpdir_n_files(&dir), 1);
	ck_ok(stat(path_of("out"), &st));
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	tmpdir_release(&dir);
}
END_TEST

START_TEST(an_empty_file_is_a_file)
{
	struct output o;

	tmpdir_init(&dir);
	ck_ok(output_open(&o, path_of("out"), false));
	ck_ok(output_finish(&o, NULL));
	check_file("out", "", 0);
	tmpdir_release(&dir);
}
END_TEST

START_TEST(an_abandoned_one_leaves_nothing)
{
	struct output o;

	tmpdir_init(&dir);
	ck_ok(output_open(&o, path_of("out"), false));
	ck_ok(output_write(&o, text("hello")));
	ck_assert_uint_eq(tmpdir_n_files(&dir), 1);
	output_abandon(&o);
	ck_assert_uint_eq(tmpdir_n_files(&dir), 0);
	output_abandon(&o); /* twice is once */
	tmpdir_release(&dir);
}
END_TEST

START_TEST(nothing_is_replaced_unless_told)
{
	struct output o;

	tmpdir_init(&dir);
	put("out", "old");
	ck_rc(output_open(&o, path_of("out"), false), -EEXIST);
	output_abandon(&o);
	/* One that appears meanwhile. */
	ck_ok(output_open(&o, path_of("late"), false));
	put("late", "theirs");
	ck_rc(output_finish(&o, NULL), -EEXIST);
	check_file("late", "theirs", 6);
	ck_assert_uint_eq(tmpdir_n_files(&dir), 2);
	ck_ok(output_open(&o, path_of("out"), true));
	ck_ok(output_write(&o, text("new")));
	check_file("out", "old", 3);
	ck_ok(output_finish(&o, NULL));
	check_file("out", "new", 3);
	ck_rc(output_open(&o, dir.path, true), -EISDIR);
	ck_rc(output_open(&o, path_of("none/out"), true), -ENOENT);
	ck_rc(output_open(&o, path_of("out/"), true), -EISDIR);
	ck_rc(output_open(&o, path_of("other/"), false), -EISDIR);
	ck_assert_uint_eq(tmpdir_n_files(&dir), 2);
	tmpdir_release(&dir);
}
END_TEST

START_TEST(a_link_stays_a_link)
{
	struct output o;
	struct stat st;

	tmpdir_init(&dir);
	put("target", "old");
	ck_ok(symlinkat("target", dir.fd, "link"));
	ck_ok(symlinkat("nowhere", dir.fd, "dangling"));
	ck_rc(output_open(&o, path_of("link"), false), -EEXIST);
	ck_rc(output_open(&o, path_of("dangling"), false), -EEXIST);
	ck_ok(output_open(&o, path_of("link"), true));
	ck_ok(output_write(&o, text("new")));
	ck_ok(output_finish(&o, NULL));
	check_file("target", "new", 3);
	ck_ok(lstat(path_of("link"), &st));
	ck_assert(S_ISLNK(st.st_mode));
	tmpdir_release(&dir);
}
END_TEST

START_TEST(attributes_are_those_of_the_input)
{
	const struct stat like = {
		.st_mode = S_IFREG | S_ISUID | 0751,
		.st_mtim = { 1000000000, 123456789 },
	};
	struct output o;
	struct stat st;

	tmpdir_init(&dir);
	ck_ok(output_open(&o, path_of("out"), false));
	ck_ok(output_finish(&o, &like));
	ck_ok(stat(path_of("out"), &st));
	ck_assert_uint_eq(st.st_mode & 07777, 0751);
	ck_assert_int_eq(st.st_mtim.tv_sec, 1000000000);
	ck_assert_int_eq(st.st_mtim.tv_nsec, 123456789);
	tmpdir_release(&dir);
}
END_TEST

enum { HOLED_LEN = 160 << 10 };

/* Noise and zeros, each of all lengths, at all places. */
static void fill_unevenly(struct rng *rng, uint8_t *bytes)
{
	size_t pos;
	size_t len;

	memset(bytes, 0, HOLED_LEN);
	for (pos = rng_below(rng, 5 * BLOCK); pos < HOLED_LEN;
	     pos += rng_below(rng, 12 * BLOCK)) {
		len = rng_below(rng, min_u64(HOLED_LEN - pos, 9000) + 1);
		rng_fill(rng, bytes + pos, len);
		pos += len;
	}
}

/* In pieces of all sizes. */
static void write_pieces(struct rng *rng, const uint8_t *bytes)
{
	struct output o;
	size_t pos;
	size_t len;

	ck_ok(output_open(&o, path_of("out"), true));
	for (pos = 0; pos < HOLED_LEN; pos += len) {
		len = 1 + rng_below(rng, 3 * BLOCK);
		len = min_u64(len, HOLED_LEN - pos);
		ck_ok(output_write(&o, span_of(bytes + pos, len)));
	}
	ck_ok(output_finish(&o, NULL));
}

START_TEST(holes_are_where_zeros_were)
{
	uint8_t *bytes = malloc(HOLED_LEN);
	struct rng rng = rng_of(4);
	size_t i;

	ck_assert_ptr_nonnull(bytes);
	tmpdir_init(&dir);
	for (i = 0; i < 60; i++) {
		fill_unevenly(&rng, bytes);
		write_pieces(&rng, bytes);
		check_file("out", bytes, HOLED_LEN);
	}
	free(bytes);
	tmpdir_release(&dir);
}
END_TEST

START_TEST(zeros_become_holes)
{
	static uint8_t bytes[HOLED_LEN];
	struct output o;
	struct stat st;

	tmpdir_init(&dir);
	bytes[20 * BLOCK] = 1;
	ck_ok(output_open(&o, path_of("out"), true));
	ck_ok(output_write(&o, span_of(bytes, HOLED_LEN)));
	ck_ok(output_zeros(&o, (uint64_t)1 << 32));
	ck_ok(output_finish(&o, NULL));
	ck_ok(stat(path_of("out"), &st));
	ck_assert_uint_eq((uint64_t)st.st_size,
			  HOLED_LEN + ((uint64_t)1 << 32));
	ck_assert_int_le(st.st_blocks, 16);
	tmpdir_release(&dir);
}
END_TEST

START_TEST(pipes_and_devices_are_written_as_they_are)
{
	uint8_t buf[20] = { 1 };
	struct output o;
	int fd;

	tmpdir_init(&dir);
	ck_ok(mkfifoat(dir.fd, "fifo", 0600));
	fd = openat(dir.fd, "fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_ok(output_open(&o, path_of("fifo"), false));
	ck_ok(output_write(&o, text("hello")));
	ck_ok(output_zeros(&o, 3));
	ck_ok(output_finish(&o, NULL));
	ck_assert_int_eq(read(fd, buf, sizeof(buf)), 8);
	ck_assert_mem_eq(buf, "hello\0\0\0", 8);
	(void)close(fd);
	ck_ok(output_open(&o, "/dev/full", false));
	ck_rc(output_write(&o, text("hello")), -ENOSPC);
	ck_rc(output_write(&o, text("hello")), -ENOSPC);
	ck_rc(output_zeros(&o, 1), -ENOSPC);
	ck_rc(output_finish(&o, NULL), -ENOSPC);
	ck_assert_int_eq(o.rc, -ENOSPC);
	tmpdir_release(&dir);
}
END_TEST

/* Ends by `signal_number` while a file is being written; its status. */
static int end_by(int signal_number)
{
	struct output o;
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (output_open(&o, path_of("out"), false) < 0 ||
		    output_write(&o, text("hello")) < 0 ||
		    tmpdir_n_files(&dir) != 1)
			_exit(1);
		(void)raise(signal_number);
		_exit(2);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

START_TEST(signals_leave_nothing)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	size_t i;
	int status;

	tmpdir_init(&dir);
	for (i = 0; i < ARRAY_LEN(signals); i++) {
		/* Whoever runs us may ignore it. */
		(void)signal(signals[i], SIG_DFL);
		status = end_by(signals[i]);
		ck_assert(WIFSIGNALED(status));
		ck_assert_int_eq(WTERMSIG(status), signals[i]);
		ck_assert_uint_eq(tmpdir_n_files(&dir), 0);
	}
	/* One that is ignored stays ignored. */
	(void)signal(SIGHUP, SIG_IGN);
	status = end_by(SIGHUP);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 2);
	(void)signal(SIGHUP, SIG_DFL);
	tmpdir_release(&dir);
}
END_TEST

START_TEST(a_finished_one_does_not_mind_signals)
{
	struct output o;
	struct sigaction action;

	tmpdir_init(&dir);
	ck_ok(output_open(&o, path_of("out"), false));
	ck_ok(sigaction(SIGTERM, NULL, &action));
	ck_assert(action.sa_handler != SIG_DFL);
	ck_ok(output_finish(&o, NULL));
	ck_ok(sigaction(SIGTERM, NULL, &action));
	ck_assert(action.sa_handler == SIG_DFL);
	tmpdir_release(&dir);
}
END_TEST

Suite *suite_output(void)
{
	const TTest *const tests[] = {
		a_file_appears_when_it_is_whole,
		an_empty_file_is_a_file,
		an_abandoned_one_leaves_nothing,
		nothing_is_replaced_unless_told,
		a_link_stays_a_link,
		attributes_are_those_of_the_input,
		holes_are_where_zeros_were,
		zeros_become_holes,
		pipes_and_devices_are_written_as_they_are,
		signals_leave_nothing,
		a_finished_one_does_not_mind_signals,
	};

	return suite_of("fs/output", tests, ARRAY_LEN(tests), 60);
}
