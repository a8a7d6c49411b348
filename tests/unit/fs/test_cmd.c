/* SPDX-License-Identifier: MIT */
/*
 * test_cmd.c - tests of fs/cmd.c and of what the commands say.
 */
#include "cmd.h"
#include "unit/fs/suites.h"

#include "lib/suite.h"

#include <limits.h>
#include <string.h>

static const struct command *const commands[] = {
	&cmd_mkfs,  &cmd_mount,  &cmd_umount, &cmd_sync,     &cmd_stat,
	&cmd_check, &cmd_encode, &cmd_decode, &cmd_codebook, &cmd_gc,
};

START_TEST(bytes_read_well)
{
	char text[CMD_BYTES_MAX];

	ck_assert_str_eq(cmd_bytes(0, text), "0 bytes");
	ck_assert_str_eq(cmd_bytes(1023, text), "1023 bytes");
	ck_assert_str_eq(cmd_bytes(1024, text), "1.0 KiB");
	ck_assert_str_eq(cmd_bytes(1536 << 10, text), "1.5 MiB");
	ck_assert_str_eq(cmd_bytes(UINT64_MAX, text), "16.0 EiB");
}
END_TEST

START_TEST(help_is_for_terminals)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const char *line = commands[i]->help;
		size_t len;

		for (; *line; line += len + (line[len] == '\n')) {
			len = strcspn(line, "\n");
			ck_assert_uint_le(len, 79);
		}
		ck_assert_int_ne(commands[i]->usage_status, 0);
		ck_assert_ptr_nonnull(commands[i]->run);
	}
}
END_TEST

START_TEST(a_path_is_its_own_store)
{
	char store[PATH_MAX];

	cmd_find_store("/no/such/store", store);
	ck_assert_str_eq(store, "/no/such/store");
	cmd_find_store("/proc", store);
	ck_assert_str_eq(store, "/proc");
}
END_TEST

Suite *suite_cmd(void)
{
	const TTest *const tests[] = {
		bytes_read_well,
		help_is_for_terminals,
		a_path_is_its_own_store,
	};

	return suite_of("fs/cmd", tests, sizeof(tests) / sizeof(tests[0]), 10);
}
