/* SPDX-License-Identifier: MIT */
/*
 * test_pieces.c - tests of fs/pieces.c.
 */
#include "pieces.h"
#include "unit/fs/suites.h"

#include "json.h"
#include "lib/suite.h"

#include <string.h>

/* All that is as long as it can be. */
static void make_longest(struct file_piece *p)
{
	*p = (struct file_piece){
		.off = UINT64_MAX,
		.len = UINT64_MAX,
		.kind = PIECE_CHUNK,
		.chunk = UINT64_MAX,
		.chunk_off = UINT64_MAX,
		.how = {
			.frame = UINT64_MAX,
			.segment = UINT64_MAX,
			.seg_off = UINT64_MAX,
			.frame_chunks = SIZE_MAX,
			.frame_raw_len = SIZE_MAX,
			.frame_stored_len = SIZE_MAX,
			.len = SIZE_MAX,
			.how = {
				.stored_len = SIZE_MAX,
				.base = UINT64_MAX,
				.codebook = UINT64_MAX,
			},
		},
	};
	memset(p->how.how.text, 'x', DESCRIBE_TEXT_MAX - 1);
}

START_TEST(longest_piece_has_its_room)
{
	struct file_piece p;
	struct json j;

	make_longest(&p);
	json_init(&j, 2 * PIECE_JSON_MAX);
	pieces_put(&j, &p);
	pieces_put(&j, &p);
	ck_ok(j.rc);
	/* But for the comma that the second one has and the first one has not. */
	ck_assert_uint_eq(j.out.len, 2 * PIECE_JSON_MAX - 1);
	json_release(&j);
}
END_TEST

START_TEST(bad_pieces_are_shorter)
{
	struct file_piece p;
	struct json j;

	make_longest(&p);
	for (p.rc = -1; p.rc > -134; p.rc--) {
		json_init(&j, PIECE_JSON_MAX);
		pieces_put(&j, &p);
		ck_ok(j.rc);
		json_release(&j);
	}
}
END_TEST

Suite *suite_pieces(void)
{
	const TTest *const tests[] = {
		longest_piece_has_its_room,
		bad_pieces_are_shorter,
	};

	return suite_of("fs/pieces", tests, sizeof(tests) / sizeof(tests[0]),
			10);
}
