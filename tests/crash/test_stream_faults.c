/* SPDX-License-Identifier: MIT */
/*
 * test_stream_faults.c - one system call of encode or decode fails, each in its
 * turn: the status tells, nothing is left, nothing that was there is changed.
 */
#include "lib/fault.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "lib/tmpdir.h"

#include "base/bytes.h"
#include "base/report.h"
#include "cmd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RAW_LEN = 100000, ARGS_MAX = 8 };

static struct tmpdir dir;
static char in[300];
static char stream[300];
static char out[300];

static const enum fault_call calls[] = {
	CALL_OPEN,   CALL_READ,      CALL_WRITE,  CALL_PREAD,
	CALL_PWRITE, CALL_FTRUNCATE, CALL_RENAME,
};

/* A command line; NULL ends it. */
struct scenario {
	const struct command *command;
	const char *args[ARGS_MAX];
};

static const struct scenario encoding = {
	&cmd_encode,
	{ "encode", in, "-o", out, "--frame=16K", NULL },
};

static const struct scenario scenarios[] = {
	{ &cmd_encode, { "encode", in, "-o", out, "-j3", "--frame=4K", NULL } },
	{ &cmd_decode, { "decode", stream, "-o", out, NULL } },
	{ &cmd_decode, { "decode", stream, "-o", out, "--salvage", NULL } },
	{ &cmd_decode,
	  { "decode", stream, "-o", out, "--range", "20000:50000", NULL } },
};

static int run(const struct scenario *s)
{
	char *argv[ARGS_MAX + 1] = { NULL };
	int status;
	int argc;
	int i;

	for (argc = 0; s->args[argc]; argc++) {
		argv[argc] = strdup(s->args[argc]);
		ck_assert_ptr_nonnull(argv[argc]);
	}
	optind = 0; /* from the beginning */
	status = s->command->run(argc, argv);
	/* getopt(3) has only put them into another order. */
	for (i = 0; i < argc; i++)
		free(argv[i]);
	return status;
}

static uint64_t size_of(const char *path)
{
	struct stat st;

	ck_ok(stat(path, &st));
	return (uint64_t)st.st_size;
}

static void write_file(const char *path, const void *bytes, size_t len)
{
	FILE *file = fopen(path, "we");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
	ck_ok(fclose(file));
}

static void set_up(void)
{
	static uint8_t raw[RAW_LEN];
	struct rng rng = rng_of(1);

	rng_fill(&rng, raw, RAW_LEN / 2);
	tmpdir_init(&dir);
	(void)snprintf(in, sizeof(in), "%s/in", dir.path);
	(void)snprintf(stream, sizeof(stream), "%s/stream", dir.path);
	(void)snprintf(out, sizeof(out), "%s/out", dir.path);
	write_file(in, raw, sizeof(raw));
	fault_reset();
	report_silence(true);
	ck_ok(run(&encoding));
	ck_ok(rename(out, stream));
	ck_assert_uint_eq(tmpdir_n_files(&dir), 2);
}

static void tear_down(void)
{
	fault_reset();
	tmpdir_release(&dir);
}

/* Lets the n-th call fail, for all n. */
static void fail_each(const struct scenario *s, enum fault_call call)
{
	uint64_t nth;
	int status;

	for (nth = 1;; nth++) {
		fault_reset();
		fault_arm(FAULT(call), nth, call == CALL_READ ? -EIO : -ENOSPC,
			  true);
		status = run(s);
		if (!fault_fired())
			break;
		fault_reset();
		ck_assert_msg(status != 0 && tmpdir_n_files(&dir) == 2,
			      "%s: %s number %llu: status %d, %zu files",
			      s->args[0], fault_name(call),
			      (unsigned long long)nth, status,
			      tmpdir_n_files(&dir));
	}
	fault_reset();
	ck_ok(status);
	ck_assert_uint_eq(tmpdir_n_files(&dir), 3);
	ck_ok(unlink(out));
}

START_TEST(each_call_fails_once)
{
	size_t i, k;

	set_up();
	for (i = 0; i < ARRAY_LEN(scenarios); i++)
		for (k = 0; k < ARRAY_LEN(calls); k++)
			fail_each(&scenarios[i], calls[k]);
	tear_down();
}
END_TEST

/* With -f: the file that was there stays until the new one is whole. */
START_TEST(what_was_there_stays)
{
	static const struct scenario replacing = {
		&cmd_encode,
		{ "encode", in, "-f", "-o", out, NULL },
	};
	size_t k;
	uint64_t nth;

	set_up();
	for (k = 0; k < ARRAY_LEN(calls); k++) {
		write_file(out, "old", 3);
		for (nth = 1;; nth++) {
			fault_reset();
			fault_arm(FAULT(calls[k]), nth, -EIO, false);
			if (run(&replacing) == 0)
				break;
			ck_assert(fault_fired());
			ck_assert_uint_eq(size_of(out), 3);
			ck_assert_uint_eq(tmpdir_n_files(&dir), 3);
		}
		ck_assert(!fault_fired());
		ck_assert_uint_gt(size_of(out), 3);
	}
	tear_down();
}
END_TEST

/* The standard output: nothing can be taken back, but it is told. */
START_TEST(a_pipe_that_fails_is_told)
{
	static const struct scenario piping[] = {
		{ &cmd_encode, { "encode", in, NULL } },
		{ &cmd_decode, { "decode", stream, NULL } },
	};
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	uint64_t nth;
	size_t i;
	int status;

	set_up();
	ck_assert_int_ge(dup2(null, STDOUT_FILENO), 0);
	for (i = 0; i < ARRAY_LEN(piping); i++)
		for (nth = 1;; nth++) {
			fault_reset();
			fault_arm(FAULT(CALL_WRITE), nth, -EPIPE, false);
			status = run(&piping[i]);
			if (!fault_fired())
				break;
			ck_assert_int_eq(status, STATUS_FAILED);
		}
	ck_assert_int_ge(dup2(saved, STDOUT_FILENO), 0);
	(void)close(saved);
	(void)close(null);
	ck_ok(status);
	ck_assert_uint_eq(tmpdir_n_files(&dir), 2);
	tear_down();
}
END_TEST

static Suite *suite_stream_faults(void)
{
	const TTest *const tests[] = {
		each_call_fails_once,
		what_was_there_stays,
		a_pipe_that_fails_is_told,
	};

	return suite_of("stream faults", tests, ARRAY_LEN(tests), 120);
}

int main(void)
{
	static const suite_maker suites[] = { suite_stream_faults, NULL };

	return suite_run(suites);
}
