/* SPDX-License-Identifier: MIT */
/*
 * columns_write.c - lays columns out as the input of their kernel.
 *
 * What the head has to say of steps and shared text is counted first: then all
 * is written once, from front to end.
 */
#include "codec/columns_impl.h"

#include "base/varint.h"

#include <assert.h>

enum {
	/* Literals, at most 255 bytes each, what a column has, lengths of
	 * words; not the words. */
	HEAD_MAX = 96 << 10,
	PART_LEN_MIN = 1024, /* what a part of its own is worth */
	SPARE = 256,
};

struct writer {
	struct columns *c;
	struct columns_view *view;
	uint8_t *pos;
};

/* What the shared column and the steps become. */
struct rest {
	uint8_t *steps;
	size_t n_steps;
	uint8_t *text;
	size_t text_len;
};

/*
 * With the literal before it, which is a byte at least but for the first, a
 * field becomes a step and a stream or a word no longer than itself, and
 * perhaps the byte that ends it. Only lines of the rest take more: a step and
 * that byte for a newline, and once more for each field.
 */
size_t columns_out_max(size_t raw_len, size_t n_fields)
{
	return HEAD_MAX + 2 * raw_len + 2 * n_fields + SPARE;
}

/* ---- steps and shared text ----------------------------------------------- */

static void put_shared(struct rest *r, const uint8_t *p, size_t len)
{
	memcpy(r->text + r->text_len, p, len);
	r->text_len += len;
	r->text[r->text_len++] = COLUMN_TEXT_END;
}

/* Text that has no entry: a step for each line. */
static void put_rest(struct rest *r, const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;
	uint8_t entry = ENTRY_REST;
	const uint8_t *stop;

	while ((stop = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		if (stop > p || entry == ENTRY_LINE) {
			r->steps[r->n_steps++] = entry;
			put_shared(r, p, (size_t)(stop - p));
		}
		entry = ENTRY_LINE;
		p = stop + 1;
	}
	if (p < end || entry == ENTRY_LINE) {
		r->steps[r->n_steps++] = entry;
		put_shared(r, p, (size_t)(end - p));
	}
}

/* What put_rest() will add to steps and text. */
static void count_rest(struct rest *r, const uint8_t *p, size_t len)
{
	size_t n_steps = len > 0 && *p != '\n';
	size_t i;

	for (i = 0; i < len; i++) {
		n_steps += p[i] == '\n';
		r->text_len += p[i] != '\n';
	}
	r->n_steps += n_steps;
	r->text_len += n_steps;
}

/* Where the literal before field `i` begins. */
static uint32_t literal_off(const struct columns *c, size_t i)
{
	return i == 0 ? 0 : c->fields[i - 1].off + c->fields[i - 1].len;
}

/* Sets both lengths. */
static void count_steps(const struct columns *c, struct rest *r)
{
	const struct column_entry *e = c->entries;

	r->n_steps = 0;
	r->text_len = 0;
	for (; e < c->entries + c->n_entries; e++) {
		if (e->own) {
			r->n_steps += e->n;
			r->text_len += e->column == 0 ? e->len + e->n : 0;
			continue;
		}
		for (uint32_t i = 0; i < e->n; i++) {
			size_t nth = c->order[e->first + i];
			const struct field *f = &c->fields[nth];
			uint32_t off = literal_off(c, nth);

			count_rest(r, c->raw.ptr + off, f->off + f->len - off);
		}
	}
}

static void put_steps(const struct columns *c, struct rest *r)
{
	size_t i;

	r->n_steps = 0;
	r->text_len = 0;
	for (i = 0; i < c->n_fields; i++) {
		const struct column_entry *e = &c->entries[c->steps[i]];
		const struct field *f = &c->fields[i];
		uint32_t off = literal_off(c, i);

		if (!e->own) {
			put_rest(r, c->raw.ptr + off, f->off + f->len - off);
		} else {
			r->steps[r->n_steps++] = c->steps[i];
			if (e->column == 0)
				put_shared(r, c->raw.ptr + f->off, f->len);
		}
	}
}

/* ---- head ---------------------------------------------------------------- */

static void put_varint(struct writer *w, uint64_t v)
{
	w->pos += varint_put(w->pos, v);
}

static void put_bytes(struct writer *w, const uint8_t *p, size_t len)
{
	memcpy(w->pos, p, len);
	w->pos += len;
}

static void put_words(struct writer *w, const struct column_entry *e)
{
	const struct field *f = &w->c->words[e->first_word];
	const struct field *end = f + e->n_words;

	put_varint(w, e->n_words);
	for (; f < end; f++) {
		put_varint(w, f->len);
		put_bytes(w, w->c->raw.ptr + f->off, f->len);
	}
}

static void put_type(struct writer *w, const struct column_entry *e)
{
	*w->pos++ = (uint8_t)e->type;
	switch (e->type) {
	case COLUMN_FIXED:
		put_varint(w, e->width);
		break;
	case COLUMN_HEX:
		put_varint(w, e->width / 2U);
		break;
	case COLUMN_NUMBER:
		put_varint(w, e->width);
		*w->pos++ = (uint8_t)(e->size | (e->delta ? COLUMN_DELTA : 0));
		break;
	case COLUMN_WORD:
		put_words(w, e);
		break;
	case COLUMN_TEXT:
	default:
		break;
	}
}

static size_t stream_len(const struct column_entry *e)
{
	switch (e->type) {
	case COLUMN_FIXED:
		return (size_t)e->n * e->width;
	case COLUMN_HEX:
		return (size_t)e->n * (e->width / 2U);
	case COLUMN_NUMBER:
		return (size_t)e->n * e->size;
	case COLUMN_WORD:
		return e->n_words > 1 ? e->n : 0;
	case COLUMN_TEXT:
	default:
		return (size_t)e->len + e->n;
	}
}

static void put_head(struct writer *w, const struct rest *r)
{
	const struct columns *c = w->c;
	const struct column_entry *e;
	size_t i;

	put_varint(w, c->n_columns);
	*w->pos++ = COLUMN_TEXT;
	put_varint(w, r->text_len);
	for (i = 1; i < c->n_columns; i++) {
		put_type(w, &c->entries[c->by_column[i]]);
		put_varint(w, stream_len(&c->entries[c->by_column[i]]));
	}
	put_varint(w, c->n_entries);
	put_varint(w, 0); /* ENTRY_REST: column, length of the literal */
	put_varint(w, 0);
	put_varint(w, 0); /* ENTRY_LINE */
	put_varint(w, 1);
	*w->pos++ = '\n';
	for (i = ENTRY_FIRST; i < c->n_entries; i++) {
		e = &c->entries[i];
		put_varint(w, e->own ? e->column : 0U);
		put_varint(w, e->own ? e->literal_len : 0U);
		if (e->own)
			put_bytes(w, c->raw.ptr + e->literal_off,
				  e->literal_len);
	}
	put_varint(w, r->n_steps);
}

/* ---- streams ------------------------------------------------------------- */

static uint8_t nibble(uint8_t c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void put_hex(struct writer *w, const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i += 2)
		*w->pos++ = (uint8_t)(nibble(p[i]) << 4 | nibble(p[i + 1]));
}

static void put_numbers(struct writer *w, const struct column_entry *e)
{
	uint64_t last = 0;
	uint64_t v, d;
	uint32_t i;
	unsigned j;

	for (i = 0; i < e->n; i++) {
		v = columns_number(w->c, columns_nth(w->c, e, i));
		d = e->delta ? zigzag((int64_t)(v - last)) : v;
		last = v;
		for (j = 0; j < e->size; j++)
			w->pos[i + (size_t)j * e->n] = (uint8_t)(d >> 8 * j);
	}
	w->pos += (size_t)e->n * e->size;
}

static void put_stream(struct writer *w, const struct column_entry *e)
{
	const struct columns *c = w->c;
	uint32_t i;

	if (e->type == COLUMN_NUMBER) {
		put_numbers(w, e);
		return;
	}
	if (e->type == COLUMN_WORD) {
		put_bytes(w, c->ids + e->first, stream_len(e));
		return;
	}
	for (i = 0; i < e->n; i++) {
		const struct field *f = columns_nth(c, e, i);

		if (e->type == COLUMN_HEX) {
			put_hex(w, c->raw.ptr + f->off, f->len);
			continue;
		}
		put_bytes(w, c->raw.ptr + f->off, f->len);
		if (e->type == COLUMN_TEXT)
			*w->pos++ = COLUMN_TEXT_END;
	}
}

/* ---- parts --------------------------------------------------------------- */

/*
 * Text is one part, for words of one column occur in others; streams of small
 * numbers have nothing in common, and each a code of its own when it is long.
 */
static void end_part(struct writer *w, enum columns_part_kind kind,
		     const uint8_t *from)
{
	struct columns_view *v = w->view;
	size_t len = (size_t)(w->pos - from);
	struct columns_part *last =
		v->n_parts > 0 ? &v->parts[v->n_parts - 1] : NULL;

	if (len == 0)
		return;
	if (last && last->kind == kind &&
	    (kind != COLUMNS_PART_BYTES || len < PART_LEN_MIN ||
	     last->len < PART_LEN_MIN || v->n_parts == COLUMNS_PARTS_MAX - 1)) {
		last->len += len;
		return;
	}
	v->parts[v->n_parts++] = (struct columns_part){ kind, len };
}

static enum columns_part_kind part_kind(enum column_type type)
{
	switch (type) {
	case COLUMN_TEXT:
		return COLUMNS_PART_TEXT;
	case COLUMN_HEX:
		return COLUMNS_PART_NOISE;
	case COLUMN_FIXED:
	case COLUMN_WORD:
	case COLUMN_NUMBER:
	default:
		return COLUMNS_PART_BYTES;
	}
}

/* Head, steps and shared text. */
static void write_rest(struct writer *w)
{
	struct rest rest;
	const uint8_t *from = w->pos;
	size_t n_steps, text_len;

	count_steps(w->c, &rest);
	n_steps = rest.n_steps;
	text_len = rest.text_len;
	put_head(w, &rest);
	end_part(w, COLUMNS_PART_TEXT, from);
	rest.steps = w->pos;
	rest.text = w->pos + n_steps;
	put_steps(w->c, &rest);
	assert(rest.n_steps == n_steps && rest.text_len == text_len);
	from = w->pos;
	w->pos += n_steps;
	end_part(w, COLUMNS_PART_BYTES, from);
	from = w->pos;
	w->pos += text_len;
	end_part(w, COLUMNS_PART_TEXT, from);
}

void columns_write(struct columns *c, struct columns_view *ret)
{
	struct writer w = { .c = c, .view = ret, .pos = c->out };
	const uint8_t *from;
	size_t i;

	ret->n_parts = 0;
	write_rest(&w);
	for (i = 1; i < c->n_columns; i++) {
		const struct column_entry *e = &c->entries[c->by_column[i]];

		from = w.pos;
		put_stream(&w, e);
		end_part(&w, part_kind(e->type), from);
	}
	ret->input = span_of(c->out, (size_t)(w.pos - c->out));
}
