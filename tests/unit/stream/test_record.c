/* SPDX-License-Identifier: MIT */
/*
 * test_record.c - tests of src/stream/record.c.
 */
#include "unit/stream/suites.h"

#include "base/hash.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "stream/record.h"

#define SECRET UINT64_C(0x1122334455667788)

static const struct record sample = {
	.type = RECORD_OPS,
	.flags = RECORD_PACKED,
	.payload_len = 0x12345,
	.epoch = UINT64_C(0x0102030405060708),
	.seq = UINT64_C(0x1112131415161718),
	.payload_hash = UINT64_C(0x2122232425262728),
};

static void build(uint8_t header[RECORD_HEADER_LEN])
{
	struct record rec = sample;

	record_build_header(&rec, SECRET, header);
}

static int parse(const uint8_t *header, struct record *ret)
{
	return record_parse_header(span_of(header, RECORD_HEADER_LEN), SECRET,
				   ret);
}

/* Puts a right checksum on a header that was changed. */
static void seal(uint8_t *header)
{
	put_le64(header + REC_HEADER_HASH_OFF,
		 hash64(span_of(header, REC_HEADER_HASH_OFF), SECRET));
}

START_TEST(header_comes_back)
{
	uint8_t header[RECORD_HEADER_LEN];
	struct record rec = sample;
	struct record back;

	record_build_header(&rec, SECRET, header);
	ck_ok(parse(header, &back));
	ck_assert_int_eq(back.type, sample.type);
	ck_assert_uint_eq(back.flags, sample.flags);
	ck_assert_uint_eq(back.payload_len, sample.payload_len);
	ck_assert_uint_eq(back.epoch, sample.epoch);
	ck_assert_uint_eq(back.seq, sample.seq);
	ck_assert_uint_eq(back.payload_hash, sample.payload_hash);
	ck_assert_uint_eq(back.header_hash, rec.header_hash);
	ck_assert_uint_eq(back.header_hash, get_le64(header + 40));
}
END_TEST

/* Byte by byte as FORMAT.md has it. */
START_TEST(header_is_as_in_the_format)
{
	static const uint8_t want[REC_HEADER_HASH_OFF] = {
		'C',  'R',  'E',  'C',  1,    48,   3,    1,    0,    0,
		1,    0,    0x45, 0x23, 0x01, 0x00, 0x08, 0x07, 0x06, 0x05,
		0x04, 0x03, 0x02, 0x01, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13,
		0x12, 0x11, 0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21,
	};
	uint8_t header[RECORD_HEADER_LEN];

	build(header);
	ck_assert_mem_eq(header, want, sizeof(want));
}
END_TEST

START_TEST(every_bit_is_guarded)
{
	uint8_t header[RECORD_HEADER_LEN];
	struct record rec = { .seq = 42 };
	size_t i;

	build(header);
	for (i = 0; i < sizeof(header) * 8; i++) {
		header[i / 8] ^= (uint8_t)(1 << i % 8);
		ck_rc(parse(header, &rec), i / 8 < 4 ? -EUCLEAN : -EBADMSG);
		header[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	ck_assert_uint_eq(rec.seq, 42);
	ck_ok(parse(header, &rec));
	ck_rc(record_parse_header(span_of(header, sizeof(header)), SECRET ^ 1,
				  &rec),
	      -EBADMSG);
}
END_TEST

START_TEST(fewer_bytes_are_no_record)
{
	uint8_t header[RECORD_HEADER_LEN];
	struct record rec;
	size_t len;

	build(header);
	for (len = 0; len < RECORD_HEADER_LEN; len++)
		ck_rc(record_parse_header(span_of(header, len), SECRET, &rec),
		      -EUCLEAN);
}
END_TEST

/* Fields that say something else under a right checksum. */
START_TEST(every_field_is_checked)
{
	static const struct {
		size_t off;
		uint8_t value;
		int rc;
	} cases[] = {
		{ REC_MAGIC_OFF, 'c', -EUCLEAN },
		{ REC_VERSION_OFF, 0, -EOPNOTSUPP },
		{ REC_VERSION_OFF, 2, -EOPNOTSUPP },
		{ REC_HEADER_LEN_OFF, 40, -EUCLEAN },
		{ REC_HEADER_LEN_OFF, 56, -EUCLEAN },
		{ REC_TYPE_OFF, 0, -EUCLEAN },
		{ REC_TYPE_OFF, RECORD_FRAME, -EUCLEAN }, /* it has ZSTD */
		{ REC_TYPE_OFF, RECORD_COMMIT, -EUCLEAN },
		{ REC_TYPE_OFF, RECORD_FOOTER, 0 },
		{ REC_TYPE_OFF, RECORD_SEEK, -EUCLEAN }, /* with ZSTD, too */
		{ REC_TYPE_OFF, RECORD_LAST + 1, -EOPNOTSUPP },
		{ REC_TYPE_OFF, 255, -EOPNOTSUPP },
		{ REC_FLAGS_OFF, 0, 0 },
		{ REC_FLAGS_OFF, RECORD_INTENT, -EUCLEAN }, /* on OPS */
		{ REC_FLAGS_OFF, 4, -EOPNOTSUPP },
		{ REC_FLAGS_OFF, 0x80, -EOPNOTSUPP },
		{ REC_KEY_ID_OFF, 1, -EOPNOTSUPP },
		{ REC_KEY_ID_OFF + 1, 1, -EOPNOTSUPP },
		{ REC_HASH_ALG_OFF, 0, -EOPNOTSUPP },
		{ REC_HASH_ALG_OFF, 2, -EOPNOTSUPP },
		{ REC_ZERO_OFF, 1, -EOPNOTSUPP },
		{ REC_PAYLOAD_LEN_OFF + 3, 1, -EUCLEAN },
	};
	uint8_t header[RECORD_HEADER_LEN];
	struct record rec;
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		build(header);
		header[cases[i].off] = cases[i].value;
		seal(header);
		ck_assert_msg(parse(header, &rec) == cases[i].rc,
			      "byte %zu = %u", cases[i].off, cases[i].value);
	}
}
END_TEST

START_TEST(payload_length_has_a_limit)
{
	uint8_t header[RECORD_HEADER_LEN];
	struct record rec;

	build(header);
	put_le32(header + REC_PAYLOAD_LEN_OFF, RECORD_PAYLOAD_MAX);
	seal(header);
	ck_ok(parse(header, &rec));
	put_le32(header + REC_PAYLOAD_LEN_OFF, RECORD_PAYLOAD_MAX + 1);
	seal(header);
	ck_rc(parse(header, &rec), -EUCLEAN);
	put_le32(header + REC_PAYLOAD_LEN_OFF, UINT32_MAX);
	seal(header);
	ck_rc(parse(header, &rec), -EUCLEAN);
}
END_TEST

START_TEST(length_is_padded)
{
	ck_assert_uint_eq(record_len(0), 48);
	ck_assert_uint_eq(record_len(1), 56);
	ck_assert_uint_eq(record_len(8), 56);
	ck_assert_uint_eq(record_len(9), 64);
	ck_assert_uint_eq(record_len(RECORD_PAYLOAD_MAX),
			  RECORD_PAYLOAD_MAX + 48);
}
END_TEST

START_TEST(payload_is_verified)
{
	uint8_t payload[] = "the payload of a record";
	struct span bytes = span_of(payload, sizeof(payload));
	struct record rec = {
		.payload_len = sizeof(payload),
		.payload_hash = record_payload_hash(bytes, SECRET),
	};
	size_t i;

	ck_ok(record_verify(&rec, bytes, SECRET));
	ck_rc(record_verify(&rec, bytes, SECRET + 1), -EBADMSG);
	for (i = 0; i < sizeof(payload) * 8; i++) {
		payload[i / 8] ^= (uint8_t)(1 << i % 8);
		ck_rc(record_verify(&rec, bytes, SECRET), -EBADMSG);
		payload[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (i = 0; i < sizeof(payload); i++)
		ck_rc(record_verify(&rec, span_of(payload, i), SECRET),
		      -EBADMSG);
	rec.payload_len = 0;
	rec.payload_hash = record_payload_hash(span_of(NULL, 0), SECRET);
	ck_ok(record_verify(&rec, span_of(NULL, 0), SECRET));
}
END_TEST

static ssize_t find(const uint8_t *bytes, size_t len, struct record *ret)
{
	return record_find(span_of(bytes, len), SECRET, ret);
}

START_TEST(find_skips_what_is_none)
{
	uint8_t bytes[1024];
	struct rng rng = rng_of(5);
	struct record rec;
	size_t off;

	rng_fill(&rng, bytes, sizeof(bytes));
	ck_rc(find(bytes, sizeof(bytes), &rec), -ENOENT);
	/* Look-alikes: a magic alone, a header of another segment, one that
	 * is not aligned, and one of a newer version. */
	put_le32(bytes, RECORD_MAGIC);
	build(bytes + 64);
	put_le64(bytes + 64 + REC_HEADER_HASH_OFF, 7);
	build(bytes + 128 + 4);
	build(bytes + 256);
	bytes[256 + REC_VERSION_OFF] = 9;
	seal(bytes + 256);
	ck_rc(find(bytes, sizeof(bytes), &rec), -ENOENT);
	for (off = 512; off + RECORD_HEADER_LEN <= sizeof(bytes); off += 8) {
		build(bytes + off);
		ck_rc(find(bytes, sizeof(bytes), &rec), (int)off);
		ck_rc(find(bytes + off, sizeof(bytes) - off, &rec), 0);
		ck_rc(find(bytes, off + RECORD_HEADER_LEN - 1, &rec), -ENOENT);
		bytes[off] = 0;
	}
	ck_assert_uint_eq(rec.seq, sample.seq);
}
END_TEST

START_TEST(find_wants_the_secret)
{
	uint8_t bytes[RECORD_HEADER_LEN];
	struct record rec;

	build(bytes);
	ck_rc(record_find(span_of(bytes, sizeof(bytes)), SECRET, &rec), 0);
	ck_rc(record_find(span_of(bytes, sizeof(bytes)), SECRET + 1, &rec),
	      -ENOENT);
}
END_TEST

START_TEST(find_in_few_bytes)
{
	uint8_t bytes[RECORD_HEADER_LEN];
	struct record rec;
	size_t len;

	build(bytes);
	for (len = 0; len < sizeof(bytes); len++)
		ck_rc(find(bytes, len, &rec), -ENOENT);
	ck_rc(find(bytes, len, &rec), 0);
}
END_TEST

START_TEST(commit_body_comes_back)
{
	static const struct commit_body body = {
		.first_seq = UINT64_C(0x0102030405060708),
		.n_records = 9,
		.hash = UINT64_MAX,
		.durable = 11,
	};
	uint8_t bytes[COMMIT_LEN + 1] = { 0 };
	struct commit_body back;

	commit_body_put(&body, bytes);
	ck_assert_mem_eq(bytes, "\x08\x07\x06\x05\x04\x03\x02\x01\x09\0", 10);
	ck_ok(commit_body_get(span_of(bytes, COMMIT_LEN), &back));
	ck_assert_mem_eq(&back, &body, sizeof(body));
	ck_ok(commit_body_get(span_of(bytes, COMMIT_LEN + 1), &back));
}
END_TEST

START_TEST(commit_body_cut_off_is_damage)
{
	uint8_t bytes[COMMIT_LEN] = { 0 };
	struct commit_body back = { .n_records = 42 };
	size_t len;

	for (len = 0; len < COMMIT_LEN; len++)
		ck_rc(commit_body_get(span_of(bytes, len), &back), -EUCLEAN);
	ck_assert_uint_eq(back.n_records, 42);
}
END_TEST

Suite *suite_record(void)
{
	const TTest *const tests[] = {
		header_comes_back,
		header_is_as_in_the_format,
		every_bit_is_guarded,
		fewer_bytes_are_no_record,
		every_field_is_checked,
		payload_length_has_a_limit,
		length_is_padded,
		payload_is_verified,
		find_skips_what_is_none,
		find_wants_the_secret,
		find_in_few_bytes,
		commit_body_comes_back,
		commit_body_cut_off_is_damage,
	};

	return suite_of("record", tests, ARRAY_LEN(tests), 10);
}
