/* SPDX-License-Identifier: MIT */
/*
 * test_codebook.c - glyphs that refer to a codebook, both ways, and the
 * codebook itself.
 */
#include "unit/codec/suites.h"

#include "base/cleanup.h"
#include "codec/codebook.h"
#include "codec/encode.h"
#include "codec/primitive.h"
#include "codec/train.h"
#include "lib/books.h"
#include "lib/records.h"
#include "lib/suite.h"
#include "unit/codec/trees.h"

enum {
	BOOK_ID = 300,
	LEN = 3000,
};

/* One codebook, by its id. */
struct shelf {
	struct codebook *book;
	unsigned n_asked;
	int rc;
	struct decode_source source;
};

static struct tree tree;

static int shelf_codebook(void *ctx, uint64_t id, const struct codebook **ret)
{
	struct shelf *s = ctx;

	s->n_asked++;
	ck_assert_uint_ne(id, 0);
	if (s->rc < 0)
		return s->rc;
	if (id != BOOK_ID)
		return -EUCLEAN;
	*ret = s->book;
	return 0;
}

static struct codebook *make_book(unsigned kind)
{
	const struct codebook_head head = { BOOK_ID, 1, CONTENT_TEXT };
	static uint8_t bytes[TRAIN_DICTIONARY_MAX];
	size_t n = books_train(kind, bytes);
	struct codebook *b = NULL;

	ck_ok(codebook_new(&head, span_of(bytes, n), &b));
	return b;
}

static void shelf_begin(struct shelf *s)
{
	*s = (struct shelf){ .book = make_book(1),
			     .source = { s, NULL, shelf_codebook } };
	tree.len = 0;
}

static void shelf_end(struct shelf *s)
{
	codebook_put(s->book);
}

static ssize_t encode_with(struct encoder *e, struct codebook *book,
			   struct span raw, uint8_t *dst, size_t cap)
{
	const struct encode_book with = { 4, book };

	return encode_codebook(e, &with, raw, dst, cap);
}

/* LEN bytes of records as one glyph in `tree`. */
static struct encoder *build(struct shelf *s, uint8_t *raw)
{
	struct encoder *e = NULL;
	ssize_t n;

	shelf_begin(s);
	records_fill(1, 777, raw, LEN);
	ck_ok(encoder_new(&e));
	n = encode_with(e, s->book, span_of(raw, LEN), tree.bytes, TREE_MAX);
	ck_assert_int_gt(n, 0);
	tree.len = (size_t)n;
	return e;
}

static int decode_tree(const struct shelf *s, const uint8_t *want, size_t len)
{
	return decode_guarded_from(&s->source, span_of(tree.bytes, tree.len),
				   want, len);
}

START_TEST(round_trip_at_all_lengths)
{
	static const size_t lens[] = { 1,         2,       100,
				       4096,      65536,   (256 << 10) + 1,
				       900 << 10, 3 << 20, GLYPH_OUTPUT_MAX };
	AUTO_FREE uint8_t *raw = malloc(GLYPH_OUTPUT_MAX);
	AUTO_FREE uint8_t *glyph = malloc(encode_bound(GLYPH_OUTPUT_MAX) + 64);
	struct encoder *e = NULL;
	enum sample sample;
	struct shelf s;
	ssize_t n;
	size_t i;

	ck_assert(raw && glyph);
	shelf_begin(&s);
	ck_ok(encoder_new(&e));
	for (i = 0; i < ARRAY_LEN(lens); i++) {
		for (sample = SAMPLE_ZERO; sample < SAMPLE_RANDOM; sample++) {
			sample_fill(sample, i, raw, lens[i]);
			n = encode_with(e, s.book, span_of(raw, lens[i]), glyph,
					encode_bound(lens[i]) + 64);
			ck_assert_int_gt(n, 0);
			s.n_asked = 0;
			ck_ok(decode_guarded_from(&s.source,
						  span_of(glyph, (size_t)n),
						  raw, lens[i]));
			ck_assert_uint_eq(s.n_asked, 1);
			glyph[n / 2] = 0x5a;
			ck_ok(encode_with(e, s.book, span_of(raw, lens[i]),
					  glyph, (size_t)n / 2));
			ck_assert_uint_eq(glyph[n / 2], 0x5a);
		}
	}
	encoder_free(e);
	shelf_end(&s);
}
END_TEST

/* The beginning of a frame, block by block, and afterwards without a codebook. */
START_TEST(a_part_of_a_frame)
{
	enum { ALL = 300 << 10 };
	AUTO_FREE uint8_t *raw = malloc(ALL);
	AUTO_FREE uint8_t *out = malloc(ALL);
	AUTO_FREE uint8_t *glyph = malloc(encode_bound(ALL) + 64);
	struct decode_part part = { .dst = out, .raw_len = ALL };
	struct encoder *e = NULL;
	struct decoder *d = NULL;
	struct shelf s;
	ssize_t n;

	ck_assert(raw && out && glyph);
	shelf_begin(&s);
	ck_ok(encoder_new(&e));
	ck_ok(decoder_new(&d));
	records_fill(1, 777, raw, ALL);
	n = encode_with(e, s.book, span_of(raw, ALL), glyph,
			encode_bound(ALL) + 64);
	ck_assert_int_gt(n, 0);
	for (part.to = 1; part.to < ALL; part.to += 20011) {
		memset(out, 0xa5, ALL);
		ck_ok(decode_part(d, span_of(glyph, (size_t)n), &s.source,
				  &part));
		ck_assert_mem_eq(out, raw, part.to);
	}
	tree.len = 0;
	tree_store(&tree, "plain", 5);
	ck_ok(decode_frame(d, span_of(tree.bytes, tree.len), NULL, out, 5));
	ck_ok(decode_frame(d, span_of(glyph, (size_t)n), &s.source, out, ALL));
	ck_assert_mem_eq(out, raw, ALL);
	decoder_free(d);
	encoder_free(e);
	shelf_end(&s);
}
END_TEST

START_TEST(what_was_learned_makes_it_smaller)
{
	const struct encode_request plain = { .effort = EFFORT_BALANCED };
	uint8_t glyph[LEN + 64];
	uint8_t raw[LEN];
	struct shelf s;
	struct encoder *e = build(&s, raw);
	ssize_t n = encode_frame(e, &plain, span_of(raw, LEN), glyph);

	ck_assert_uint_lt(tree.len, (size_t)n * 3 / 4);
	ck_ok(decode_tree(&s, raw, LEN));
	encoder_free(e);
	shelf_end(&s);
}
END_TEST

/* Else a frame would be written that nothing can ever decode. */
START_TEST(nothing_is_left_behind)
{
	const struct encode_request plain = { .effort = EFFORT_BALANCED };
	const struct encode_base base = { EFFORT_BALANCED, 9,
					  span_of("some base", 9) };
	uint8_t glyph[LEN + 64];
	uint8_t raw[LEN];
	struct shelf s;
	struct encoder *e = build(&s, raw);
	ssize_t n;
	size_t cap;

	/* One that fits, and those that end at every place before. */
	for (cap = tree.len; cap > 0; cap--) {
		n = encode_with(e, s.book, span_of(raw, LEN), glyph, cap - 1);
		ck_assert_int_ge(n, 0);
		if (cap % 3 == 0)
			(void)encode_delta(e, &base, span_of(raw, LEN), glyph,
					   cap);
		n = encode_frame(e, &plain, span_of(raw, LEN), glyph);
		ck_assert_int_gt(n, 0);
		ck_assert_int_eq(encode_kind_of(span_of(glyph, (size_t)n)),
				 ENCODE_ZSTD);
		ck_ok(decode_guarded(span_of(glyph, (size_t)n), raw, LEN));
	}
	encoder_free(e);
	shelf_end(&s);
}
END_TEST

START_TEST(decoder_forgets_it_too)
{
	const struct encode_request plain = { .effort = EFFORT_BALANCED };
	uint8_t glyph[LEN + 64];
	uint8_t raw[LEN];
	uint8_t out[LEN];
	struct decoder *d = NULL;
	struct shelf s;
	struct encoder *e = build(&s, raw);
	ssize_t n = encode_frame(e, &plain, span_of(raw, LEN), glyph);

	ck_ok(decoder_new(&d));
	ck_ok(decode_frame(d, span_of(tree.bytes, tree.len), &s.source, out,
			   LEN));
	memset(out, 0, LEN);
	ck_ok(decode_frame(d, span_of(glyph, (size_t)n), NULL, out, LEN));
	ck_assert_mem_eq(out, raw, LEN);
	decoder_free(d);
	encoder_free(e);
	shelf_end(&s);
}
END_TEST

START_TEST(codebook_must_be_there)
{
	const struct decode_source none = { NULL, NULL, NULL };
	uint8_t raw[LEN];
	struct shelf s;

	encoder_free(build(&s, raw));
	ck_rc(tree_decode(&tree, NULL, LEN), -EUCLEAN);
	ck_rc(decode_guarded_from(&none, span_of(tree.bytes, tree.len), NULL,
				  LEN),
	      -EUCLEAN);
	s.rc = -EIO;
	ck_rc(decode_tree(&s, NULL, LEN), -EIO);
	s.rc = -ENOMEM;
	ck_rc(decode_tree(&s, NULL, LEN), -ENOMEM);
	shelf_end(&s);
}
END_TEST

/* It makes other bytes or none: the chunk's hash is what finds it. */
START_TEST(wrong_codebook_stays_within_bounds)
{
	struct codebook *right;
	uint8_t raw[LEN];
	struct shelf s;
	int rc;

	encoder_free(build(&s, raw));
	right = s.book;
	s.book = make_book(2);
	rc = decode_tree(&s, NULL, LEN);
	ck_assert(rc == 0 || rc == -EUCLEAN);
	codebook_put(s.book);
	s.book = right;
	ck_ok(decode_tree(&s, raw, LEN));
	shelf_end(&s);
}
END_TEST

START_TEST(payload_is_an_id_and_one_frame)
{
	struct shelf s;

	shelf_begin(&s);
	check_id_and_frame(&s.source, GLYPH_REFERENCE, PRIM_ZSTD_CODEBOOK);
	shelf_end(&s);
}
END_TEST

START_TEST(every_flip_keeps_within_bounds)
{
	uint8_t raw[LEN];
	struct shelf s;

	encoder_free(build(&s, raw));
	tree_flip(&tree, &s.source, LEN, SIZE_MAX);
	tree_truncate(&tree, &s.source, LEN);
	ck_ok(decode_tree(&s, raw, LEN));
	shelf_end(&s);
}
END_TEST

static void add_leaf(unsigned id)
{
	uint8_t leaf[] = {
		(uint8_t)(id | 0x80), (uint8_t)(id >> 7), 0, 0x38, 9, 0, 0, 'a'
	};

	tree_node(&tree, GLYPH_REFERENCE, PRIM_ZSTD_CODEBOOK,
		  span_of(leaf, sizeof(leaf)));
}

START_TEST(a_tree_has_one_codebook)
{
	struct shelf s;
	uint64_t id = 7;

	shelf_begin(&s);
	tree_concat_ones(&tree, 2);
	add_leaf(BOOK_ID);
	add_leaf(BOOK_ID);
	ck_ok(decode_tree(&s, (const uint8_t *)"aa", 2));
	ck_ok(decode_find_codebook(span_of(tree.bytes, tree.len), &id));
	ck_assert_uint_eq(id, BOOK_ID);
	tree.len = 0;
	tree_concat_ones(&tree, 2);
	add_leaf(BOOK_ID);
	add_leaf(BOOK_ID + 1);
	ck_rc(decode_tree(&s, NULL, 2), -EUCLEAN);
	ck_rc(decode_find_codebook(span_of(tree.bytes, tree.len), &id),
	      -EUCLEAN);
	tree.len = 0;
	tree_store(&tree, "abc", 3);
	ck_ok(decode_find_codebook(span_of(tree.bytes, tree.len), &id));
	ck_assert_uint_eq(id, 0);
	ck_rc(decode_find_codebook(span_of(tree.bytes, tree.len - 1), &id),
	      -EUCLEAN);
	shelf_end(&s);
}
END_TEST

START_TEST(what_is_no_dictionary_is_refused)
{
	const struct codebook_head head = { BOOK_ID, 1, CONTENT_TEXT };
	static uint8_t bytes[TRAIN_DICTIONARY_MAX];
	size_t n = books_train(1, bytes);
	struct codebook *b = NULL;
	struct shelf s = { .source = { &s, NULL, shelf_codebook } };
	size_t i;
	int rc;

	ck_rc(codebook_new(&head, span_of(bytes, CODEBOOK_LEN_MIN - 1), &b),
	      -EUCLEAN);
	ck_rc(codebook_new(&head, span_of(bytes, CODEBOOK_LEN_MAX + 1), &b),
	      -EUCLEAN);
	bytes[0] ^= 1; /* raw content: no dictionary of ours */
	ck_rc(codebook_new(&head, span_of(bytes, n), &b), -EUCLEAN);
	bytes[0] ^= 1;
	ck_assert_ptr_null(b);
	/* Tables of any content: refused, or whole. */
	records_fill(1, 3, tree.bytes, LEN);
	for (i = 8; i < 2400; i++) {
		struct encoder *e = NULL;
		uint8_t glyph[LEN + 64];
		ssize_t len;

		bytes[i / 8] ^= (uint8_t)(1 << i % 8);
		rc = codebook_new(&head, span_of(bytes, n), &b);
		ck_assert(rc == 0 || rc == -EUCLEAN || rc == -ENOMEM);
		if (rc == 0) {
			s.book = b;
			ck_ok(encoder_new(&e));
			len = encode_with(e, b, span_of(tree.bytes, LEN), glyph,
					  sizeof(glyph));
			if (len > 0)
				ck_ok(decode_guarded_from(
					&s.source, span_of(glyph, (size_t)len),
					tree.bytes, LEN));
			encoder_free(e);
			codebook_put(b);
		}
		bytes[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}
END_TEST

START_TEST(references_are_counted)
{
	struct codebook *b = make_book(1);
	size_t bare = codebook_memory(b);

	ck_assert(codebook_is_last(b));
	ck_assert_ptr_eq(codebook_get(b), b);
	ck_assert(!codebook_is_last(b));
	codebook_put(b);
	ck_assert(codebook_is_last(b));
	ck_assert_uint_gt(bare, codebook_bytes(b).len);
	ck_assert_ptr_null(codebook_encoding(b, 0));
	ck_assert_ptr_null(codebook_encoding(b, CODEBOOK_LEVEL_MAX + 1));
	ck_assert_ptr_eq(codebook_encoding(b, 4), codebook_encoding(b, 4));
	ck_assert_ptr_ne(codebook_encoding(b, 4), codebook_encoding(b, 9));
	ck_assert_uint_gt(codebook_memory(b), bare + (100 << 10));
	ck_assert_uint_lt(codebook_memory(b), 4 << 20);
	codebook_put(b);
	codebook_put(NULL);
}
END_TEST

START_TEST(classes_have_names)
{
	enum content_class class = CONTENT_N_CLASSES;

	ck_ok(codebook_class_find(span_of("text", 4), &class));
	ck_assert_int_eq(class, CONTENT_TEXT);
	ck_assert_str_eq(codebook_class_name(class), "text");
	ck_rc(codebook_class_find(span_of("tex", 3), &class), -ENOENT);
	ck_rc(codebook_class_find(span_of("", 0), &class), -ENOENT);
	ck_assert_ptr_null(codebook_class_name(CONTENT_BINARY));
	ck_assert_ptr_null(codebook_class_name(CONTENT_N_CLASSES));
}
END_TEST

Suite *suite_codebook(void)
{
	const TTest *const tests[] = {
		round_trip_at_all_lengths,
		a_part_of_a_frame,
		what_was_learned_makes_it_smaller,
		nothing_is_left_behind,
		decoder_forgets_it_too,
		codebook_must_be_there,
		wrong_codebook_stays_within_bounds,
		payload_is_an_id_and_one_frame,
		every_flip_keeps_within_bounds,
		a_tree_has_one_codebook,
		what_is_no_dictionary_is_refused,
		references_are_counted,
		classes_have_names,
	};

	return suite_of("codebook", tests, ARRAY_LEN(tests), 60);
}
