/* SPDX-License-Identifier: MIT */
/*
 * trees.c - glyph trees built by hand, sample bytes, and decoding between
 * guards.
 */
#include "unit/codec/trees.h"

#include "base/varint.h"
#include "codec/glyph.h"
#include "lib/suite.h"

#include <stdlib.h>

enum {
	GUARD_BYTE = 0xa5,
};

#define GUARD_LEN ((size_t)64)

void tree_add(struct tree *t, const void *bytes, size_t len)
{
	ck_assert_uint_le(len, TREE_MAX - t->len);
	if (len > 0)
		memcpy(t->bytes + t->len, bytes, len);
	t->len += len;
}

void tree_byte(struct tree *t, unsigned byte)
{
	uint8_t b = (uint8_t)byte;

	tree_add(t, &b, 1);
}

void tree_node(struct tree *t, enum glyph_type type, unsigned primitive,
	       struct span payload)
{
	uint8_t header[GLYPH_HEADER_MAX];

	tree_add(t, header, glyph_put(header, type, primitive, payload.len));
	tree_add(t, payload.ptr, payload.len);
}

void tree_store(struct tree *t, const void *bytes, size_t len)
{
	tree_node(t, GLYPH_PRIMITIVE, PRIM_STORE, span_of(bytes, len));
}

void tree_fill(struct tree *t, const void *pattern, size_t len)
{
	tree_node(t, GLYPH_PRIMITIVE, PRIM_FILL, span_of(pattern, len));
}

void tree_concat(struct tree *t, const uint64_t *lens, size_t n)
{
	static uint8_t payload[(GLYPH_NODES_MAX + 2) * VARINT_MAX];
	size_t len = varint_put(payload, n);
	size_t i;

	for (i = 0; i < n; i++)
		len += varint_put(payload + len, lens[i]);
	tree_node(t, GLYPH_COMPOSITE, PRIM_CONCAT, span_of(payload, len));
}

void tree_concat_ones(struct tree *t, size_t n)
{
	static uint64_t lens[GLYPH_NODES_MAX + 1];
	size_t i;

	ck_assert_uint_le(n, ARRAY_LEN(lens));
	for (i = 0; i < n; i++)
		lens[i] = 1;
	tree_concat(t, lens, n);
}

static void fill_text(struct rng *rng, uint8_t *dst, size_t len)
{
	static const char *const words[] = {
		"the ",     "frame ", "holds ",   "a ",  "tree ", "of ",
		"glyphs, ", "which ", "decodes ", "to ", "raw ",  "bytes.\n",
	};
	const char *word = "";
	size_t i;

	for (i = 0; i < len; i++, word++) {
		if (!*word)
			word = words[rng_below(rng, ARRAY_LEN(words))];
		dst[i] = (uint8_t)*word;
	}
}

void sample_fill(enum sample sample, uint64_t seed, uint8_t *dst, size_t len)
{
	struct rng rng = rng_of(seed);
	uint64_t value = rng_u64(&rng);
	size_t i;

	switch (sample) {
	case SAMPLE_ZERO:
		memset(dst, 0, len);
		break;
	case SAMPLE_PATTERN:
		for (i = 0; i < len; i++)
			dst[i] = (uint8_t)(value >> 8 * (i % 8));
		break;
	case SAMPLE_TEXT:
		fill_text(&rng, dst, len);
		break;
	case SAMPLE_NUMBERS:
		for (i = 0; i < len; i++)
			dst[i] = i % 4 == 3 ? 0 : (uint8_t)rng_u64(&rng);
		break;
	case SAMPLE_RANDOM:
		rng_fill(&rng, dst, len);
		break;
	case SAMPLE_HALVES:
		fill_text(&rng, dst, len / 2);
		rng_fill(&rng, dst + len / 2, len - len / 2);
		break;
	case SAMPLE_N:
		ck_abort();
	}
}

static void check_guard(const uint8_t *guard)
{
	size_t i;

	for (i = 0; i < GUARD_LEN; i++)
		ck_assert_uint_eq(guard[i], GUARD_BYTE);
}

int decode_guarded(struct span glyphs, const uint8_t *want, size_t raw_len)
{
	return decode_guarded_from(NULL, glyphs, want, raw_len);
}

int decode_guarded_from(const struct decode_source *source, struct span glyphs,
			const uint8_t *want, size_t raw_len)
{
	uint8_t *room = malloc(raw_len + 2 * GUARD_LEN);
	uint8_t *tight = malloc(glyphs.len > 0 ? glyphs.len : 1);
	struct decoder *d = NULL;
	int rc;

	ck_assert_ptr_nonnull(room);
	ck_assert_ptr_nonnull(tight);
	ck_ok(decoder_new(&d));
	/* In memory of its own length: reading past it is seen by the tools. */
	if (glyphs.len > 0)
		memcpy(tight, glyphs.ptr, glyphs.len);
	memset(room, GUARD_BYTE, raw_len + 2 * GUARD_LEN);
	rc = decode_frame(d, span_of(tight, glyphs.len), source,
			  room + GUARD_LEN, raw_len);
	check_guard(room);
	check_guard(room + GUARD_LEN + raw_len);
	if (rc == 0 && want)
		ck_assert_mem_eq(room + GUARD_LEN, want, raw_len);
	decoder_free(d);
	free(tight);
	free(room);
	return rc;
}

int tree_decode(const struct tree *t, const void *want, size_t raw_len)
{
	return decode_guarded(span_of(t->bytes, t->len), want, raw_len);
}

void tree_flip(struct tree *t, const struct decode_source *source,
	       size_t raw_len, size_t n_max)
{
	size_t i;
	int rc;

	for (i = 0; i < t->len * 8 && i < n_max; i++) {
		t->bytes[i / 8] ^= (uint8_t)(1 << i % 8);
		rc = decode_guarded_from(source, span_of(t->bytes, t->len),
					 NULL, raw_len);
		ck_assert(rc == 0 || rc == -EUCLEAN || rc == -EOPNOTSUPP);
		t->bytes[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}

void tree_truncate(struct tree *t, const struct decode_source *source,
		   size_t raw_len)
{
	size_t cut;

	for (cut = 0; cut < t->len; cut++)
		ck_rc(decode_guarded_from(source, span_of(t->bytes, cut), NULL,
					  raw_len),
		      -EUCLEAN);
}

/* A tree of one leaf that makes three bytes. */
struct leaf {
	const struct decode_source *source;
	enum glyph_type type;
	unsigned primitive;
};

static int decode_leaf(const struct leaf *leaf, const void *payload, size_t len)
{
	static struct tree tree;

	tree.len = 0;
	tree_node(&tree, leaf->type, leaf->primitive, span_of(payload, len));
	return decode_guarded_from(leaf->source, span_of(tree.bytes, tree.len),
				   NULL, 3);
}

void check_id_and_frame(const struct decode_source *source,
			enum glyph_type type, unsigned primitive)
{
	/* 0xac 0x02: 300. Then a frame of one raw block, "abc". */
	static const uint8_t good[] = { 0xac, 2, 0,   0x38, 0x19,
					0,    0, 'a', 'b',  'c' };
	const struct leaf leaf = { source, type, primitive };
	uint8_t bad[sizeof(good) + 1];
	size_t cut;

	ck_ok(decode_leaf(&leaf, good, sizeof(good)));
	for (cut = 0; cut < sizeof(good); cut++)
		ck_rc(decode_leaf(&leaf, good, cut), -EUCLEAN);
	memcpy(bad, good, sizeof(good));
	bad[sizeof(good)] = 0;
	ck_rc(decode_leaf(&leaf, bad, sizeof(bad)), -EUCLEAN);
	bad[0] = 0x80 | 1; /* nothing has this one: 257 */
	ck_rc(decode_leaf(&leaf, bad, sizeof(good)), -EUCLEAN);
	bad[0] = 0xac;
	bad[1] = 0x80; /* not canonical */
	bad[2] = 0;
	ck_rc(decode_leaf(&leaf, bad, sizeof(good)), -EUCLEAN);
	memcpy(bad, good + 1, sizeof(good) - 1);
	bad[0] = 0;
	ck_rc(decode_leaf(&leaf, bad, sizeof(good) - 1), -EUCLEAN);
}
