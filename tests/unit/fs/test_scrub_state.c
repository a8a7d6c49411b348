/* SPDX-License-Identifier: MIT */
/*
 * test_scrub_state.c - tests of fs/cmd_scrub_state.c.
 */
#include "cmd_scrub_state.h"
#include "unit/fs/suites.h"

#include "base/bytes.h"
#include "base/io.h"
#include "json.h"
#include "lib/suite.h"
#include "lib/tmpdir.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static struct scrub_state state;
static struct scrub_state got;

static void add(uint64_t frame)
{
	const struct scrub_damage damage = { frame, 2, 8 * frame, -EBADMSG };

	scrub_state_add(&state, &damage);
}

static void place(uint64_t frame, uint64_t ino, uint64_t off, uint64_t len)
{
	const struct scrub_entry range = {
		.damage = { frame, 2, 8 * frame, -EBADMSG },
		.ino = ino,
		.file_off = off,
		.len = len,
	};

	scrub_state_place(&state, &range, "/file");
}

static void fill(void)
{
	state = (struct scrub_state){
		.begun = 7,
		.ended = UINT64_MAX,
		.pass = { 1, 2, 3, 4, 5, 6 },
	};
	add(10);
	add(20);
	place(20, 5, 100, 50);
}

static int open_dir(const struct tmpdir *tmp)
{
	int fd = open(tmp->path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(comes_back_from_its_file)
{
	struct tmpdir tmp;
	int dir_fd;

	tmpdir_init(&tmp);
	dir_fd = open_dir(&tmp);
	ck_rc(scrub_state_load(dir_fd, &got), -ENOENT);
	fill();
	ck_ok(scrub_state_save(dir_fd, &state));
	ck_ok(scrub_state_load(dir_fd, &got));
	ck_assert_uint_eq(got.begun, 7);
	ck_assert_uint_eq(got.ended, UINT64_MAX);
	ck_assert_mem_eq(&got.pass, &state.pass, sizeof(got.pass));
	ck_assert_uint_eq(got.n_entries, 2);
	ck_assert_uint_eq(got.entries[0].damage.frame, 10);
	ck_assert_uint_eq(got.entries[0].ino, 0);
	ck_assert_uint_eq(got.entries[1].file_off, 100);
	ck_rc(got.entries[1].damage.rc, -EBADMSG);
	ck_assert_str_eq(got.entries[1].path, "/file");
	ck_assert_int_eq(close(dir_fd), 0);
	tmpdir_release(&tmp);
}
END_TEST

/* Each byte of it, wrong or the last one, and it counts for none. */
START_TEST(believes_no_damaged_file)
{
	struct tmpdir tmp;
	uint8_t text[4096];
	ssize_t len;
	ssize_t i;
	int dir_fd;
	int fd;

	tmpdir_init(&tmp);
	dir_fd = open_dir(&tmp);
	fill();
	ck_ok(scrub_state_save(dir_fd, &state));
	fd = io_open(dir_fd, SCRUB_STATE_NAME, O_RDWR, 0);
	ck_assert_int_ge(fd, 0);
	len = io_pread(fd, text, sizeof(text), 0);
	ck_assert_int_gt(len, 100);
	ck_assert_int_lt(len, (ssize_t)sizeof(text));
	for (i = 0; i < len; i++) {
		const uint8_t bad = text[i] ^ 0x11;

		ck_ok(io_pwrite(fd, &bad, 1, (uint64_t)i));
		ck_rc(scrub_state_load(dir_fd, &got), -EUCLEAN);
		ck_ok(io_pwrite(fd, text + i, 1, (uint64_t)i));
	}
	ck_ok(scrub_state_load(dir_fd, &got));
	for (i = len - 1; i >= 0; i--) {
		ck_ok(io_ftruncate(fd, (uint64_t)i));
		ck_rc(scrub_state_load(dir_fd, &got), -EUCLEAN);
	}
	ck_ok(io_close(fd));
	ck_assert_int_eq(close(dir_fd), 0);
	tmpdir_release(&tmp);
}
END_TEST

START_TEST(keeps_each_range_once)
{
	unsigned i;

	fill();
	place(20, 5, 150, 10); /* goes on */
	place(20, 5, 110, 10); /* again, by another name */
	ck_assert_uint_eq(state.n_entries, 2);
	ck_assert_uint_eq(state.entries[1].len, 60);
	place(20, 6, 0, 10); /* another file */
	place(10, 5, 0, 10);
	ck_assert_uint_eq(state.n_entries, 3);
	ck_assert_uint_eq(state.entries[0].ino, 5);
	ck_assert_uint_eq(state.entries[2].ino, 6);
	/* A frame has one entry again, to begin anew with. */
	scrub_state_unplace(&state);
	ck_assert_uint_eq(state.n_entries, 2);
	ck_assert_uint_eq(state.entries[1].damage.frame, 20);
	ck_assert_uint_eq(state.entries[1].ino, 0);
	for (i = 0; i < 2 * SCRUB_ENTRIES_MAX; i++) {
		add(100 + i);
		place(20, 100 + i, 0, 1);
	}
	ck_assert_uint_eq(state.n_entries, SCRUB_ENTRIES_MAX);
}
END_TEST

static void shows(const char *path, const char *wanted)
{
	const struct scrub_entry range = {
		.damage = { 10, 2, 80, -EIO },
		.ino = 1,
		.len = 1,
	};
	struct json json;
	const char *text;

	state = (struct scrub_state){ .n_entries = 0 };
	scrub_state_place(&state, &range, path);
	ck_assert_str_eq(state.entries[0].path, wanted);
	json_init(&json, 4096);
	json_open(&json, NULL, '{');
	scrub_entry_put(&state.entries[0], &json);
	json_close(&json, '}');
	ck_ok(json_end(&json, &text));
	ck_ok(scrub_entry_get(text, &got.entries[0]));
	ck_assert_str_eq(got.entries[0].path, wanted);
	ck_assert_uint_eq(got.entries[0].damage.off, 80);
	json_release(&json);
}

START_TEST(shows_any_path)
{
	char path[2 * SCRUB_PATH_MAX];

	shows("/a/\xc3\xa4", "/a/\xc3\xa4");
	shows("/\n\033\xff\"\\{}", "/?????{}");
	(void)memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	shows(path, path + SCRUB_PATH_MAX);
}
END_TEST

Suite *suite_scrub_state(void)
{
	const TTest *const tests[] = {
		comes_back_from_its_file,
		believes_no_damaged_file,
		keeps_each_range_once,
		shows_any_path,
	};

	return suite_of("fs/scrub_state", tests, ARRAY_LEN(tests), 60);
}
