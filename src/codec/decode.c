/* SPDX-License-Identifier: MIT */
/*
 * decode.c - walks a tree of glyphs in the order in which it is stored.
 *
 * Pre-order is also the order of the output: a leaf writes at the end of what
 * is there. Composites wait on an explicit stack for the lengths of their
 * children. A transform's children write into scratch memory of its level, or
 * into its own place in the output when it works in place; behind the last one
 * its kernel makes the node's bytes of theirs. Depth, nodes, output and what
 * passes through transforms have limits, and a tree whose sizes do not add up
 * is damage, found before a byte is written outside its place.
 */
#include "codec/decode.h"

#include "base/error.h"
#include "base/varint.h"
#include "codec/glyph.h"
#include "codec/primitive.h"

#include <assert.h>
#include <stdlib.h>

enum { LEVELS_MAX = GLYPH_DEPTH_MAX - 1 };

struct decoder {
	struct decode_tools tools;
	/* Of each level, grown to what a frame needed. */
	struct {
		uint8_t *bytes;
		size_t cap;
	} scratch[LEVELS_MAX];
};

/* A composite whose children are being decoded. */
struct level {
	struct reader lens; /* output lengths of the children still to come */
	uint64_t n_left;
	const struct primitive *prim;
	/* A transform: */
	struct span params;
	uint8_t *input; /* what the children make */
	size_t input_len;
	uint8_t *dst;
	size_t len;
};

struct walk {
	struct reader in;
	const struct decode_part *part;
	uint8_t *dst;        /* where the next leaf writes */
	size_t n_transforms; /* that are open: `dst` is in the frame if none */
	bool idle;           /* they make nothing that is wanted */
	size_t n_nodes;
	size_t n_deltas;
	uint64_t codebook; /* the tree's only one; 0: none so far */
	size_t budget;     /* bytes that may yet pass through transforms */
	size_t n_levels;
	struct level levels[LEVELS_MAX];
};

int decoder_new(struct decoder **ret)
{
	struct decoder *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->tools.zstd = prim_zstd_dctx_new();
	d->tools.columns = malloc(prim_columns_work_len());
	if (!d->tools.zstd || !d->tools.columns) {
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
	for (size_t i = 0; i < LEVELS_MAX; i++)
		free(d->scratch[i].bytes);
	prim_zstd_dctx_free(d->tools.zstd);
	free(d->tools.columns);
	free(d);
}

/*
 * Reads how many children there are and checks the lengths that follow, none
 * of them 0; what is behind them is left in `in`. Returns their sum, 0: damage.
 */
static size_t read_lengths(struct reader *in, size_t max, struct level *level)
{
	uint64_t child, i;
	size_t sum = 0;

	if (varint_get_max(in, GLYPH_NODES_MAX, &level->n_left) < 0 ||
	    level->n_left == 0)
		return 0;
	level->lens = *in;
	for (i = 0; i < level->n_left; i++) {
		if (varint_get_max(in, max - sum, &child) < 0 || child == 0)
			return 0;
		sum += (size_t)child;
	}
	return sum;
}

/* Room for `len` bytes, and readable ones behind them. */
static int scratch_get(struct decoder *d, size_t i_level, size_t len,
		       uint8_t **ret)
{
	if (d->scratch[i_level].cap < len) {
		free(d->scratch[i_level].bytes);
		d->scratch[i_level].cap = 0;
		d->scratch[i_level].bytes = malloc(len + TRANSFORM_SLACK);
		if (!d->scratch[i_level].bytes)
			return -ENOMEM;
		d->scratch[i_level].cap = len;
	}
	*ret = d->scratch[i_level].bytes;
	memset(*ret + len, 0, TRANSFORM_SLACK);
	return 0;
}

static int enter_concat(struct level *level, struct reader *payload)
{
	if (read_lengths(payload, level->len, level) != level->len ||
	    level->n_left < 2 || reader_left(payload) > 0)
		return corrupt("concat: children do not make %zu bytes",
			       level->len);
	return 0;
}

/* Whether any of the next `len` bytes of the frame is. */
static bool is_wanted(const struct walk *w, size_t len)
{
	size_t off = (size_t)(w->dst - w->part->dst);

	return off + len > w->part->from && off < w->part->to;
}

static int enter_transform(struct decoder *d, struct walk *w,
			   struct level *level, struct reader *payload)
{
	level->input_len = level->len;
	level->n_left = 1;
	if (level->prim->shape == SHAPE_GATHER) {
		level->input_len = read_lengths(payload, w->budget, level);
		if (level->input_len == 0)
			return corrupt("glyph: %s with bad children",
				       level->prim->name);
	}
	if (level->input_len > w->budget)
		return corrupt("glyphs: transforms of too many bytes");
	w->budget -= level->input_len;
	level->params = span_of(payload->pos, reader_left(payload));
	level->input = level->dst;
	if (w->n_transforms++ == 0)
		w->idle = !is_wanted(w, level->len);
	if (!w->idle && level->prim->shape != SHAPE_IN_PLACE) {
		int rc = scratch_get(d, w->n_levels, level->input_len,
				     &level->input);

		if (rc < 0)
			return rc;
	}
	w->dst = level->input;
	return 0;
}

/* Opens a composite that makes `len` bytes. */
static int enter(struct decoder *d, struct walk *w,
		 const struct primitive *prim, struct span payload, size_t len)
{
	struct level level = { .prim = prim, .dst = w->dst, .len = len };
	struct reader in = reader_of(payload);
	int rc;

	if (w->n_levels == LEVELS_MAX)
		return corrupt("glyphs: deeper than %d", GLYPH_DEPTH_MAX);
	if (prim->shape == SHAPE_CONCAT)
		rc = enter_concat(&level, &in);
	else
		rc = enter_transform(d, w, &level, &in);
	if (rc < 0)
		return rc;
	if (level.n_left > GLYPH_NODES_MAX - w->n_nodes)
		return corrupt("glyphs: more than %d nodes", GLYPH_NODES_MAX);
	w->n_nodes += level.n_left;
	w->levels[w->n_levels++] = level;
	return 0;
}

/* The codebook that a REFERENCE with that payload names, and a tree names no
 * other; `known` is that one, or 0. */
static int take_codebook(struct span payload, uint64_t *known)
{
	struct reader in = reader_of(payload);
	uint64_t id = 0;

	if (varint_get(&in, &id) < 0 || id == 0)
		return corrupt("glyphs: a reference to no codebook");
	if (*known != 0 && *known != id)
		return corrupt("glyphs: two codebooks");
	*known = id;
	return 0;
}

/* A node that makes `len` bytes by itself: only what is wanted of them. */
static int decode_leaf(struct decoder *d, struct walk *w,
		       const struct primitive *prim, struct span payload,
		       size_t len)
{
	const uint8_t *stop = w->part->dst + w->part->to;
	int rc = 0;

	if (w->idle)
		return 0;
	if (w->n_transforms > 0 || is_wanted(w, len)) {
		d->tools.want = len;
		if (w->n_transforms == 0 && (size_t)(stop - w->dst) < len)
			d->tools.want = (size_t)(stop - w->dst);
		rc = prim->decode(&d->tools, payload, w->dst, len);
	}
	w->dst += len;
	return rc;
}

/* Decodes the next node, which makes `len` bytes, or opens it. */
static int decode_node(struct decoder *d, struct walk *w, size_t len)
{
	const struct primitive *prim;
	struct glyph g;
	int rc = glyph_get(&w->in, &g);

	if (rc < 0)
		return rc;
	prim = primitive_find(g.primitive);
	if (!prim)
		return -EOPNOTSUPP;
	if (g.type != prim->type)
		return corrupt("glyph: %s under type %d", prim->name,
			       (int)g.type);
	if (g.payload.len < prim->payload_min ||
	    g.payload.len > prim->payload_max ||
	    g.has_payload != (prim->payload_max > 0))
		return corrupt("glyph: %s with %zu bytes of payload",
			       prim->name, g.payload.len);
	if (g.type == GLYPH_DELTA && ++w->n_deltas > GLYPH_DELTAS_MAX)
		return corrupt("glyphs: more than %d deltas", GLYPH_DELTAS_MAX);
	if (g.type == GLYPH_REFERENCE)
		rc = take_codebook(g.payload, &w->codebook);
	if (rc < 0)
		return rc;
	if (prim->shape != SHAPE_LEAF)
		return enter(d, w, prim, g.payload, len);
	return decode_leaf(d, w, prim, g.payload, len);
}

/* All children of the innermost composite are there. */
static int leave(const struct decoder *d, struct walk *w)
{
	const struct level *level = &w->levels[--w->n_levels];
	int rc = 0;

	if (level->prim->shape == SHAPE_CONCAT)
		return 0;
	if (!w->idle)
		rc = level->prim->undo(&d->tools, level->params,
				       span_of(level->input, level->input_len),
				       level->dst, level->len);
	w->dst = level->dst + level->len;
	if (--w->n_transforms == 0)
		w->idle = false;
	return rc;
}

/* Whether all that is wanted of a part is there. */
static bool is_enough(const struct walk *w)
{
	return w->n_transforms == 0 && w->part->to < w->part->raw_len &&
	       (size_t)(w->dst - w->part->dst) >= w->part->to;
}

/* The length that the next node makes: 1; 0 at the end of what is wanted. */
static int next_node(const struct decoder *d, struct walk *w, size_t *ret_len)
{
	struct level *level;
	uint64_t len = 0;
	int rc;

	while (w->n_levels > 0 && w->levels[w->n_levels - 1].n_left == 0) {
		rc = leave(d, w);
		if (rc < 0)
			return rc;
	}
	if (w->n_levels == 0 || is_enough(w))
		return 0;
	level = &w->levels[w->n_levels - 1];
	level->n_left--;
	*ret_len = level->input_len;
	if (level->prim->shape == SHAPE_CONCAT ||
	    level->prim->shape == SHAPE_GATHER) {
		rc = varint_get(&level->lens, &len);
		assert(rc == 0); /* read_lengths() read it before */
		(void)rc;
		*ret_len = (size_t)len;
	}
	return 1;
}

int decode_part(struct decoder *d, struct span glyphs,
		const struct decode_source *source,
		const struct decode_part *part)
{
	struct walk w = {
		.in = reader_of(glyphs),
		.part = part,
		.dst = part->dst,
		.n_nodes = 1,
		.budget = TRANSFORM_TIMES_MAX * part->raw_len + TRANSFORM_SPARE,
	};
	size_t len = part->raw_len;
	int rc;

	if (len == 0 || len > GLYPH_OUTPUT_MAX)
		return corrupt("glyphs: a frame of %zu bytes", len);
	assert(part->from < part->to && part->to <= len);
	d->tools.source = source;
	do {
		rc = decode_node(d, &w, len);
		if (rc == 0)
			rc = next_node(d, &w, &len);
	} while (rc > 0);
	if (rc < 0)
		return rc;
	if (!is_enough(&w) && reader_left(&w.in) > 0)
		return corrupt("glyphs: %zu bytes after the tree",
			       reader_left(&w.in));
	return 0;
}

int decode_frame(struct decoder *d, struct span glyphs,
		 const struct decode_source *source, uint8_t *dst,
		 size_t raw_len)
{
	struct decode_part all = { .raw_len = raw_len, .to = raw_len };

	all.dst = dst;
	return decode_part(d, glyphs, source, &all);
}

int decode_next_base(struct reader *glyphs, uint64_t *ret_chunk)
{
	struct glyph g = { .type = GLYPH_PRIMITIVE };
	struct reader payload;
	uint64_t id = 0;
	int rc;

	while (reader_left(glyphs) > 0) {
		rc = glyph_get(glyphs, &g);
		if (rc < 0)
			return rc;
		if (g.type != GLYPH_DELTA)
			continue;
		if (g.primitive != PRIM_ZSTD_DELTA)
			return -EOPNOTSUPP;
		payload = reader_of(g.payload);
		if (varint_get(&payload, &id) < 0 || id == 0)
			return corrupt("glyphs: a delta without a base");
		*ret_chunk = id;
		return 1;
	}
	return 0;
}

int decode_find_codebook(struct span glyphs, uint64_t *ret_id)
{
	struct reader in = reader_of(glyphs);
	struct glyph g = { .type = GLYPH_PRIMITIVE };
	uint64_t id = 0;
	int rc = 0;

	while (rc == 0 && reader_left(&in) > 0) {
		rc = glyph_get(&in, &g);
		if (rc == 0 && g.type == GLYPH_REFERENCE)
			rc = take_codebook(g.payload, &id);
	}
	if (rc == 0)
		*ret_id = id;
	return rc;
}
