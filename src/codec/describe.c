/* SPDX-License-Identifier: MIT */
/* describe.c - walks a tree as the decoder does, and writes down its nodes. */
#include "codec/describe.h"

#include "base/error.h"
#include "codec/glyph.h"
#include "codec/primitive.h"

struct writer {
	struct description *d;
	size_t len;
	bool full;
};

static void add(struct writer *w, const char *text)
{
	size_t len = strlen(text);

	if (w->full)
		return;
	if (w->len + len + sizeof("...") > DESCRIBE_TEXT_MAX) {
		text = "...";
		len = strlen(text);
		w->full = true;
	}
	memcpy(w->d->text + w->len, text, len + 1);
	w->len += len;
}

/* The next node, and how many children follow it. */
static int get_node(struct reader *in, struct glyph *g,
		    const struct primitive **ret_prim, uint64_t *ret_n_children)
{
	struct reader payload;
	int rc = glyph_get(in, g);

	if (rc < 0)
		return rc;
	*ret_prim = primitive_find(g->primitive);
	if (!*ret_prim)
		return -EOPNOTSUPP;
	payload = reader_of(g->payload);
	switch ((*ret_prim)->shape) {
	case SHAPE_LEAF:
		*ret_n_children = 0;
		return 0;
	case SHAPE_IN_PLACE:
	case SHAPE_SAME:
		*ret_n_children = 1;
		return 0;
	case SHAPE_CONCAT:
	case SHAPE_GATHER:
		break;
	}
	if (varint_get_max(&payload, GLYPH_NODES_MAX, ret_n_children) < 0 ||
	    *ret_n_children == 0)
		return corrupt("glyphs: %s without children",
			       (*ret_prim)->name);
	return 0;
}

/* What a reference or a delta names. */
static void note_reference(const struct glyph *g, struct description *d)
{
	struct reader payload = reader_of(g->payload);
	uint64_t id;

	if (varint_get(&payload, &id) < 0)
		return;
	if (g->type == GLYPH_DELTA && d->base == 0)
		d->base = id;
	else if (g->type == GLYPH_REFERENCE && d->codebook == 0)
		d->codebook = id;
}

/* One node and all below it. Children that are still to come are counted for
 * each level. */
static int walk(struct reader *in, struct writer *w)
{
	uint64_t left[GLYPH_DEPTH_MAX] = { 1 };
	size_t depth = 1;

	while (depth > 0) {
		const struct primitive *prim = NULL;
		struct glyph g;
		uint64_t n;
		int rc = get_node(in, &g, &prim, &n);

		if (rc < 0)
			return rc;
		add(w, prim->name);
		note_reference(&g, w->d);
		left[depth - 1]--;
		if (n > 0) {
			if (depth == GLYPH_DEPTH_MAX)
				return corrupt("glyphs: deeper than %d",
					       GLYPH_DEPTH_MAX);
			left[depth++] = n;
			add(w, "(");
			continue;
		}
		while (depth > 0 && left[depth - 1] == 0) {
			if (--depth > 0)
				add(w, ")");
		}
		if (depth > 0)
			add(w, " ");
	}
	return 0;
}

/* If the root only joins its children: how many come before the one that makes
 * the byte at `raw_off`. -1: it does something else. */
static int64_t children_before(const struct glyph *root, size_t raw_off)
{
	struct reader lens = reader_of(root->payload);
	uint64_t n, len, i;

	if (root->primitive != PRIM_CONCAT ||
	    varint_get_max(&lens, GLYPH_NODES_MAX, &n) < 0)
		return -1;
	for (i = 0; i < n; i++) {
		if (varint_get_max(&lens, GLYPH_OUTPUT_MAX, &len) < 0 ||
		    raw_off < len)
			break;
		raw_off -= (size_t)len;
	}
	return (int64_t)i;
}

int describe_glyphs(struct span glyphs, size_t raw_off, struct description *ret)
{
	struct reader in = reader_of(glyphs);
	struct description d = { .base = 0 };
	struct writer w = { .d = &d };
	const struct primitive *prim;
	const uint8_t *start = in.pos;
	struct glyph root;
	uint64_t n;
	int64_t before;
	int rc = get_node(&in, &root, &prim, &n);

	if (rc < 0)
		return rc;
	before = children_before(&root, raw_off);
	if (before < 0)
		in = reader_of(glyphs);
	if (before >= (int64_t)n && before > 0)
		return corrupt("glyphs: no node makes byte %zu", raw_off);
	for (; rc == 0 && before >= 0; before--) {
		d = (struct description){ .base = 0 };
		w = (struct writer){ .d = &d };
		start = in.pos;
		rc = walk(&in, &w);
	}
	if (rc == 0 && in.pos == start)
		rc = walk(&in, &w);
	if (rc < 0)
		return rc;
	d.stored_len = (size_t)(in.pos - start);
	*ret = d;
	return 0;
}
