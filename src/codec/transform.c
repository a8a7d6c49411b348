/* SPDX-License-Identifier: MIT */
/*
 * transform.c - columns of text, code, numbers: from bytes to trees.
 *
 * For numbers some forms are tried on a sample; the one that zstd makes
 * smallest, if it is better than none, is made of all the bytes.
 */
#include "codec/transform.h"

#include "base/varint.h"
#include "codec/columns.h"
#include "codec/glyph.h"
#include "codec/primitive.h"

#include <stdlib.h>

struct transformer {
	struct ZSTD_CCtx_s *zstd; /* borrowed */
	struct columns *columns;
	/* For raw bytes up to `raw_max`: of columns, or up to N_COPIES copies
	 * of the bytes. */
	uint8_t *scratch;
	size_t raw_max;
};

enum { N_COPIES = 2 };

int transformer_new(struct ZSTD_CCtx_s *zstd, struct transformer **ret)
{
	struct transformer *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->zstd = zstd;
	if (columns_new(&t->columns) < 0) {
		transformer_free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

void transformer_free(struct transformer *t)
{
	if (!t)
		return;
	columns_free(t->columns);
	free(t->scratch);
	free(t);
}

static size_t scratch_len(size_t raw_len)
{
	return (size_t)max_u64(columns_scratch_len(raw_len),
			       N_COPIES * raw_len);
}

size_t transformer_memory(size_t raw_len)
{
	return sizeof(struct transformer) + columns_memory() +
	       scratch_len(raw_len);
}

static int grow(struct transformer *t, size_t raw_len)
{
	if (raw_len <= t->raw_max)
		return 0;
	free(t->scratch);
	t->raw_max = 0;
	t->scratch = malloc(scratch_len(raw_len));
	if (!t->scratch)
		return -ENOMEM;
	t->raw_max = raw_len;
	return 0;
}

/* ---- trees --------------------------------------------------------------- */

/* Where a tree is written; `failed` once something does not fit. */
struct out {
	uint8_t *dst;
	uint8_t *pos;
	uint8_t *end;
	int failed; /* -ENOSPC, -ENOMEM */
};

static struct out out_at(uint8_t *dst, size_t cap)
{
	return (struct out){ .dst = dst, .pos = dst, .end = dst + cap };
}

static void put_node(struct out *o, enum primitive_id id, struct span payload)
{
	enum glyph_type type = primitive_find(id)->type;

	if (o->failed)
		return;
	if ((size_t)(o->end - o->pos) < GLYPH_HEADER_MAX + payload.len) {
		o->failed = -ENOSPC;
		return;
	}
	if (payload.len > 0)
		o->pos += glyph_put(o->pos, type, id, payload.len);
	else
		o->pos += glyph_put_bare(o->pos, type, id);
	if (payload.len > 0)
		memmove(o->pos, payload.ptr, payload.len);
	o->pos += payload.len;
}

/* A leaf of zstd, or stored if that does not shorten it. `level` 0: stored. */
static void put_leaf(struct transformer *t, struct out *o, int level,
		     struct span raw)
{
	/* Most of a header's length is its bound; the payload is moved. */
	size_t room = (size_t)(o->end - o->pos);
	ssize_t n = 0;

	if (o->failed)
		return;
	if (level != 0 && room > GLYPH_HEADER_MAX) {
		size_t cap = room - GLYPH_HEADER_MAX;

		n = prim_zstd_encode(t->zstd, level, raw,
				     o->pos + GLYPH_HEADER_MAX,
				     cap < raw.len ? cap : raw.len - 1);
	}
	if (n < 0)
		o->failed = (int)n;
	else if (n > 0)
		put_node(o, PRIM_ZSTD,
			 span_of(o->pos + GLYPH_HEADER_MAX, (size_t)n));
	else
		put_node(o, PRIM_STORE, raw);
}

static ssize_t tree_of(const struct out *o, const uint8_t **tree)
{
	if (o->failed)
		return o->failed == -ENOSPC ? 0 : o->failed;
	*tree = o->dst;
	return o->pos - o->dst;
}

/* ---- columns ------------------------------------------------------------- */

enum { COLUMNS_LEN_MIN = 4096 };

static void put_columns(struct transformer *t, int level,
			const struct columns_view *v, struct out *o)
{
	uint8_t payload[VARINT_MAX * (1 + COLUMNS_PARTS_MAX)];
	const uint8_t *from = v->input.ptr;
	size_t len = varint_put(payload, v->n_parts);
	size_t i;

	for (i = 0; i < v->n_parts; i++)
		len += varint_put(payload + len, v->parts[i].len);
	put_node(o, PRIM_COLUMNS, span_of(payload, len));
	for (i = 0; i < v->n_parts; i++) {
		bool text = v->parts[i].kind == COLUMNS_PART_TEXT;
		bool noise = v->parts[i].kind == COLUMNS_PART_NOISE;

		prim_zstd_split(t->zstd, text);
		put_leaf(t, o, noise ? 0 : level,
			 span_of(from, v->parts[i].len));
		from += v->parts[i].len;
	}
	prim_zstd_split(t->zstd, false);
}

ssize_t transform_columns(struct transformer *t,
			  const struct transform_request *request, size_t cap,
			  const uint8_t **tree)
{
	static const enum columns_style styles[CONTENT_N_CLASSES] = {
		[CONTENT_JSON] = COLUMNS_JSON,
		[CONTENT_CELLS] = COLUMNS_CELLS,
		[CONTENT_KEYS] = COLUMNS_KEYS,
		[CONTENT_LOG] = COLUMNS_WORDS,
	};
	const struct columns_form form = {
		.style = styles[request->sniffed->class],
		.delimiter = request->sniffed->delimiter,
	};
	struct columns_view view;
	struct out out;
	int rc;

	if (form.style == COLUMNS_NONE || request->raw.len < COLUMNS_LEN_MIN)
		return 0;
	rc = grow(t, request->raw.len);
	if (rc < 0)
		return rc;
	if (!columns_split(t->columns, request->raw, &form, t->scratch, &view))
		return 0;
	out = out_at(view.spare, cap);
	put_columns(t, request->level, &view, &out);
	return tree_of(&out, tree);
}

/* ---- code ---------------------------------------------------------------- */

ssize_t transform_code(struct transformer *t,
		       const struct transform_request *request, size_t cap,
		       const uint8_t **tree)
{
	struct span raw = request->raw;
	struct out out;
	int rc = grow(t, raw.len);

	if (rc < 0)
		return rc;
	memcpy(t->scratch, raw.ptr, raw.len);
	out = out_at(t->scratch + raw.len, cap);
	if (request->sniffed->class == CONTENT_X86) {
		prim_x86_do(t->scratch, raw.len);
		put_node(&out, PRIM_X86, span_of(NULL, 0));
	} else if (request->sniffed->class == CONTENT_ARM64) {
		prim_arm64_do(request->sniffed->phase, t->scratch, raw.len);
		put_node(&out, PRIM_ARM64,
			 span_of(&request->sniffed->phase, 1));
	} else {
		return 0;
	}
	put_leaf(t, &out, request->level, span_of(t->scratch, raw.len));
	return tree_of(&out, tree);
}

/* ---- numbers ------------------------------------------------------------- */

/* Differences with the number `lag` before, of `bits`, then bytes by place in
 * records of `width`. 0: not. */
struct number_form {
	unsigned bits;
	unsigned lag;
	unsigned skip; /* bytes before the first number */
	unsigned width;
};

enum {
	NUMBERS_LEN_MIN = 2048,
	SAMPLE_LEN = 4096,
	FORMS_MAX = 6,
};

/* Puts the form of `raw` at the begin of the scratch, and uses what is behind
 * it on the way. */
static void make_form(struct transformer *t, const struct number_form *f,
		      struct span raw)
{
	uint8_t *from = f->width ? t->scratch + raw.len : t->scratch;

	memcpy(from, raw.ptr, raw.len);
	if (f->bits)
		prim_delta_do(f->bits, f->lag, from + f->skip,
			      raw.len - f->skip);
	if (f->width)
		prim_transpose_do(f->width, span_of(from, raw.len), t->scratch);
}

/* Where the first number of `size` bytes begins: behind the byte that is most
 * often the one of the record before, for that is the highest of a number. */
static unsigned first_number(struct span sample, unsigned width, unsigned size)
{
	unsigned n[sizeof(uint64_t)] = { 0 };
	unsigned best = 0;
	size_t i;

	for (i = width; i < sample.len; i++)
		n[i % size] += sample.ptr[i] == sample.ptr[i - width];
	for (i = 1; i < size; i++)
		if (n[i] > n[best])
			best = (unsigned)i;
	return (best + 1) % size;
}

/* What records of that width may be. Returns how many, at most FORMS_MAX. */
static size_t list_forms(struct span sample, unsigned width,
			 struct number_form *forms)
{
	unsigned size;
	size_t n = 0;

	forms[n++] = (struct number_form){ .bits = 8, .lag = width };
	if (width > 1) {
		forms[n++] = (struct number_form){ .width = width };
		forms[n++] = (struct number_form){ .bits = 8,
						   .lag = width,
						   .width = width };
	}
	for (size = 2; size <= sizeof(uint64_t) && width % size == 0; size *= 2)
		forms[n++] = (struct number_form){
			.bits = 8 * size,
			.lag = width / size,
			.skip = first_number(sample, width, size),
			.width = width,
		};
	return n;
}

static void put_form(struct out *o, const struct number_form *f)
{
	enum primitive_id id = f->bits == 8    ? PRIM_DELTA8
			       : f->bits == 16 ? PRIM_DELTA16
			       : f->bits == 32 ? PRIM_DELTA32
					       : PRIM_DELTA64;
	uint8_t payload[2 * VARINT_MAX];
	size_t len;

	if (f->bits) {
		len = varint_put(payload, f->lag);
		len += varint_put(payload + len, f->skip);
		put_node(o, id, span_of(payload, len));
	}
	if (f->width) {
		len = varint_put(payload, f->width);
		put_node(o, PRIM_TRANSPOSE, span_of(payload, len));
	}
}

/* The form of which a sample is shortest; -ENOMEM; 0: none is. */
static int choose_form(struct transformer *t, struct span raw, unsigned width,
		       struct number_form *ret)
{
	struct number_form forms[FORMS_MAX];
	size_t len = raw.len < SAMPLE_LEN ? raw.len : SAMPLE_LEN;
	/* As far from the start as numbers are long, whatever their size. */
	size_t off = (raw.len - len) / 2 & ~(size_t)7;
	struct span sample = span_of(raw.ptr + off, len);
	size_t n = list_forms(sample, width, forms);
	uint8_t out[SAMPLE_LEN];
	ssize_t best = prim_zstd_encode(t->zstd, 1, sample, out, len - 1);
	ssize_t got;
	int found = 0;
	size_t i;

	if (best == 0)
		best = (ssize_t)len;
	/* It must be worth a try of all. */
	best -= best / 32;
	for (i = 0; best > 0 && i < n; i++) {
		make_form(t, &forms[i], sample);
		got = prim_zstd_encode(t->zstd, 1, span_of(t->scratch, len),
				       out, (size_t)best - 1);
		if (got < 0)
			return (int)got;
		if (got == 0)
			continue;
		best = got;
		*ret = forms[i];
		found = 1;
	}
	return best < 0 ? (int)best : found;
}

ssize_t transform_numbers(struct transformer *t,
			  const struct transform_request *request, size_t cap,
			  const uint8_t **tree)
{
	struct span raw = request->raw;
	struct number_form form;
	struct out out;
	int rc;

	if (raw.len < NUMBERS_LEN_MIN || request->sniffed->width == 0)
		return 0;
	rc = grow(t, raw.len);
	if (rc < 0)
		return rc;
	rc = choose_form(t, raw, request->sniffed->width, &form);
	if (rc <= 0)
		return rc;
	make_form(t, &form, raw);
	out = out_at(t->scratch + raw.len, cap);
	put_form(&out, &form);
	put_leaf(t, &out, request->level, span_of(t->scratch, raw.len));
	return tree_of(&out, tree);
}
