/* SPDX-License-Identifier: MIT */
/*
 * transform.c - columns of text, code, numbers: from bytes to trees.
 *
 * Each is tried on a sample first, as it is and transformed, both by zstd 1. For
 * numbers some forms are tried, and the one that is smallest is made of all the
 * bytes.
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

/* Length of the tree; 0: it did not fit. */
static ssize_t tree_len(const struct out *o)
{
	if (o->failed)
		return o->failed == -ENOSPC ? 0 : o->failed;
	return o->pos - o->dst;
}

/* ---- samples ------------------------------------------------------------- */

enum {
	SAMPLE_SHIFT = 3, /* a sample of code is an eighth */
	SAMPLE_MIN = 4096,
	SAMPLE_LEVEL = 1,
	BOUND_SHIFT = 6, /* bounds are in 1/64 of the plain sample */
};

/* A sample that is shorter than `sure` says yes, one that is not shorter than
 * `never` says no; between them both ways are gone. */
struct bounds {
	size_t sure;
	size_t never;
};

enum verdict { NEVER, PERHAPS, SURE };

static enum verdict compare(const struct bounds *b, size_t plain, size_t made)
{
	if (made << BOUND_SHIFT >= plain * b->never)
		return NEVER;
	return made << BOUND_SHIFT < plain * b->sure ? SURE : PERHAPS;
}

/* What a sample becomes, at `dst` (as long as it is); its own length if it does
 * not shrink. */
static ssize_t sample_len(struct transformer *t, struct span sample,
			  uint8_t *dst)
{
	ssize_t n = prim_zstd_encode(t->zstd, SAMPLE_LEVEL, sample, dst,
				     sample.len - 1);

	return n == 0 ? (ssize_t)sample.len : n;
}

/* From the middle of bytes that are long enough for it, as far from the first
 * one as numbers are long, whatever their size. */
static struct span middle(struct span raw, size_t len)
{
	return span_of(raw.ptr + ((raw.len - len) / 2 & ~(size_t)7), len);
}

/* ---- columns ------------------------------------------------------------- */

enum { COLUMNS_LEN_MIN = 4096, ZSTD_LEVEL_ANY = 22 };

/* All of a text gains more than its sample: 5 to 20 %. What is near the bound
 * is worth a look at both ways, but not more often than that: source takes 3 %
 * longer for it, and would take 16 % if nothing between 64 and 70 were sure. */
static const struct bounds columns_bounds = { 66, 67 };

enum { TEXT_SHIFT = 4 }; /* the sample of a text is a sixteenth */

/*
 * How text is encoded by how much its sample shrinks, so that no text takes
 * more than 10 ns a byte: splitting blocks gains 2 % where little is left to
 * encode, else less than 1 %, at a fifth of the speed.
 */
static const struct text_effort {
	size_t shrinks; /* to one in so many bytes, or less */
	int level;      /* at most; of zstd */
	bool split;
} text_efforts[] = {
	{ 8, ZSTD_LEVEL_ANY, true },
	{ 3, ZSTD_LEVEL_ANY, false },
	{ 0, 3, false },
};

static const struct text_effort thorough = { 0, ZSTD_LEVEL_ANY, true };

static void put_columns(struct transformer *t, const struct text_effort *effort,
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

		prim_zstd_split(t->zstd, text && effort->split);
		put_leaf(t, o, noise ? 0 : effort->level,
			 span_of(from, v->parts[i].len));
		from += v->parts[i].len;
	}
	prim_zstd_split(t->zstd, false);
}

/* From the middle, whole lines if there are any, else from the start: fields
 * are found from where the text begins. */
static struct span sample_lines(struct span raw)
{
	struct span sample = middle(raw, raw.len >> TEXT_SHIFT);
	const uint8_t *line = memchr(sample.ptr, '\n', sample.len / 2);

	if (!line)
		return span_of(raw.ptr, sample.len);
	line++;
	return span_of(line, (size_t)(sample.ptr + sample.len - line));
}

/* A verdict, or -ENOMEM, and if it is not NEVER how to encode the text. */
static int judge_columns(struct transformer *t, struct span raw,
			 const struct columns_form *form,
			 struct text_effort *ret)
{
	static const struct text_effort quick = { 0, SAMPLE_LEVEL, false };
	const struct text_effort *effort = text_efforts;
	struct span sample = sample_lines(raw);
	struct columns_view view;
	struct out out;
	ssize_t plain, made;

	*ret = thorough;
	if (raw.len >> TEXT_SHIFT < SAMPLE_MIN)
		return PERHAPS;
	plain = sample_len(t, sample, t->scratch);
	if (plain < 0)
		return (int)plain;
	if (!columns_split(t->columns, sample, form, t->scratch, &view))
		return NEVER;
	out = out_at(view.spare, sample.len);
	put_columns(t, &quick, &view, &out);
	made = tree_len(&out);
	if (made <= 0)
		return (int)made; /* NEVER: it did not fit */
	while (sample.len < effort->shrinks * (size_t)made)
		effort++;
	*ret = *effort;
	return compare(&columns_bounds, (size_t)plain, (size_t)made);
}

static enum columns_style style_of(enum content_class class)
{
	static const enum columns_style styles[CONTENT_N_CLASSES] = {
		[CONTENT_JSON] = COLUMNS_JSON,
		[CONTENT_CELLS] = COLUMNS_CELLS,
		[CONTENT_KEYS] = COLUMNS_KEYS,
		[CONTENT_LOG] = COLUMNS_WORDS,
	};

	return styles[class];
}

ssize_t transform_columns(struct transformer *t,
			  const struct transform_request *request, size_t cap,
			  struct transform_tree *ret)
{
	const struct columns_form form = {
		.style = style_of(request->sniffed->class),
		.delimiter = request->sniffed->delimiter,
	};
	struct text_effort effort;
	struct columns_view view;
	struct out out;
	int rc;

	if (form.style == COLUMNS_NONE || request->raw.len < COLUMNS_LEN_MIN)
		return 0;
	rc = grow(t, request->raw.len);
	if (rc < 0)
		return rc;
	rc = judge_columns(t, request->raw, &form, &effort);
	if (rc <= NEVER)
		return rc;
	if (request->thorough)
		effort = thorough;
	if (effort.level > request->level)
		effort.level = request->level;
	if (!columns_split(t->columns, request->raw, &form, t->scratch, &view))
		return 0;
	out = out_at(view.spare, cap);
	put_columns(t, &effort, &view, &out);
	*ret = (struct transform_tree){ out.dst, rc == SURE };
	return tree_len(&out);
}

/* ---- code ---------------------------------------------------------------- */

/* Code without calls to move, as that of kernel modules, grows. */
static const struct bounds code_bounds = { 63, 64 };

/* A copy at `dst`, with its calls moved. */
static void move_calls(const struct sniffed *sniffed, struct span raw,
		       uint8_t *dst)
{
	memcpy(dst, raw.ptr, raw.len);
	if (sniffed->class == CONTENT_X86)
		prim_x86_do(dst, raw.len);
	else
		prim_arm64_do(sniffed->phase, dst, raw.len);
}

/* A verdict, or -ENOMEM. */
static int judge_code(struct transformer *t,
		      const struct transform_request *request)
{
	struct span sample =
		middle(request->raw, request->raw.len >> SAMPLE_SHIFT);
	uint8_t *copy = t->scratch;
	ssize_t plain, made;

	if (sample.len < SAMPLE_MIN)
		return PERHAPS;
	plain = sample_len(t, sample, copy);
	if (plain < 0)
		return (int)plain;
	move_calls(request->sniffed, sample, copy);
	made = sample_len(t, span_of(copy, sample.len), copy + sample.len);
	if (made < 0)
		return (int)made;
	return compare(&code_bounds, (size_t)plain, (size_t)made);
}

ssize_t transform_code(struct transformer *t,
		       const struct transform_request *request, size_t cap,
		       struct transform_tree *ret)
{
	struct span raw = request->raw;
	struct out out;
	int rc = grow(t, raw.len);

	if (rc < 0)
		return rc;
	rc = judge_code(t, request);
	if (rc <= NEVER)
		return rc;
	move_calls(request->sniffed, raw, t->scratch);
	out = out_at(t->scratch + raw.len, cap);
	if (request->sniffed->class == CONTENT_X86)
		put_node(&out, PRIM_X86, span_of(NULL, 0));
	else
		put_node(&out, PRIM_ARM64,
			 span_of(&request->sniffed->phase, 1));
	put_leaf(t, &out, request->level, span_of(t->scratch, raw.len));
	*ret = (struct transform_tree){ out.dst, rc == SURE };
	return tree_len(&out);
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
	END_LEN = 2048,
	NUMBERS_LEN_MIN = END_LEN,
	FORMS_MAX = 6,
};

static const struct bounds number_bounds = { 56, 62 };

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

/* The form of which a sample is shortest. A verdict on it, or -ENOMEM. */
static int choose_form(struct transformer *t, struct span raw, unsigned width,
		       struct number_form *ret)
{
	struct number_form forms[FORMS_MAX];
	struct span sample = middle(raw, (size_t)min_u64(raw.len, SAMPLE_MIN));
	size_t n = list_forms(sample, width, forms);
	uint8_t out[SAMPLE_MIN];
	ssize_t plain = sample_len(t, sample, out);
	ssize_t best = plain;
	ssize_t got;
	size_t i;

	for (i = 0; best > 1 && i < n; i++) {
		make_form(t, &forms[i], sample);
		got = prim_zstd_encode(t->zstd, SAMPLE_LEVEL,
				       span_of(t->scratch, sample.len), out,
				       (size_t)best - 1);
		if (got < 0)
			return (int)got;
		if (got == 0)
			continue;
		best = got;
		*ret = forms[i];
	}
	if (best < 0)
		return (int)best;
	return compare(&number_bounds, (size_t)plain, (size_t)best);
}

/* Whether a form that is sure in the middle is so at both ends: many files have
 * numbers in one part only. A verdict, or -ENOMEM. */
static int judge_ends(struct transformer *t, struct span raw,
		      const struct number_form *form)
{
	const struct span ends[] = {
		span_of(raw.ptr, END_LEN),
		span_of(raw.ptr + ((raw.len - END_LEN) & ~(size_t)7), END_LEN),
	};
	uint8_t out[END_LEN];
	ssize_t plain, made;
	size_t i;

	for (i = 0; i < ARRAY_LEN(ends); i++) {
		plain = sample_len(t, ends[i], out);
		if (plain < 0)
			return (int)plain;
		make_form(t, form, ends[i]);
		made = sample_len(t, span_of(t->scratch, END_LEN), out);
		if (made < 0)
			return (int)made;
		if (compare(&number_bounds, (size_t)plain, (size_t)made) !=
		    SURE)
			return PERHAPS;
	}
	return SURE;
}

ssize_t transform_numbers(struct transformer *t,
			  const struct transform_request *request, size_t cap,
			  struct transform_tree *ret)
{
	struct span raw = request->raw;
	struct number_form form = { .bits = 0 };
	struct out out;
	int rc;

	if (raw.len < NUMBERS_LEN_MIN || request->sniffed->width == 0)
		return 0;
	rc = grow(t, raw.len);
	if (rc < 0)
		return rc;
	rc = choose_form(t, raw, request->sniffed->width, &form);
	if (rc == SURE)
		rc = judge_ends(t, raw, &form);
	if (rc <= NEVER)
		return rc;
	make_form(t, &form, raw);
	out = out_at(t->scratch + raw.len, cap);
	put_form(&out, &form);
	put_leaf(t, &out, request->level, span_of(t->scratch, raw.len));
	*ret = (struct transform_tree){ out.dst, rc == SURE };
	return tree_len(&out);
}
