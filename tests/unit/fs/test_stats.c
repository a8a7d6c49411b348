/* SPDX-License-Identifier: MIT */
/*
 * test_stats.c - tests of fs/stats.c.
 */
#include "stats.h"
#include "unit/fs/suites.h"

#include "json.h"
#include "lib/suite.h"

static void put(struct json *j, const struct stats *stats)
{
	json_init(j, 8192);
	json_open(j, NULL, '{');
	stats_put(stats, j);
	json_close(j, '}');
}

START_TEST(go_and_come_back)
{
	struct stats stats;
	struct stats again;
	struct json j;
	const char *text;
	size_t i;

	for (i = 0; i < STATS_N_VALUES; i++)
		stats.values[i] = UINT64_MAX / (i + 1);
	put(&j, &stats);
	ck_ok(json_end(&j, &text));
	ck_ok(stats_get(text, &again));
	ck_assert_mem_eq(&stats, &again, sizeof(stats));
	json_release(&j);
	ck_rc(stats_get("{\"raw_bytes\":1}", &again), -EUCLEAN);
}
END_TEST

START_TEST(have_a_ratio)
{
	struct stats stats = {
		.values = { [STATS_RAW] = 300, [STATS_STORED] = 200 }
	};
	struct json j;
	const char *text;

	put(&j, &stats);
	ck_ok(json_end(&j, &text));
	ck_assert_ptr_nonnull(strstr(text, "\"ratio\":1.500"));
	json_release(&j);
}
END_TEST

Suite *suite_stats(void)
{
	const TTest *const tests[] = { go_and_come_back, have_a_ratio };

	return suite_of("fs/stats", tests, sizeof(tests) / sizeof(tests[0]),
			10);
}
