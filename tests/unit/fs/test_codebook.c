/* SPDX-License-Identifier: MIT */
/*
 * test_codebook.c - the actions of `sigmafs codebook` on an open store.
 * (cmd_codebook_serve.c, store/library_file.c)
 */
#include "cmd_codebook.h"
#include "control.h"
#include "unit/fs/suites.h"

#include "json.h"
#include "lib/records.h"
#include "lib/suite.h"
#include "lib/tmpdir.h"
#include "store/library.h"
#include "volume/file.h"
#include "volume/volume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LEN = 3000, N_FILES = 200, REPLY_MAX = CONTROL_REPLY_MAX };

static struct tmpdir tmp;
static struct volume *volume;
static char reply[REPLY_MAX];

static void open_volume(bool read_only)
{
	const struct volume_options options = {
		.store.effort = EFFORT_BALANCED,
		.store.read_only = read_only,
		/* Nobody trains but who is told to. */
		.store.train_after = UINT64_MAX,
	};
	char path[600];

	(void)snprintf(path, sizeof(path), "%s/store", tmp.path);
	if (!read_only)
		ck_ok(volume_create(path, &(struct store_create_options){ 0 }));
	ck_ok(volume_open(path, &options, &volume));
}

/* An action, with "%s" in it for the directory of the test. */
static int act(const char *format)
{
	char arguments[700];
	const char *text = NULL;
	struct json json;
	int rc;

	(void)snprintf(arguments, sizeof(arguments), "%s", format);
	if (strstr(format, "@"))
		(void)snprintf(arguments, sizeof(arguments), "%.*s%s%s",
			       (int)strcspn(format, "@"), format, tmp.path,
			       strchr(format, '@') + 1);
	json_init(&json, REPLY_MAX - 1);
	json_open(&json, NULL, '{');
	rc = codebook_serve(volume_store(volume), arguments, &json);
	json_close(&json, '}');
	ck_ok(json_end(&json, &text));
	(void)snprintf(reply, sizeof(reply), "%s", text);
	json_release(&json);
	return rc;
}

static void expect_problem(const char *action, int rc, const char *words)
{
	char problem[REPLY_MAX];

	ck_rc(act(action), rc);
	ck_ok(json_get_text(reply, "problem", problem, sizeof(problem)));
	ck_assert_msg(strstr(problem, words), "%s", problem);
}

static uint64_t number(const char *key)
{
	uint64_t value = 0;

	ck_ok(json_get_u64(reply, key, &value));
	return value;
}

static void write_file(const char *name, const void *bytes, size_t len)
{
	char path[600];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", tmp.path, name);
	file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
	ck_ok(fclose(file));
}

/* Small files, each of a frame of its own. */
static void write_records(void)
{
	const struct volume_new new = { .mode = S_IFREG | 0644 };
	struct volume_attr attr;
	uint8_t bytes[LEN];
	char name[16];
	unsigned i;

	for (i = 0; i < N_FILES; i++) {
		int n = snprintf(name, sizeof(name), "f%u", i);

		records_fill(1, i, bytes, LEN);
		ck_ok(volume_make(volume, VOLUME_ROOT, span_of(name, (size_t)n),
				  &new, &attr));
		ck_ok(file_write(volume, attr.ino, 0, span_of(bytes, LEN), 0));
		ck_ok(file_fsync(volume, attr.ino));
	}
}

static void begin(void)
{
	tmpdir_init(&tmp);
	open_volume(false);
}

static void end(void)
{
	ck_ok(volume_close(volume));
	tmpdir_release(&tmp);
}

START_TEST(empty_store_has_none)
{
	begin();
	ck_ok(act("list"));
	ck_assert_str_eq(reply, "{\"codebooks\":[]}");
	ck_ok(act("train"));
	ck_assert_str_eq(reply, "{\"trained\":[]}");
	expect_problem("show 1", -ENODATA, "no codebook 1");
	end();
}
END_TEST

START_TEST(trained_shown_out_and_in)
{
	char class[32];
	char import[64];

	begin();
	write_records();
	ck_ok(act("train"));
	ck_assert_uint_eq(number("id"), 1);
	ck_assert_uint_lt(number("judged_after_bytes"),
			  number("judged_before_bytes"));
	ck_ok(act("show 1"));
	ck_ok(json_get_text(reply, "class", class, sizeof(class)));
	ck_assert_uint_eq(number("version"), 1);
	ck_assert_uint_ge(number("dictionary_bytes"), 256);
	ck_ok(act("export 1 @/one"));
	ck_ok(act("export-raw 1 @/one.raw"));
	expect_problem("export 1 @/one", -EEXIST, "/one': File exists");
	ck_ok(act("import - @/one"));
	ck_assert_uint_eq(number("id"), 2);
	(void)snprintf(import, sizeof(import), "import %s @/one.raw", class);
	ck_ok(act(import));
	ck_assert_uint_eq(number("id"), 3);
	ck_ok(act("list"));
	ck_assert_ptr_nonnull(strstr(reply, "\"version\":3"));
	ck_ok(volume_close(volume));
	open_volume(true);
	expect_problem("import - @/one", -EROFS, "read-only");
	ck_ok(act("export 3 @/three"));
	end();
}
END_TEST

START_TEST(bad_requests_are_told)
{
	uint8_t zero[400] = { 0x37, 0xa4, 0x30, 0xec };

	begin();
	write_file("zero", zero, sizeof(zero));
	write_file("short", zero, 4);
	write_file("cut", "SIGMABK1", 8);
	ck_assert_int_lt(act(""), 0);
	ck_assert_int_lt(act("burn 1"), 0);
	expect_problem("show", -EINVAL, "no codebook's number");
	expect_problem("show 0", -EINVAL, "'0' is no codebook's number");
	expect_problem("show -1", -EINVAL, "no codebook's number");
	expect_problem("show 99999999999999999999", -EINVAL, "no codebook's");
	expect_problem("export 1 @/x", -ENODATA, "no codebook 1");
	expect_problem("import - @/nothing", -EINVAL, "No such file");
	expect_problem("import elf @/zero", -EINVAL, "'elf' is no class");
	expect_problem("import - @/zero", -EUCLEAN, "damaged");
	expect_problem("import - @/short", -EINVAL, "neither");
	expect_problem("import - @/cut", -EUCLEAN, "damaged");
	expect_problem("import - @/", -EISDIR, "directory");
	ck_ok(act("list"));
	ck_assert_str_eq(reply, "{\"codebooks\":[]}");
	end();
}
END_TEST

/* And the list of all of them is not too long for an answer. */
START_TEST(there_are_not_too_many)
{
	unsigned n = 1;

	begin();
	write_records();
	ck_ok(act("train"));
	ck_ok(act("export 1 @/one"));
	for (; n < LIBRARY_MAX; n++)
		ck_ok(act("import - @/one"));
	expect_problem("import - @/one", -EFBIG, "256 codebooks");
	ck_ok(act("list"));
	ck_assert_ptr_nonnull(strstr(reply, "\"version\":256,"));
	end();
}
END_TEST

Suite *suite_codebook(void)
{
	const TTest *const tests[] = {
		empty_store_has_none,
		trained_shown_out_and_in,
		bad_requests_are_told,
		there_are_not_too_many,
	};

	return suite_of("codebook", tests, ARRAY_LEN(tests), 60);
}
