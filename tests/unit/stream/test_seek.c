/* SPDX-License-Identifier: MIT */
/*
 * test_seek.c - tests of src/stream/seek.c.
 */
#include "unit/stream/suites.h"

#include "base/cleanup.h"
#include "lib/suite.h"
#include "stream/seek.h"

enum { FRAME_LEN = 1000, RECORD_STEP = 64, PAYLOAD_LEN = 10 };

/* A tree over frames that are all alike, its tables kept by their place. */
struct tree {
	struct seek_builder builder;
	uint64_t off;
	size_t n_tables;
	uint64_t offs[2048];
	uint8_t *payloads[2048];
	size_t lens[2048];
};

static void write_due(struct tree *t, bool final)
{
	uint8_t bytes[SEEK_PAYLOAD_MAX];
	unsigned level;
	size_t len;

	while ((level = seek_due(&t->builder, final)) > 0) {
		ck_assert_uint_lt(t->n_tables, ARRAY_LEN(t->offs));
		len = seek_put(&t->builder, level, bytes);
		ck_assert_uint_le(len, sizeof(bytes));
		t->offs[t->n_tables] = t->off;
		t->lens[t->n_tables] = len;
		t->payloads[t->n_tables] = malloc(len);
		ck_assert_ptr_nonnull(t->payloads[t->n_tables]);
		memcpy(t->payloads[t->n_tables++], bytes, len);
		ck_ok(seek_wrote(&t->builder, level, t->off, len));
		t->off += RECORD_STEP;
	}
}

static struct tree *grow_tree(size_t n_frames)
{
	struct tree *t = calloc(1, sizeof(*t));
	size_t i;

	ck_assert_ptr_nonnull(t);
	t->off = STREAM_HEAD_LEN;
	for (i = 0; i < n_frames; i++) {
		struct seek_entry frame = {
			.raw_len = FRAME_LEN + i % 2,
			.off = t->off,
			.len = PAYLOAD_LEN,
		};

		ck_ok(seek_add(&t->builder, &frame));
		t->off += RECORD_STEP;
		write_due(t, false);
	}
	write_due(t, true);
	return t;
}

static void free_tree(struct tree *t)
{
	size_t i;

	for (i = 0; i < t->n_tables; i++)
		free(t->payloads[i]);
	free(t);
}

static void get_at(const struct tree *t, const struct seek_entry *e,
		   struct seek_table *ret)
{
	size_t i;

	for (i = 0; i < t->n_tables; i++)
		if (t->offs[i] == e->off)
			break;
	ck_assert_uint_lt(i, t->n_tables);
	ck_assert_uint_eq(t->lens[i], e->len);
	ck_ok(seek_get(span_of(t->payloads[i], t->lens[i]), ret));
	ck_assert_uint_eq(ret->raw_len, e->raw_len);
}

/* From the root down to the frame that covers `off`; its number. */
static size_t frame_of(const struct tree *t, uint64_t off, uint64_t *ret_before)
{
	struct seek_entry e = t->builder.root;
	struct seek_table table;
	uint64_t before;
	unsigned level;

	*ret_before = 0;
	for (level = t->builder.root_level; level > 0; level--) {
		get_at(t, &e, &table);
		ck_assert_uint_eq(table.level, level);
		e = table.entries[seek_find(&table, off - *ret_before,
					    &before)];
		*ret_before += before;
	}
	ck_assert_uint_eq(e.len, PAYLOAD_LEN);
	/* Which one it is, tables not counted. */
	return (size_t)((e.off - STREAM_HEAD_LEN) / RECORD_STEP);
}

static void check_tree(size_t n_frames, unsigned levels, size_t n_tables)
{
	struct tree *t = grow_tree(n_frames);
	uint64_t pos = 0;
	uint64_t before;
	size_t n, i;

	ck_assert_uint_eq(t->builder.root_level, levels);
	ck_assert_uint_eq(t->n_tables, n_tables);
	for (i = 0; i < n_frames; i++) {
		if (n_frames > 1000 && i % 251 != 0 && i + 300 < n_frames) {
			pos += FRAME_LEN + i % 2;
			continue;
		}
		n = frame_of(t, pos, &before);
		ck_assert_uint_eq(before, pos);
		ck_assert_uint_ge(n, i);
		pos += FRAME_LEN + i % 2;
		ck_assert_uint_eq(frame_of(t, pos - 1, &before), n);
	}
	ck_assert_uint_eq(t->builder.root.raw_len, pos);
	free_tree(t);
}

START_TEST(trees_of_all_shapes)
{
	struct tree *t = grow_tree(0);

	ck_assert_uint_eq(t->builder.root_level, 0);
	ck_assert_uint_eq(t->n_tables, 0);
	free_tree(t);
	check_tree(1, 1, 1);
	check_tree(255, 1, 1);
	check_tree(256, 1, 1);
	check_tree(257, 2, 3);
	check_tree(512, 2, 3);
	check_tree(513, 2, 4);
	check_tree((size_t)256 * 256, 2, 257);
	check_tree((size_t)256 * 256 + 1, 3, 260);
	check_tree((size_t)256 * 256 + 256, 3, 260);
}
END_TEST

START_TEST(nothing_follows_the_last_table)
{
	struct tree *t = grow_tree(300);

	ck_assert(t->builder.closing);
	ck_assert_uint_eq(seek_due(&t->builder, true), 0);
	free_tree(t);
}
END_TEST

static int get(const void *bytes, size_t len)
{
	AUTO_FREE uint8_t *tight = malloc(len > 0 ? len : 1);
	struct seek_table table;

	ck_assert_ptr_nonnull(tight);
	memcpy(tight, bytes, len);
	return seek_get(span_of(tight, len), &table);
}

START_TEST(every_field_is_checked)
{
	static const struct {
		const char *bytes;
		size_t len;
		int rc;
	} cases[] = {
		{ "\1\2\5\6\7\5\6\7", 8, 0 },
		{ "\1\1\5\6\7\0", 6, -EUCLEAN }, /* more than there is */
		{ "\0\1\5\6\7", 5, -EUCLEAN },   /* level */
		{ "\x08\1\5\6\7", 5, 0 },
		{ "\x09\1\5\6\7", 5, -EUCLEAN },
		{ "\1\0", 2, -EUCLEAN },                   /* no entry */
		{ "\1\x81\2\5\6\7", 6, -EUCLEAN },         /* 257 of them */
		{ "\1\1\0\6\7", 5, -EUCLEAN },             /* no raw bytes */
		{ "\1\1\5\0\7", 5, -EUCLEAN },             /* no place */
		{ "\1\2\5\6\7\5\0\7", 8, -EUCLEAN },       /* the same place */
		{ "\1\1\5\6\0", 5, -EUCLEAN },             /* no payload */
		{ "\1\1\5\6\x81\x80\x80\4", 8, -EUCLEAN }, /* over 8 MiB */
		{ "\1\1\x85\0\6\7", 6, -EUCLEAN },         /* not canonical */
	};
	size_t len;
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++)
		ck_rc(get(cases[i].bytes, cases[i].len), cases[i].rc);
	for (len = 0; len < cases[0].len; len++)
		ck_rc(get(cases[0].bytes, len), -EUCLEAN);
}
END_TEST

START_TEST(sums_are_bounded)
{
	uint8_t bytes[64] = { 1, 2 };
	/* 2^62 in a varint */
	static const uint8_t most[] = { 0x80, 0x80, 0x80, 0x80, 0x80,
					0x80, 0x80, 0x80, 0x40 };
	size_t len = 2;

	memcpy(bytes + len, most, sizeof(most));
	len += sizeof(most);
	bytes[len++] = 6;
	bytes[len++] = 7;
	bytes[1] = 1;
	ck_ok(get(bytes, len));
	bytes[1] = 2;
	bytes[len++] = 1;
	bytes[len++] = 6;
	bytes[len++] = 7;
	ck_rc(get(bytes, len), -EUCLEAN);
	/* More than 2^62 in one. */
	bytes[1] = 1;
	bytes[10] = 0x41;
	ck_rc(get(bytes, len - 3), -EUCLEAN);
}
END_TEST

Suite *suite_seek(void)
{
	const TTest *const tests[] = {
		trees_of_all_shapes,
		nothing_follows_the_last_table,
		every_field_is_checked,
		sums_are_bounded,
	};

	return suite_of("stream/seek", tests, ARRAY_LEN(tests), 60);
}
