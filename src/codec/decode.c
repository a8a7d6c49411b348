/* SPDX-License-Identifier: MIT */
/*
 * decode.c - walks a tree of glyphs in the order in which it is stored.
 *
 * Pre-order is also the order of the output: a leaf writes at the end of what
 * is there. Composites wait on an explicit stack for the lengths of their
 * children. Depth, nodes and output have limits, and a tree whose sizes do not
 * add up is damage, found before a byte is written outside its place.
 */
#include "codec/decode.h"

#include "base/error.h"
#include "base/varint.h"
#include "codec/glyph.h"
#include "codec/primitive.h"

#include <assert.h>
#include <stdlib.h>

struct decoder {
	struct decode_tools tools;
};

/* A composite whose children are being decoded. */
struct level {
	struct reader lens; /* output lengths of the children still to come */
	uint64_t n_left;
};

enum { LEVELS_MAX = GLYPH_DEPTH_MAX - 1 };

struct walk {
	struct reader in;
	uint8_t *dst; /* where the next leaf writes */
	size_t n_nodes;
	size_t n_levels;
	struct level levels[LEVELS_MAX];
};

int decoder_new(struct decoder **ret)
{
	struct decoder *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->tools.zstd = prim_zstd_dctx_new();
	if (!d->tools.zstd) {
		decoder_free(d);
		return -ENOMEM;
	}
	*ret = d;
	return 0;
}

void decoder_free(struct decoder *d)
{
	if (!d)
		return;
	prim_zstd_dctx_free(d->tools.zstd);
	free(d);
}

/* Whether `n_left` lengths, none of them 0, fill `lens` and add up to `len`. */
static bool lengths_fit(struct reader lens, uint64_t n_left, size_t len)
{
	uint64_t child;

	for (; n_left > 0; n_left--) {
		if (varint_get_max(&lens, len, &child) < 0 || child == 0)
			return false;
		len -= (size_t)child;
	}
	return len == 0 && reader_left(&lens) == 0;
}

/* Opens a concat that makes `len` bytes. */
static int enter_concat(struct walk *w, struct span payload, size_t len)
{
	struct level level = { .lens = reader_of(payload) };

	if (w->n_levels == LEVELS_MAX)
		return corrupt("glyphs: deeper than %d", GLYPH_DEPTH_MAX);
	if (varint_get_max(&level.lens, GLYPH_NODES_MAX, &level.n_left) < 0 ||
	    level.n_left < 2)
		return corrupt("concat: bad number of children");
	if (level.n_left > GLYPH_NODES_MAX - w->n_nodes)
		return corrupt("glyphs: more than %d nodes", GLYPH_NODES_MAX);
	if (!lengths_fit(level.lens, level.n_left, len))
		return corrupt("concat: children do not make %zu bytes", len);
	w->n_nodes += level.n_left;
	w->levels[w->n_levels++] = level;
	return 0;
}

/* Decodes the next node, which makes `len` bytes, or opens it. */
static int decode_node(const struct decoder *d, struct walk *w, size_t len)
{
	const struct primitive *prim;
	struct glyph g;
	int rc = glyph_get(&w->in, &g);

	if (rc < 0)
		return rc;
	if (g.type == GLYPH_REFERENCE || g.type == GLYPH_DELTA)
		return -EOPNOTSUPP;
	prim = primitive_find(g.primitive);
	if (!prim)
		return -EOPNOTSUPP;
	if (g.type != prim->type)
		return corrupt("glyph: %s under type %d", prim->name,
			       (int)g.type);
	if (g.payload.len < prim->payload_min ||
	    g.payload.len > prim->payload_max)
		return corrupt("glyph: %s with %zu bytes of payload",
			       prim->name, g.payload.len);
	if (!prim->decode)
		return enter_concat(w, g.payload, len);
	rc = prim->decode(&d->tools, g.payload, w->dst, len);
	if (rc < 0)
		return rc;
	w->dst += len;
	return 0;
}

/* The length that the next node makes; false at the end of the tree. */
static bool next_node(struct walk *w, size_t *ret_len)
{
	struct level *level;
	uint64_t len = 0;
	int rc;

	while (w->n_levels > 0 && w->levels[w->n_levels - 1].n_left == 0)
		w->n_levels--;
	if (w->n_levels == 0)
		return false;
	level = &w->levels[w->n_levels - 1];
	level->n_left--;
	rc = varint_get(&level->lens, &len);
	assert(rc == 0); /* lengths_fit() read it before */
	(void)rc;
	*ret_len = (size_t)len;
	return true;
}

int decode_frame(struct decoder *d, struct span glyphs, uint8_t *dst,
		 size_t raw_len)
{
	struct walk w = {
		.in = reader_of(glyphs),
		.n_nodes = 1,
	};
	size_t len = raw_len;
	int rc;

	if (raw_len == 0 || raw_len > GLYPH_OUTPUT_MAX)
		return corrupt("glyphs: a frame of %zu bytes", raw_len);
	w.dst = dst;
	do {
		rc = decode_node(d, &w, len);
		if (rc < 0)
			return rc;
	} while (next_node(&w, &len));
	if (reader_left(&w.in) > 0)
		return corrupt("glyphs: %zu bytes after the tree",
			       reader_left(&w.in));
	return 0;
}
