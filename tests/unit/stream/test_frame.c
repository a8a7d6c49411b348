/* SPDX-License-Identifier: MIT */
/*
 * test_frame.c - tests of src/stream/frame.c.
 */
#include "unit/stream/suites.h"

#include "base/cleanup.h"
#include "base/hash.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "stream/frame.h"

/* Parses what lies in memory of its own length. */
static int parse(const uint8_t *bytes, size_t len, struct frame_view *ret)
{
	uint8_t *tight = malloc(len > 0 ? len : 1);
	struct frame_view f;
	int rc;

	ck_assert_ptr_nonnull(tight);
	memcpy(tight, bytes, len);
	rc = frame_parse(span_of(tight, len), &f);
	if (rc == 0 && ret) {
		*ret = f;
		ret->table.ptr = bytes + (f.table.ptr - tight);
		ret->glyphs.ptr = bytes + (f.glyphs.ptr - tight);
	}
	free(tight);
	return rc;
}

static void check_chunks(const struct frame_view *f,
			 const struct frame_chunk *want)
{
	struct frame_cursor cursor;
	struct frame_chunk chunk = { .id = 0 };
	size_t raw_len = 0;
	size_t i;

	frame_walk(f, &cursor);
	for (i = 0; i < f->n_chunks; i++) {
		ck_assert(frame_next(&cursor, &chunk));
		ck_assert(chunk.id == want[i].id &&
			  chunk.hash == want[i].hash &&
			  chunk.len == want[i].len);
		raw_len += chunk.len;
	}
	ck_assert(!frame_next(&cursor, &chunk));
	ck_assert_uint_eq(raw_len, f->raw_len);
}

static void check_round_trip(const struct frame_chunk *chunks, size_t n)
{
	static const uint8_t glyphs[] = { 1, 2, 3 };
	size_t cap = frame_table_bound(n) + sizeof(glyphs);
	AUTO_FREE uint8_t *bytes = malloc(cap);
	struct frame_view f;
	size_t len;

	ck_assert_ptr_nonnull(bytes);
	len = frame_table_put(chunks, n, bytes);
	ck_assert_uint_le(len, frame_table_bound(n));
	memcpy(bytes + len, glyphs, sizeof(glyphs));
	ck_ok(parse(bytes, len + sizeof(glyphs), &f));
	ck_assert_uint_eq(f.n_chunks, n);
	ck_assert_uint_eq(f.glyphs.len, sizeof(glyphs));
	ck_assert_mem_eq(f.glyphs.ptr, glyphs, sizeof(glyphs));
	check_chunks(&f, chunks);
}

START_TEST(one_chunk)
{
	static const uint64_t ids[] = { 1,          2,
					63,         64,
					UINT32_MAX, (uint64_t)INT64_MAX,
					1ull << 63, UINT64_MAX };
	struct frame_chunk chunk = { .hash = 0x0123456789abcdef };
	size_t i;

	for (i = 0; i < ARRAY_LEN(ids); i++) {
		chunk.id = ids[i];
		chunk.len = 1;
		check_round_trip(&chunk, 1);
		chunk.len = FRAME_CHUNK_LEN_MAX;
		check_round_trip(&chunk, 1);
	}
}
END_TEST

START_TEST(many_chunks)
{
	static struct frame_chunk chunks[FRAME_CHUNKS_MAX];
	struct rng rng = rng_of(1);
	size_t i;

	for (i = 0; i < FRAME_CHUNKS_MAX; i++)
		chunks[i] = (struct frame_chunk){
			.id = rng_u64(&rng) | 1,
			.hash = rng_u64(&rng),
			.len = (uint32_t)rng_below(&rng, 1024) + 1,
		};
	for (i = 1; i < 40; i++)
		check_round_trip(chunks, i);
	chunks[1].id = chunks[0].id; /* twice the same is allowed */
	check_round_trip(chunks, FRAME_CHUNKS_MAX);
	for (i = 0; i < FRAME_CHUNKS_MAX; i++)
		chunks[i].len = FRAME_RAW_MAX / FRAME_CHUNKS_MAX;
	check_round_trip(chunks, FRAME_CHUNKS_MAX);
}
END_TEST

START_TEST(table_is_as_in_the_format)
{
	static const struct frame_chunk chunks[] = {
		{ .id = 100, .len = 300, .hash = 0x0807060504030201 },
		{ .id = 101, .len = 1, .hash = 0 },
		{ .id = 98, .len = 2, .hash = 0xff },
	};
	static const uint8_t want[] = {
		3, 0xc8, 1, 0xac, 2, 1, 2, 3, 4,    5, 6, 7, 8, 2, 1, 0, 0,
		0, 0,    0, 0,    0, 0, 5, 2, 0xff, 0, 0, 0, 0, 0, 0, 0,
	};
	uint8_t bytes[128];

	ck_assert_uint_eq(frame_table_put(chunks, 3, bytes), sizeof(want));
	ck_assert_mem_eq(bytes, want, sizeof(want));
}
END_TEST

START_TEST(truncated_anywhere_is_damage)
{
	struct frame_chunk chunks[5];
	uint8_t bytes[256];
	struct frame_view f = { .n_chunks = 42 };
	size_t len, cut, i;

	for (i = 0; i < ARRAY_LEN(chunks); i++)
		chunks[i] =
			(struct frame_chunk){ .id = 1000 * i + 1, .len = 300 };
	len = frame_table_put(chunks, ARRAY_LEN(chunks), bytes);
	for (cut = 0; cut < len; cut++)
		ck_rc(parse(bytes, cut, &f), -EUCLEAN);
	ck_assert_uint_eq(f.n_chunks, 42);
	ck_ok(parse(bytes, len, &f));
	ck_assert_uint_eq(f.glyphs.len, 0);
}
END_TEST

/* A table by hand, its hashes eight bytes of 'h'. */
static int parse_text(const char *bytes, size_t len)
{
	return parse((const uint8_t *)bytes, len, NULL);
}

START_TEST(every_field_is_checked)
{
	ck_ok(parse_text("\1\2\1hhhhhhhh", 11));
	/* n: 0, 4097, not canonical */
	ck_rc(parse_text("\0\2\1hhhhhhhh", 11), -EUCLEAN);
	ck_rc(parse_text("\x81\x20\2\1hhhhhhhh", 12), -EUCLEAN);
	ck_rc(parse_text("\x81\0\2\1hhhhhhhh", 12), -EUCLEAN);
	/* id: 0, 0 by the difference, not canonical, over 64 bits */
	ck_rc(parse_text("\1\0\1hhhhhhhh", 11), -EUCLEAN);
	ck_rc(parse_text("\2\2\1hhhhhhhh\1\1hhhhhhhh", 21), -EUCLEAN);
	ck_ok(parse_text("\2\4\1hhhhhhhh\1\1hhhhhhhh", 21));
	ck_rc(parse_text("\1\x82\0\1hhhhhhhh", 12), -EUCLEAN);
	ck_rc(parse_text("\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\2\1hhhhhhhh",
			 20),
	      -EUCLEAN);
	/* length: 0, over 4 MiB, not canonical, all together over 4 MiB */
	ck_rc(parse_text("\1\2\0hhhhhhhh", 11), -EUCLEAN);
	ck_ok(parse_text("\1\2\x80\x80\x80\2hhhhhhhh", 14));
	ck_rc(parse_text("\1\2\x81\x80\x80\2hhhhhhhh", 14), -EUCLEAN);
	ck_rc(parse_text("\1\2\x81\0hhhhhhhh", 12), -EUCLEAN);
	ck_rc(parse_text("\2\2\x80\x80\x80\2hhhhhhhh\2\1hhhhhhhh", 24),
	      -EUCLEAN);
}
END_TEST

START_TEST(flipped_anywhere_keeps_within_bounds)
{
	struct frame_chunk chunks[7];
	uint8_t bytes[256];
	struct frame_cursor cursor;
	struct frame_chunk chunk;
	struct frame_view f;
	size_t len, i, n;
	int rc;

	for (i = 0; i < ARRAY_LEN(chunks); i++)
		chunks[i] = (struct frame_chunk){ .id = 900 - i,
						  .len = 1 << 2 * i };
	len = frame_table_put(chunks, ARRAY_LEN(chunks), bytes);
	for (i = 0; i < len * 8; i++) {
		bytes[i / 8] ^= (uint8_t)(1 << i % 8);
		rc = parse(bytes, len, &f);
		ck_assert(rc == 0 || rc == -EUCLEAN);
		if (rc == 0) {
			frame_walk(&f, &cursor);
			for (n = 0; frame_next(&cursor, &chunk); n++)
				ck_assert(chunk.id != 0 && chunk.len > 0);
			ck_assert_uint_eq(n, f.n_chunks);
		}
		bytes[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}
END_TEST

START_TEST(chunks_are_verified)
{
	uint8_t raw[600];
	uint8_t bytes[64];
	struct frame_chunk chunks[] = { { .id = 1, .len = 1 },
					{ .id = 2, .len = 499 },
					{ .id = 3, .len = 100 } };
	struct rng rng = rng_of(2);
	struct frame_view f;
	size_t off = 0;
	size_t i;

	rng_fill(&rng, raw, sizeof(raw));
	for (i = 0; i < ARRAY_LEN(chunks); i++) {
		chunks[i].hash = hash64(span_of(raw + off, chunks[i].len), 0);
		off += chunks[i].len;
	}
	ck_ok(frame_parse(span_of(bytes, frame_table_put(chunks, 3, bytes)),
			  &f));
	ck_ok(frame_verify(&f, span_of(raw, sizeof(raw))));
	ck_rc(frame_verify(&f, span_of(raw, sizeof(raw) - 1)), -EBADMSG);
	for (i = 0; i < sizeof(raw); i++) {
		raw[i] ^= 0x10;
		ck_rc(frame_verify(&f, span_of(raw, sizeof(raw))), -EBADMSG);
		raw[i] ^= 0x10;
	}
}
END_TEST

Suite *suite_frame(void)
{
	const TTest *const tests[] = {
		one_chunk,
		many_chunks,
		table_is_as_in_the_format,
		truncated_anywhere_is_damage,
		every_field_is_checked,
		flipped_anywhere_keeps_within_bounds,
		chunks_are_verified,
	};

	return suite_of("frame", tests, ARRAY_LEN(tests), 10);
}
