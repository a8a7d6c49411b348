/* SPDX-License-Identifier: MIT */
/*
 * test_decode.c - tests of src/codec/decode.c, on trees built by hand.
 */
#include "unit/codec/suites.h"

#include "base/cleanup.h"
#include "codec/encode.h"
#include "codec/glyph.h"
#include "codec/primitive.h"
#include "lib/suite.h"
#include "unit/codec/trees.h"

static struct tree tree;

static void begin(void)
{
	tree.len = 0;
}

START_TEST(leaves)
{
	begin();
	tree_store(&tree, "hello", 5);
	ck_ok(tree_decode(&tree, "hello", 5));
	ck_rc(tree_decode(&tree, NULL, 4), -EUCLEAN);
	ck_rc(tree_decode(&tree, NULL, 6), -EUCLEAN);
	begin();
	tree_fill(&tree, "xyz", 3);
	ck_ok(tree_decode(&tree, "xyzxyzxy", 8));
	ck_ok(tree_decode(&tree, "x", 1));
}
END_TEST

START_TEST(frame_length_has_bounds)
{
	begin();
	tree_fill(&tree, "x", 1);
	ck_ok(tree_decode(&tree, NULL, GLYPH_OUTPUT_MAX));
	ck_rc(tree_decode(&tree, NULL, GLYPH_OUTPUT_MAX + 1), -EUCLEAN);
	ck_rc(tree_decode(&tree, NULL, 0), -EUCLEAN);
	begin();
	ck_rc(tree_decode(&tree, NULL, 1), -EUCLEAN);
}
END_TEST

START_TEST(bytes_after_the_tree_are_damage)
{
	begin();
	tree_store(&tree, "hello", 5);
	tree_byte(&tree, 0);
	ck_rc(tree_decode(&tree, NULL, 5), -EUCLEAN);
	begin();
	tree_store(&tree, "hello", 5);
	tree_store(&tree, "hello", 5);
	ck_rc(tree_decode(&tree, NULL, 10), -EUCLEAN);
}
END_TEST

START_TEST(unknown_is_not_supported)
{
	uint8_t header[GLYPH_HEADER_MAX];
	unsigned id, type;

	for (type = GLYPH_PRIMITIVE; type <= GLYPH_COMPOSITE; type++)
		for (id = 0; id <= 255; id++) {
			if (primitive_find(id))
				continue;
			begin();
			tree_node(&tree, (enum glyph_type)type, id,
				  span_of("abc", 3));
			ck_rc(tree_decode(&tree, NULL, 3), -EOPNOTSUPP);
			begin();
			tree_add(&tree, header,
				 glyph_put_bare(header, (enum glyph_type)type,
						id));
			ck_rc(tree_decode(&tree, NULL, 3), -EOPNOTSUPP);
		}
}
END_TEST

START_TEST(primitive_belongs_to_one_type)
{
	begin();
	tree_node(&tree, GLYPH_COMPOSITE, PRIM_STORE, span_of("abc", 3));
	ck_rc(tree_decode(&tree, NULL, 3), -EUCLEAN);
	begin();
	tree_node(&tree, GLYPH_COMPOSITE, PRIM_FILL, span_of("a", 1));
	ck_rc(tree_decode(&tree, NULL, 3), -EUCLEAN);
	begin();
	tree_node(&tree, GLYPH_DELTA, PRIM_STORE, span_of("abc", 3));
	ck_rc(tree_decode(&tree, NULL, 3), -EUCLEAN);
	begin();
	tree_node(&tree, GLYPH_REFERENCE, PRIM_ZSTD, span_of("abc", 3));
	ck_rc(tree_decode(&tree, NULL, 3), -EUCLEAN);
	begin();
	tree_node(&tree, GLYPH_PRIMITIVE, PRIM_ZSTD_DELTA, span_of("abc", 3));
	ck_rc(tree_decode(&tree, NULL, 3), -EUCLEAN);
	begin();
	tree_node(&tree, GLYPH_PRIMITIVE, PRIM_CONCAT, span_of("\2\1\2", 3));
	tree_store(&tree, "a", 1);
	tree_store(&tree, "bc", 2);
	ck_rc(tree_decode(&tree, NULL, 3), -EUCLEAN);
}
END_TEST

START_TEST(payloads_have_bounds)
{
	uint8_t header[GLYPH_HEADER_MAX];
	enum glyph_type type;
	unsigned id;

	for (id = PRIM_STORE; id <= PRIM_CONCAT; id++) {
		type = primitive_find(id)->type;
		begin();
		tree_add(&tree, header, glyph_put_bare(header, type, id));
		ck_rc(tree_decode(&tree, NULL, 3), -EUCLEAN);
		begin();
		tree_node(&tree, type, id, span_of("", 0));
		ck_rc(tree_decode(&tree, NULL, 3), -EUCLEAN);
	}
	begin();
	tree_fill(&tree, "123456789", 9);
	ck_rc(tree_decode(&tree, NULL, 20), -EUCLEAN);
}
END_TEST

START_TEST(concat_joins_its_children)
{
	static const uint64_t outer[] = { 3, 9, 2 };
	static const uint64_t inner[] = { 4, 5 };

	begin();
	tree_concat(&tree, outer, 3);
	tree_store(&tree, "abc", 3);
	tree_concat(&tree, inner, 2);
	tree_fill(&tree, "-", 1);
	tree_fill(&tree, "xy", 2);
	tree_store(&tree, "de", 2);
	ck_ok(tree_decode(&tree, "abc----xyxyxde", 14));
}
END_TEST

/* A concat with this payload, its two children of 1 and 2 bytes behind it. */
static int decode_concat(const char *payload, size_t len, size_t raw_len)
{
	begin();
	tree_node(&tree, GLYPH_COMPOSITE, PRIM_CONCAT, span_of(payload, len));
	tree_store(&tree, "a", 1);
	tree_store(&tree, "bc", 2);
	return tree_decode(&tree, raw_len == 3 ? "abc" : NULL, raw_len);
}

START_TEST(concat_lengths_must_fit)
{
	ck_ok(decode_concat("\2\1\2", 3, 3));
	ck_rc(decode_concat("\2\1\2", 3, 2), -EUCLEAN);
	ck_rc(decode_concat("\2\1\2", 3, 4), -EUCLEAN);
	ck_rc(decode_concat("\2\2\1", 3, 3), -EUCLEAN); /* not the children's */
	ck_rc(decode_concat("\2\0\3", 3, 3), -EUCLEAN);
	ck_rc(decode_concat("\2\3\0", 3, 3), -EUCLEAN);
	ck_rc(decode_concat("\3\1\2", 3, 3), -EUCLEAN);
	ck_rc(decode_concat("\3\1\1\1", 4, 3), -EUCLEAN); /* child missing */
	ck_rc(decode_concat("\1\3\0", 3, 3), -EUCLEAN);
	ck_rc(decode_concat("\0\0\0", 3, 3), -EUCLEAN);
	ck_rc(decode_concat("\2\1\2\0", 4, 3), -EUCLEAN);   /* bytes behind */
	ck_rc(decode_concat("\2\1\x82\0", 4, 3), -EUCLEAN); /* not canonical */
	ck_rc(decode_concat("\x82\0\1\2", 4, 3), -EUCLEAN);
	ck_rc(decode_concat("\2\1\x82", 3, 3), -EUCLEAN);
	/* Sums to 3 when it wraps at 64 bits. */
	ck_rc(decode_concat("\2\4\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 12,
			    3),
	      -EUCLEAN);
}
END_TEST

/* A chain of `depth` - 1 concats: each holds the next and one byte. */
static size_t build_chain(size_t depth)
{
	static const char letters[] = "abcdefghijklmnop";
	uint64_t lens[2];
	size_t i;

	begin();
	for (i = 1; i < depth; i++) {
		lens[0] = depth - i;
		lens[1] = 1;
		tree_concat(&tree, lens, 2);
	}
	for (i = 0; i < depth; i++)
		tree_store(&tree, &letters[i], 1);
	return depth;
}

START_TEST(depth_is_bounded)
{
	size_t depth;

	for (depth = 1; depth <= GLYPH_DEPTH_MAX; depth++)
		ck_ok(tree_decode(&tree, "abcdefghijklmnop",
				  build_chain(depth)));
	for (; depth <= GLYPH_DEPTH_MAX + 4; depth++)
		ck_rc(tree_decode(&tree, NULL, build_chain(depth)), -EUCLEAN);
}
END_TEST

START_TEST(depth_is_of_the_path_not_of_the_tree)
{
	static const uint64_t lens[] = { GLYPH_DEPTH_MAX - 1,
					 GLYPH_DEPTH_MAX - 1 };
	struct tree *chain = malloc(sizeof(*chain));

	ck_assert_ptr_nonnull(chain);
	(void)build_chain(GLYPH_DEPTH_MAX - 1);
	memcpy(chain, &tree, sizeof(*chain));
	begin();
	tree_concat(&tree, lens, 2);
	tree_add(&tree, chain->bytes, chain->len);
	tree_add(&tree, chain->bytes, chain->len);
	ck_ok(tree_decode(&tree, "abcdefgabcdefg", lens[0] + lens[1]));
	free(chain);
}
END_TEST

static void add_ones(size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		tree_store(&tree, "z", 1);
}

START_TEST(nodes_are_bounded)
{
	uint64_t lens[] = { GLYPH_NODES_MAX / 2, GLYPH_NODES_MAX / 2 - 3 };

	begin();
	tree_concat_ones(&tree, GLYPH_NODES_MAX - 1);
	add_ones(GLYPH_NODES_MAX - 1);
	ck_ok(tree_decode(&tree, NULL, GLYPH_NODES_MAX - 1));
	begin();
	tree_concat_ones(&tree, GLYPH_NODES_MAX);
	add_ones(GLYPH_NODES_MAX);
	ck_rc(tree_decode(&tree, NULL, GLYPH_NODES_MAX), -EUCLEAN);
	begin();
	tree_concat_ones(&tree, GLYPH_NODES_MAX + 1);
	add_ones(GLYPH_NODES_MAX + 1);
	ck_rc(tree_decode(&tree, NULL, GLYPH_NODES_MAX + 1), -EUCLEAN);

	/* The same over two concats: 1 + 2 + 2048 + 2045 nodes. */
	begin();
	tree_concat(&tree, lens, 2);
	tree_concat_ones(&tree, lens[0]);
	add_ones(lens[0]);
	tree_concat_ones(&tree, lens[1]);
	add_ones(lens[1]);
	ck_ok(tree_decode(&tree, NULL, lens[0] + lens[1]));
	lens[1]++;
	begin();
	tree_concat(&tree, lens, 2);
	tree_concat_ones(&tree, lens[0]);
	add_ones(lens[0]);
	tree_concat_ones(&tree, lens[1]);
	add_ones(lens[1]);
	ck_rc(tree_decode(&tree, NULL, lens[0] + lens[1]), -EUCLEAN);
}
END_TEST

/* A tree with every primitive in it; returns its raw length. */
static size_t build_zoo(uint8_t *raw)
{
	static const uint64_t outer[] = { 100, 400, 17, 600 };
	static const uint64_t inner[] = { 150, 250 };
	AUTO_FREE void *state = malloc(prim_lz4_state_len());
	struct ZSTD_CCtx_s *cctx = prim_zstd_cctx_new();
	uint8_t out[1000];
	ssize_t n;

	ck_assert(state && cctx);
	sample_fill(SAMPLE_TEXT, 1, raw, 1117);
	memset(raw + 500, 'q', 17);
	begin();
	tree_concat(&tree, outer, 4);
	tree_store(&tree, raw, 100);
	tree_concat(&tree, inner, 2);
	n = (ssize_t)prim_lz4_encode(state, span_of(raw + 100, 150), out,
				     sizeof(out));
	tree_node(&tree, GLYPH_PRIMITIVE, PRIM_LZ4, span_of(out, (size_t)n));
	tree_store(&tree, raw + 250, 250);
	tree_fill(&tree, "q", 1);
	n = prim_zstd_encode(cctx, 3, span_of(raw + 517, 600), out,
			     sizeof(out));
	ck_assert_int_gt(n, 0);
	tree_node(&tree, GLYPH_PRIMITIVE, PRIM_ZSTD, span_of(out, (size_t)n));
	prim_zstd_cctx_free(cctx);
	return 1117;
}

START_TEST(truncated_anywhere_is_damage)
{
	uint8_t raw[2000];
	size_t raw_len = build_zoo(raw);
	size_t cut;

	ck_ok(tree_decode(&tree, raw, raw_len));
	for (cut = 0; cut < tree.len; cut++)
		ck_rc(decode_guarded(span_of(tree.bytes, cut), NULL, raw_len),
		      -EUCLEAN);
}
END_TEST

START_TEST(flipped_anywhere_keeps_within_bounds)
{
	uint8_t raw[2000];
	size_t raw_len = build_zoo(raw);
	size_t i;
	int rc;

	for (i = 0; i < tree.len * 8; i++) {
		tree.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
		rc = tree_decode(&tree, NULL, raw_len);
		ck_assert(rc == 0 || rc == -EUCLEAN || rc == -EOPNOTSUPP);
		tree.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	ck_ok(tree_decode(&tree, raw, raw_len));
}
END_TEST

START_TEST(any_byte_anywhere_keeps_within_bounds)
{
	struct rng rng = rng_of(7);
	uint8_t raw[2000];
	size_t raw_len = build_zoo(raw);
	size_t pos;
	uint8_t was;
	unsigned i;
	int rc;

	for (i = 0; i < 20000; i++) {
		pos = (size_t)rng_below(&rng, tree.len);
		was = tree.bytes[pos];
		tree.bytes[pos] = (uint8_t)rng_u64(&rng);
		rc = tree_decode(&tree, NULL, raw_len);
		ck_assert(rc == 0 || rc == -EUCLEAN || rc == -EOPNOTSUPP);
		/* Damage adds up over some rounds. */
		if (i % 4 == 3)
			(void)build_zoo(raw);
		else if (i % 2 == 0)
			tree.bytes[pos] = was;
	}
}
END_TEST

START_TEST(decoder_works_on_after_damage)
{
	struct decoder *d = NULL;
	uint8_t raw[2000];
	uint8_t out[2000];
	size_t raw_len = build_zoo(raw);
	size_t i;

	ck_ok(decoder_new(&d));
	for (i = 0; i < tree.len; i += 7) {
		tree.bytes[i] ^= 0x55;
		(void)decode_frame(d, span_of(tree.bytes, tree.len), NULL, out,
				   raw_len);
		tree.bytes[i] ^= 0x55;
		ck_ok(decode_frame(d, span_of(tree.bytes, tree.len), NULL, out,
				   raw_len));
		ck_assert_mem_eq(out, raw, raw_len);
	}
	decoder_free(d);
	decoder_free(NULL);
}
END_TEST

/* ---- a part --------------------------------------------------------------- */

static int try_part(struct span glyphs, const struct decode_part *part)
{
	struct decoder *d = NULL;
	int rc;

	ck_ok(decoder_new(&d));
	rc = decode_part(d, glyphs, NULL, part);
	decoder_free(d);
	return rc;
}

/* Text at `raw`, and its frame at `glyphs`. */
static struct span encode_text(enum encode_effort effort, uint8_t *raw,
			       size_t len, uint8_t *glyphs)
{
	const struct encode_request request = { .effort = effort };
	struct encoder *e = NULL;
	ssize_t n;

	ck_assert(raw && glyphs);
	sample_fill(SAMPLE_TEXT, 1, raw, len);
	ck_ok(encoder_new(&e));
	n = encode_frame(e, &request, span_of(raw, len), glyphs);
	ck_assert_int_gt(n, 0);
	encoder_free(e);
	return span_of(glyphs, (size_t)n);
}

/* Any part of what the encoder makes of text in several blocks. */
START_TEST(any_part_of_a_frame)
{
	enum { LEN = 200 << 10 };
	AUTO_FREE uint8_t *raw = malloc(LEN);
	AUTO_FREE uint8_t *out = malloc(LEN + 1);
	AUTO_FREE uint8_t *glyphs = malloc(encode_bound(LEN));
	struct decode_part part = { .dst = out, .raw_len = LEN };
	struct rng rng = rng_of(2);
	struct span frame = encode_text(EFFORT_BALANCED, raw, LEN, glyphs);

	ck_assert_ptr_nonnull(out);
	ck_assert_int_eq(encode_kind_of(frame), ENCODE_ZSTD);
	for (unsigned i = 0; i < 200; i++) {
		part.from = (size_t)rng_below(&rng, LEN);
		part.to = part.from + 1 +
			  (size_t)rng_below(&rng, LEN - part.from);
		memset(out, 0xa5, LEN + 1);
		ck_ok(try_part(frame, &part));
		ck_assert_mem_eq(out + part.from, raw + part.from,
				 part.to - part.from);
		ck_assert_uint_eq(out[LEN], 0xa5);
	}
	/* The last block is not looked at. */
	part.from = 0;
	part.to = 1;
	memset(out, 0xa5, LEN);
	ck_ok(try_part(frame, &part));
	ck_assert_uint_eq(out[LEN - 1], 0xa5);
}
END_TEST

/* Children that are not needed are left out, with their damage. */
START_TEST(a_part_of_a_concat)
{
	static const uint64_t lens[] = { 3, 4, 5 };
	uint8_t out[12] = { 0 };
	struct decode_part part = { .dst = out, .raw_len = 12 };

	tree.len = 0;
	tree_concat(&tree, lens, 3);
	tree_node(&tree, GLYPH_PRIMITIVE, PRIM_LZ4, span_of("bad", 3));
	tree_store(&tree, "good", 4);
	tree_node(&tree, GLYPH_PRIMITIVE, PRIM_ZSTD, span_of("bad", 3));
	part.from = 3;
	part.to = 7;
	ck_ok(try_part(span_of(tree.bytes, tree.len), &part));
	ck_assert_mem_eq(out, "\0\0\0good\0\0\0\0\0", 12);
	part.from = 2;
	ck_rc(try_part(span_of(tree.bytes, tree.len), &part), -EUCLEAN);
	part.from = 3;
	part.to = 8;
	ck_rc(try_part(span_of(tree.bytes, tree.len), &part), -EUCLEAN);
	/* What is wrong with the tree itself is found up to there. */
	part.to = 7;
	ck_rc(try_part(span_of(tree.bytes, 5), &part), -EUCLEAN);
}
END_TEST

/* Every cut and every byte changed: the guards hold, and some error or some
 * bytes come. */
START_TEST(damaged_parts_keep_within_bounds)
{
	enum { LEN = 70000 };
	AUTO_FREE uint8_t *raw = malloc(LEN);
	AUTO_FREE uint8_t *out = malloc(LEN);
	AUTO_FREE uint8_t *glyphs = malloc(encode_bound(LEN));
	struct decode_part part = { .dst = out, .raw_len = LEN };
	struct rng rng = rng_of(3);
	struct span frame = encode_text(EFFORT_FAST, raw, LEN, glyphs);

	ck_assert_ptr_nonnull(out);
	for (unsigned i = 0; i < 3000; i++) {
		size_t at = (size_t)rng_below(&rng, frame.len);
		size_t len = i % 3 ? frame.len : at;
		uint8_t was = glyphs[at];
		int rc;

		part.to = 1 + (size_t)rng_below(&rng, LEN - 1);
		glyphs[at] ^= (uint8_t)(1 + rng_below(&rng, 255));
		rc = try_part(span_of(glyphs, len), &part);
		ck_assert(rc == 0 || rc == -EUCLEAN || rc == -EOPNOTSUPP);
		glyphs[at] = was;
	}
}
END_TEST

Suite *suite_decode(void)
{
	const TTest *const tests[] = {
		leaves,
		frame_length_has_bounds,
		bytes_after_the_tree_are_damage,
		unknown_is_not_supported,
		primitive_belongs_to_one_type,
		payloads_have_bounds,
		concat_joins_its_children,
		concat_lengths_must_fit,
		depth_is_bounded,
		depth_is_of_the_path_not_of_the_tree,
		nodes_are_bounded,
		truncated_anywhere_is_damage,
		flipped_anywhere_keeps_within_bounds,
		any_byte_anywhere_keeps_within_bounds,
		decoder_works_on_after_damage,
		any_part_of_a_frame,
		a_part_of_a_concat,
		damaged_parts_keep_within_bounds,
	};

	return suite_of("decode", tests, ARRAY_LEN(tests), 60);
}
