/* SPDX-License-Identifier: MIT */
/*
 * test_glyph.c - tests of src/codec/glyph.c.
 */
#include "unit/codec/suites.h"

#include "codec/glyph.h"
#include "lib/suite.h"

static int get(const uint8_t *bytes, size_t len, struct glyph *ret)
{
	struct reader in = reader_of(span_of(bytes, len));

	return glyph_get(&in, ret);
}

/* A node at the start of `bytes`, read back. */
static void check_node(const uint8_t *bytes, size_t len,
		       const struct glyph *want)
{
	struct glyph g;

	ck_ok(get(bytes, len, &g));
	ck_assert_uint_eq(g.type, want->type);
	ck_assert_uint_eq(g.primitive, want->primitive);
	ck_assert(g.has_payload == want->has_payload);
	ck_assert_ptr_eq(g.payload.ptr, want->payload.ptr);
	ck_assert_uint_eq(g.payload.len, want->payload.len);
}

START_TEST(every_type_and_primitive_comes_back)
{
	uint8_t bytes[GLYPH_HEADER_MAX + 5] = { 0 };
	struct glyph want = { .type = (enum glyph_type)_i };
	size_t n;

	for (; want.primitive <= 255; want.primitive++) {
		n = glyph_put(bytes, want.type, want.primitive, 5);
		want.has_payload = true;
		want.payload = span_of(bytes + n, 5);
		check_node(bytes, n + 5, &want);
		n = glyph_put_bare(bytes, want.type, want.primitive);
		want.has_payload = false;
		want.payload = span_of(NULL, 0);
		check_node(bytes, n, &want);
	}
}
END_TEST

START_TEST(node_bytes_are_as_in_the_format)
{
	uint8_t bytes[GLYPH_HEADER_MAX];

	ck_assert_uint_eq(glyph_put(bytes, GLYPH_PRIMITIVE, PRIM_ZSTD, 300), 3);
	ck_assert_mem_eq(bytes, "\x23\xac\x02", 3);
	ck_assert_uint_eq(glyph_put(bytes, GLYPH_COMPOSITE, PRIM_CONCAT, 3), 2);
	ck_assert_mem_eq(bytes, "\xe4\x03", 2);
	ck_assert_uint_eq(glyph_put(bytes, GLYPH_DELTA, 200, 1), 3);
	ck_assert_mem_eq(bytes, "\xbf\xc8\x01", 3);
	ck_assert_uint_eq(glyph_put_bare(bytes, GLYPH_REFERENCE, 30), 1);
	ck_assert_mem_eq(bytes, "\x5e", 1);
	ck_assert_uint_eq(glyph_put_bare(bytes, GLYPH_REFERENCE, 31), 2);
	ck_assert_mem_eq(bytes, "\x5f\x1f", 2);
	ck_assert_uint_le(glyph_put(bytes, GLYPH_DELTA, 255, SIZE_MAX),
			  GLYPH_HEADER_MAX);
}
END_TEST

START_TEST(cut_off_anywhere_is_damage)
{
	uint8_t bytes[GLYPH_HEADER_MAX + 200] = { 0 };
	size_t n = glyph_put(bytes, GLYPH_PRIMITIVE, 99, 200) + 200;
	struct glyph g = { .primitive = 42 };
	size_t cut;

	for (cut = 0; cut < n; cut++)
		ck_rc(get(bytes, cut, &g), -EUCLEAN);
	ck_assert_uint_eq(g.primitive, 42);
	ck_ok(get(bytes, n, &g));
}
END_TEST

START_TEST(escaped_primitive_must_need_it)
{
	uint8_t bytes[2] = { GLYPH_PRIM_ESCAPE, 0 };
	struct glyph g;
	unsigned id;

	for (id = 0; id <= 255; id++) {
		bytes[1] = (uint8_t)id;
		ck_rc(get(bytes, 2, &g), id < GLYPH_PRIM_ESCAPE ? -EUCLEAN : 0);
	}
}
END_TEST

START_TEST(payload_length_must_be_canonical_and_there)
{
	static const uint8_t longer[] = { 0x20, 0x81, 0x00, 7 };
	static const uint8_t huge[] = { 0x20, 0xff, 0xff, 0xff, 0xff, 0xff,
					0xff, 0xff, 0xff, 0xff, 0x01, 7 };
	static const uint8_t over[] = { 0x20, 0xff, 0xff, 0xff, 0xff, 0xff,
					0xff, 0xff, 0xff, 0xff, 0x02, 7 };
	struct glyph g;

	ck_rc(get(longer, sizeof(longer), &g), -EUCLEAN);
	ck_rc(get(huge, sizeof(huge), &g), -EUCLEAN);
	ck_rc(get(over, sizeof(over), &g), -EUCLEAN);
}
END_TEST

Suite *suite_glyph(void)
{
	const TTest *const tests[] = {
		node_bytes_are_as_in_the_format,
		cut_off_anywhere_is_damage,
		escaped_primitive_must_need_it,
		payload_length_must_be_canonical_and_there,
	};

	Suite *suite = suite_of("glyph", tests, ARRAY_LEN(tests), 10);
	TCase *tcase = tcase_create("types");

	tcase_add_loop_test(tcase, every_type_and_primitive_comes_back,
			    GLYPH_PRIMITIVE, GLYPH_COMPOSITE + 1);
	suite_add_tcase(suite, tcase);
	return suite;
}
