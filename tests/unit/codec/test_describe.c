/* SPDX-License-Identifier: MIT */
/*
 * test_describe.c - tests of src/codec/describe.c.
 */
#include "unit/codec/suites.h"

#include "base/varint.h"
#include "codec/describe.h"
#include "lib/suite.h"
#include "unit/codec/trees.h"

static struct tree tree;

static struct description describe(size_t raw_off)
{
	struct description d;

	ck_ok(describe_glyphs(span_of(tree.bytes, tree.len), raw_off, &d));
	return d;
}

static void add_reference(enum glyph_type type, unsigned primitive, uint64_t id)
{
	uint8_t payload[VARINT_MAX + 3];
	size_t n = varint_put(payload, id);

	memset(payload + n, 'x', 3);
	tree_node(&tree, type, primitive, span_of(payload, n + 3));
}

START_TEST(one_node)
{
	struct description d;

	tree.len = 0;
	tree_store(&tree, "abc", 3);
	d = describe(2);
	ck_assert_str_eq(d.text, "store");
	ck_assert_uint_eq(d.stored_len, tree.len);
	ck_assert_uint_eq(d.base, 0);
	ck_assert_uint_eq(d.codebook, 0);
}
END_TEST

START_TEST(child_of_a_concat)
{
	static const uint64_t lens[] = { 10, 3, 20 };
	static const uint64_t inner[] = { 15, 5 };
	struct description d;
	size_t before;

	tree.len = 0;
	tree_concat(&tree, lens, 3);
	add_reference(GLYPH_DELTA, PRIM_ZSTD_DELTA, 77);
	tree_store(&tree, "abc", 3);
	before = tree.len;
	tree_concat(&tree, inner, 2);
	tree_fill(&tree, "x", 1);
	add_reference(GLYPH_REFERENCE, PRIM_ZSTD_CODEBOOK, 300);
	d = describe(0);
	ck_assert_str_eq(d.text, "zstd-delta");
	ck_assert_uint_eq(d.base, 77);
	ck_assert_str_eq(describe(9).text, "zstd-delta");
	ck_assert_str_eq(describe(10).text, "store");
	ck_assert_uint_eq(describe(10).base, 0);
	ck_assert_str_eq(describe(12).text, "store");
	d = describe(13);
	ck_assert_str_eq(d.text, "concat(fill zstd-codebook)");
	ck_assert_uint_eq(d.stored_len, tree.len - before);
	ck_assert_uint_eq(d.codebook, 300);
	ck_assert_uint_eq(d.base, 0);
	ck_rc(describe_glyphs(span_of(tree.bytes, tree.len), 33, &d), -EUCLEAN);
}
END_TEST

START_TEST(long_texts_are_cut_off)
{
	struct description d;
	size_t i;

	tree.len = 0;
	tree_node(&tree, GLYPH_COMPOSITE, PRIM_X86, span_of(NULL, 0));
	tree_concat_ones(&tree, 100);
	for (i = 0; i < 100; i++)
		tree_store(&tree, "a", 1);
	d = describe(0);
	ck_assert_uint_lt(strlen(d.text), DESCRIBE_TEXT_MAX);
	ck_assert_int_eq(strncmp(d.text, "x86(concat(store store ", 23), 0);
	ck_assert_str_eq(d.text + strlen(d.text) - 3, "...");
	ck_assert_uint_eq(d.stored_len, tree.len);
}
END_TEST

START_TEST(damage_is_an_error)
{
	static const uint64_t lens[] = { 1, 1 };
	struct description d = { .base = 5 };
	size_t len;

	tree.len = 0;
	tree_concat(&tree, lens, 2);
	tree_store(&tree, "a", 1);
	tree_store(&tree, "b", 1);
	for (len = 0; len < tree.len; len++)
		ck_rc(describe_glyphs(span_of(tree.bytes, len), 1, &d),
		      -EUCLEAN);
	tree.len = 0;
	tree_node(&tree, GLYPH_PRIMITIVE, 200, span_of(tree.bytes, 0));
	ck_rc(describe_glyphs(span_of(tree.bytes, tree.len), 0, &d),
	      -EOPNOTSUPP);
	tree.len = 0;
	for (len = 0; len < 9; len++)
		tree_node(&tree, GLYPH_COMPOSITE, PRIM_X86, span_of(NULL, 0));
	tree_store(&tree, "a", 1);
	ck_rc(describe_glyphs(span_of(tree.bytes, tree.len), 0, &d), -EUCLEAN);
	ck_assert_uint_eq(d.base, 5);
}
END_TEST

Suite *suite_describe(void)
{
	const TTest *const tests[] = {
		one_node,
		child_of_a_concat,
		long_texts_are_cut_off,
		damage_is_an_error,
	};

	return suite_of("describe", tests, ARRAY_LEN(tests), 20);
}
