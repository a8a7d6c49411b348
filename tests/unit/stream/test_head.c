/* SPDX-License-Identifier: MIT */
/*
 * test_head.c - tests of src/stream/head.c.
 */
#include "unit/stream/suites.h"

#include "base/hash.h"
#include "lib/suite.h"
#include "stream/head.h"

static const struct stream_head head = {
	.epoch = UINT64_C(0x1112131415161718),
	.frame_max = 256 << 10,
};

static const struct stream_end end = {
	.raw_len = 1000000,
	.n_frames = 4,
	.root_off = 0x1000,
	.root_len = 29,
	.root_level = 1,
};

static void seal(uint8_t *bytes)
{
	put_le64(bytes + HEAD_HASH_OFF,
		 hash64(span_of(bytes, HEAD_HASH_OFF), 0));
}

static int get(const uint8_t *bytes)
{
	struct stream_head back;

	return stream_head_get(span_of(bytes, STREAM_HEAD_LEN), &back);
}

START_TEST(head_comes_back)
{
	static const uint8_t want[] = {
		'S',  'I',  'G',  'M',  'A', 'S', 'T',  'R',  1,    0,
		48,   0,    0,    0,    0,   0,   0x18, 0x17, 0x16, 0x15,
		0x14, 0x13, 0x12, 0x11, 0,   0,   4,    0,    0,    0,
		0,    0,    0,    0,    0,   0,   0,    0,    0,    0,
	};
	uint8_t bytes[STREAM_HEAD_LEN];
	struct stream_head back;

	stream_head_put(&head, bytes);
	ck_assert_uint_eq(sizeof(want), HEAD_HASH_OFF);
	ck_assert_mem_eq(bytes, want, sizeof(want));
	ck_ok(stream_head_get(span_of(bytes, sizeof(bytes)), &back));
	ck_assert_uint_eq(back.epoch, head.epoch);
	ck_assert_uint_eq(back.frame_max, head.frame_max);
	ck_assert_uint_eq(stream_payload_max(&back), (256 << 10) + 64);
}
END_TEST

START_TEST(every_head_field_is_checked)
{
	static const struct {
		size_t off;
		uint8_t value;
		int rc;
	} cases[] = {
		{ HEAD_MAGIC_OFF, 's', -EINVAL },
		{ HEAD_MAGIC_OFF + 7, 'G', -EINVAL },
		{ HEAD_VERSION_OFF, 0, -EOPNOTSUPP },
		{ HEAD_VERSION_OFF, 2, -EOPNOTSUPP },
		{ HEAD_LEN_OFF, 40, -EUCLEAN },
		{ HEAD_FLAGS_OFF, 1, -EOPNOTSUPP },
		{ HEAD_FLAGS_OFF + 3, 0x80, -EOPNOTSUPP },
		{ HEAD_EPOCH_OFF, 0, 0 },
		{ HEAD_FRAME_MAX_OFF + 2, 0, -EUCLEAN },
		{ HEAD_FRAME_MAX_OFF + 2, 0x40, 0 },
		{ HEAD_FRAME_MAX_OFF + 2, 0x41, -EUCLEAN },
		{ HEAD_FRAME_MAX_OFF + 3, 1, -EUCLEAN },
		{ HEAD_ZERO_OFF, 1, -EOPNOTSUPP },
		{ HEAD_HASH_OFF - 1, 1, -EOPNOTSUPP },
	};
	uint8_t bytes[STREAM_HEAD_LEN];
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		stream_head_put(&head, bytes);
		bytes[cases[i].off] = cases[i].value;
		seal(bytes);
		ck_rc(get(bytes), cases[i].rc);
	}
}
END_TEST

START_TEST(every_flip_in_the_head_is_seen)
{
	uint8_t bytes[STREAM_HEAD_LEN];
	struct stream_head back;
	size_t bit;
	size_t len;

	stream_head_put(&head, bytes);
	for (bit = 0; bit < sizeof(bytes) * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_rc(get(bytes),
		      bit / 8 < STREAM_MAGIC_LEN ? -EINVAL : -EBADMSG);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (len = 0; len < sizeof(bytes); len++)
		ck_rc(stream_head_get(span_of(bytes, len), &back), -EINVAL);
}
END_TEST

static int get_end(const struct stream_end *e)
{
	uint8_t bytes[STREAM_END_LEN];
	struct stream_end back;
	int rc;

	stream_end_put(e, bytes);
	rc = stream_end_get(span_of(bytes, sizeof(bytes)), &back);
	if (rc == 0) {
		ck_assert_uint_eq(back.raw_len, e->raw_len);
		ck_assert_uint_eq(back.n_frames, e->n_frames);
		ck_assert_uint_eq(back.root_off, e->root_off);
		ck_assert_uint_eq(back.root_len, e->root_len);
		ck_assert_uint_eq(back.root_level, e->root_level);
	}
	return rc;
}

static struct stream_end end_with(size_t field, uint64_t value)
{
	struct stream_end e = end;

	switch (field) {
	case 0:
		e.raw_len = value;
		break;
	case 1:
		e.n_frames = value;
		break;
	case 2:
		e.root_off = value;
		break;
	case 3:
		e.root_len = (uint32_t)value;
		break;
	default:
		e.root_level = (uint8_t)value;
		break;
	}
	return e;
}

START_TEST(every_field_of_the_end_is_checked)
{
	static const struct {
		size_t field;
		uint64_t value;
		int rc;
	} cases[] = {
		{ 0, 4, 0 },
		{ 0, 3, -EUCLEAN }, /* a frame has a byte */
		{ 0, UINT64_C(1) << 62, 0 },
		{ 0, (UINT64_C(1) << 62) + 1, -EUCLEAN },
		{ 1, 0, -EUCLEAN }, /* then all is 0 */
		{ 2, 0, -EUCLEAN },
		{ 2, 0x1004, -EUCLEAN },
		{ 3, 0, -EUCLEAN },
		{ 3, SEEK_PAYLOAD_MAX + 1, -EUCLEAN },
		{ 4, 0, -EUCLEAN },
		{ 4, SEEK_LEVEL_MAX, 0 },
		{ 4, SEEK_LEVEL_MAX + 1, -EUCLEAN },
	};
	const struct stream_end none = { .raw_len = 0 };
	struct stream_end e;
	size_t i;

	ck_ok(get_end(&end));
	ck_ok(get_end(&none));
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		e = end_with(cases[i].field, cases[i].value);
		ck_rc(get_end(&e), cases[i].rc);
	}
}
END_TEST

START_TEST(the_end_has_one_length_and_zeros)
{
	uint8_t bytes[STREAM_END_LEN + 1] = { 0 };
	struct stream_end back;

	stream_end_put(&end, bytes);
	ck_rc(stream_end_get(span_of(bytes, STREAM_END_LEN - 1), &back),
	      -EUCLEAN);
	ck_rc(stream_end_get(span_of(bytes, STREAM_END_LEN + 1), &back),
	      -EUCLEAN);
	bytes[END_ZERO_OFF + 2] = 1;
	ck_rc(stream_end_get(span_of(bytes, STREAM_END_LEN), &back), -EUCLEAN);
}
END_TEST

Suite *suite_head(void)
{
	const TTest *const tests[] = {
		head_comes_back,
		every_head_field_is_checked,
		every_flip_in_the_head_is_seen,
		every_field_of_the_end_is_checked,
		the_end_has_one_length_and_zeros,
	};

	return suite_of("stream/head", tests, ARRAY_LEN(tests), 20);
}
