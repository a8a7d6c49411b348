/* SPDX-License-Identifier: MIT */
/*
 * prim_columns.c - weaves text out of literals and the fields of columns.
 *
 * The input (FORMAT.md, section 4) is a head, one byte for each step, and the
 * streams of the columns. A step is an entry: its literal, then the next field
 * of its column. Far from the end of the output bytes are copied by sixteen,
 * behind what is asked for as well; near it, exactly.
 */
#include "base/error.h"
#include "base/varint.h"
#include "codec/columns_format.h"
#include "codec/primitive.h"

enum {
	GULP = 16,             /* bytes copied at once */
	MARGIN = 255 + 2 * 64, /* output that a step may overwrite blindly */
};

/* One way to make text: a literal, then a field. */
struct entry {
	const uint8_t *literal;
	uint16_t len;
	uint16_t column;
};

struct column {
	enum column_type type;
	unsigned width;     /* bytes of a field; NUMBER: digits */
	unsigned size;      /* NUMBER: bytes of a value */
	bool delta;         /* NUMBER: values are differences */
	uint32_t n_left;    /* NUMBER: values to come */
	uint64_t last;      /* NUMBER: the value before */
	const uint8_t *pos; /* in the stream */
	const uint8_t *end;
	const struct span *words; /* WORD */
	uint32_t n_words;
	uint32_t n_values; /* NUMBER: length of a byte plane */
};

struct columns_work {
	struct entry entries[COLUMNS_ENTRIES_MAX];
	struct column columns[COLUMNS_MAX];
	struct span words[COLUMNS_WORDS_MAX];
	size_t n_entries;
	size_t n_columns;
	size_t n_words;
	struct span steps;
};

size_t prim_columns_work_len(void)
{
	return sizeof(struct columns_work);
}

/* ---- the head ------------------------------------------------------------ */

static int read_words(struct columns_work *w, struct column *c,
		      struct reader *in)
{
	uint64_t n, i, len;

	if (varint_get_max(in, COLUMNS_WORDS_MAX - w->n_words, &n) < 0 ||
	    n == 0 || n > COLUMN_WORDS_MAX)
		return -EUCLEAN;
	c->words = w->words + w->n_words;
	c->n_words = (uint32_t)n;
	for (i = 0; i < n; i++)
		if (varint_get_max(in, COLUMN_WORD_LEN_MAX, &len) < 0 ||
		    reader_bytes(in, len, &w->words[w->n_words++]) < 0)
			return -EUCLEAN;
	return 0;
}

static int read_number(struct column *c, struct reader *in)
{
	uint64_t digits;
	uint8_t form;

	if (varint_get_max(in, COLUMN_DIGITS_MAX, &digits) < 0 || digits == 0 ||
	    reader_u8(in, &form) < 0)
		return -EUCLEAN;
	c->width = (unsigned)digits;
	c->delta = form & COLUMN_DELTA;
	c->size = form & ~(unsigned)COLUMN_DELTA;
	if (c->size == 0 || c->size > sizeof(uint64_t))
		return -EUCLEAN;
	return 0;
}

static int read_column(struct columns_work *w, struct column *c,
		       struct reader *in)
{
	uint64_t width;
	uint8_t type;

	if (reader_u8(in, &type) < 0)
		return -EUCLEAN;
	c->type = (enum column_type)type;
	switch (type) {
	case COLUMN_TEXT:
		return 0;
	case COLUMN_FIXED:
	case COLUMN_HEX:
		if (varint_get_max(in, COLUMN_WIDTH_MAX, &width) < 0 ||
		    width == 0)
			return -EUCLEAN;
		c->width = (unsigned)width;
		return 0;
	case COLUMN_WORD:
		return read_words(w, c, in);
	case COLUMN_NUMBER:
		return read_number(c, in);
	default:
		return -EUCLEAN;
	}
}

static int read_entries(struct columns_work *w, struct reader *in)
{
	uint64_t n, i, column, len;
	struct span literal;

	if (varint_get_max(in, COLUMNS_ENTRIES_MAX, &n) < 0 || n == 0)
		return -EUCLEAN;
	for (i = 0; i < n; i++) {
		if (varint_get_max(in, w->n_columns - 1, &column) < 0 ||
		    varint_get_max(in, COLUMNS_LITERAL_MAX, &len) < 0 ||
		    reader_bytes(in, len, &literal) < 0)
			return -EUCLEAN;
		w->entries[i] = (struct entry){
			.literal = literal.ptr,
			.len = (uint16_t)len,
			.column = (uint16_t)column,
		};
	}
	w->n_entries = (size_t)n;
	return 0;
}

/* Where each stream lies; together they are the rest of the input. */
static int read_streams(struct columns_work *w, struct reader *in,
			const uint64_t *lens, uint64_t n_steps)
{
	struct span stream;
	struct column *c;

	if (reader_bytes(in, n_steps, &w->steps) < 0)
		return -EUCLEAN;
	for (c = w->columns; c < w->columns + w->n_columns; c++) {
		if (reader_bytes(in, lens[c - w->columns], &stream) < 0)
			return -EUCLEAN;
		c->pos = stream.ptr;
		c->end = stream.ptr + stream.len;
		if (c->type != COLUMN_NUMBER)
			continue;
		if (stream.len % c->size != 0)
			return -EUCLEAN;
		c->n_values = (uint32_t)(stream.len / c->size);
		c->n_left = c->n_values;
		c->end = c->pos + c->n_values;
	}
	return reader_left(in) == 0 ? 0 : -EUCLEAN;
}

static int read_head(struct columns_work *w, struct span input)
{
	uint64_t lens[COLUMNS_MAX];
	struct reader in = reader_of(input);
	uint64_t n, i, n_steps;

	w->n_words = 0;
	if (varint_get_max(&in, COLUMNS_MAX, &n) < 0 || n == 0)
		return -EUCLEAN;
	w->n_columns = (size_t)n;
	for (i = 0; i < n; i++) {
		w->columns[i] = (struct column){ .type = COLUMN_TEXT };
		if (read_column(w, &w->columns[i], &in) < 0 ||
		    varint_get_max(&in, input.len, &lens[i]) < 0)
			return -EUCLEAN;
	}
	if (read_entries(w, &in) < 0 ||
	    varint_get_max(&in, input.len, &n_steps) < 0)
		return -EUCLEAN;
	return read_streams(w, &in, lens, n_steps);
}

/* ---- fields -------------------------------------------------------------- */

/* Copies `len` bytes by gulps: reads and writes up to 15 behind them. */
static inline void copy_wild(uint8_t *dst, const uint8_t *src, size_t len)
{
	size_t i = 0;

	do {
		memcpy(dst + i, src + i, GULP);
		i += GULP;
	} while (i < len);
}

static inline void put_hex(uint8_t *dst, const uint8_t *src, unsigned n)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < n; i++) {
		dst[2 * i] = (uint8_t)digits[src[i] >> 4];
		dst[2 * i + 1] = (uint8_t)digits[src[i] & 15];
	}
}

/* False: more digits than the column has. */
static inline bool put_digits(uint8_t *dst, uint64_t v, unsigned n)
{
	while (n > 0) {
		dst[--n] = (uint8_t)('0' + v % 10);
		v /= 10;
	}
	return v == 0;
}

/* The next value of a column of numbers, of which there is one. */
static inline uint64_t next_number(struct column *c)
{
	const uint8_t *p = c->pos++;
	uint64_t v = 0;
	unsigned i;

	for (i = 0; i < c->size; i++, p += c->n_values)
		v |= (uint64_t)*p << 8 * i;
	c->n_left--;
	if (!c->delta)
		return v;
	c->last += (uint64_t)unzigzag(v);
	return c->last;
}

/* The text up to its newline, which is not copied. NULL: there is none, or no
 * room. */
static uint8_t *put_text(struct column *c, uint8_t *dst, const uint8_t *end)
{
	const uint8_t *stop = c->pos == c->end
				      ? NULL
				      : memchr(c->pos, COLUMN_TEXT_END,
					       (size_t)(c->end - c->pos));
	size_t len;

	if (!stop || stop - c->pos > end - dst)
		return NULL;
	len = (size_t)(stop - c->pos);
	memcpy(dst, c->pos, len);
	c->pos = stop + 1;
	return dst + len;
}

/* One field, exactly. NULL: damage. */
static uint8_t *put_field(struct column *c, uint8_t *dst, const uint8_t *end)
{
	size_t room = (size_t)(end - dst);
	size_t left = (size_t)(c->end - c->pos);
	struct span word;

	switch (c->type) {
	case COLUMN_TEXT:
		return put_text(c, dst, end);
	case COLUMN_FIXED:
		if (left < c->width || room < c->width)
			return NULL;
		memcpy(dst, c->pos, c->width);
		c->pos += c->width;
		return dst + c->width;
	case COLUMN_WORD:
		word = c->words[0];
		if (c->n_words > 1) {
			if (left == 0 || *c->pos >= c->n_words)
				return NULL;
			word = c->words[*c->pos++];
		}
		if (room < word.len)
			return NULL;
		memcpy(dst, word.ptr, word.len);
		return dst + word.len;
	case COLUMN_HEX:
		if (left < c->width || room < 2 * (size_t)c->width)
			return NULL;
		put_hex(dst, c->pos, c->width);
		c->pos += c->width;
		return dst + 2 * (size_t)c->width;
	case COLUMN_NUMBER:
	default:
		if (c->n_left == 0 || room < c->width ||
		    !put_digits(dst, next_number(c), c->width))
			return NULL;
		return dst + c->width;
	}
}

#ifdef __SSE2__
# include <emmintrin.h>

/* As put_text(), with MARGIN bytes of room and slack behind the input. */
static inline uint8_t *put_text_fast(struct column *c, uint8_t *dst)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)c->pos);
	unsigned found = (unsigned)_mm_movemask_epi8(
		_mm_cmpeq_epi8(v, _mm_set1_epi8(COLUMN_TEXT_END)));
	unsigned len;

	if (found == 0)
		return NULL;
	_mm_storeu_si128((__m128i *)(void *)dst, v);
	len = (unsigned)__builtin_ctz(found);
	if (c->end - c->pos <= (ptrdiff_t)len)
		return NULL;
	c->pos += len + 1;
	return dst + len;
}
#else
static inline uint8_t *put_text_fast(struct column *c, uint8_t *dst)
{
	(void)c;
	(void)dst;
	return NULL;
}
#endif

/* One field with MARGIN bytes of room. NULL: let put_field() see. */
static inline uint8_t *put_field_fast(struct column *c, uint8_t *dst)
{
	struct span word;

	if (c->type == COLUMN_TEXT)
		return put_text_fast(c, dst);
	if (c->type != COLUMN_WORD)
		return NULL;
	word = c->words[0];
	if (c->n_words > 1) {
		if (c->pos == c->end || *c->pos >= c->n_words)
			return NULL;
		word = c->words[*c->pos];
		if (word.len > (size_t)2 * GULP)
			return NULL;
		c->pos++;
	} else if (word.len > (size_t)2 * GULP) {
		return NULL;
	}
	memcpy(dst, word.ptr, GULP);
	memcpy(dst + GULP, word.ptr + GULP, GULP);
	return dst + word.len;
}

/* ---- steps --------------------------------------------------------------- */

static int weave(struct columns_work *w, uint8_t *dst, size_t len)
{
	const uint8_t *step = w->steps.ptr;
	const uint8_t *last = step + w->steps.len;
	const uint8_t *end = dst + len;
	const uint8_t *calm = len > MARGIN ? end - MARGIN : dst;
	uint8_t *pos = dst;

	for (; step < last; step++) {
		const struct entry *e = &w->entries[*step];
		uint8_t *after = NULL;
		struct column *c;

		if (*step >= w->n_entries)
			return -EUCLEAN;
		c = &w->columns[e->column];
		if (pos < calm) {
			copy_wild(pos, e->literal, e->len);
			pos += e->len;
			after = put_field_fast(c, pos);
		} else {
			if (end - pos < e->len)
				return -EUCLEAN;
			memcpy(pos, e->literal, e->len);
			pos += e->len;
		}
		if (!after)
			after = put_field(c, pos, end);
		if (!after)
			return -EUCLEAN;
		pos = after;
	}
	return pos == end ? 0 : -EUCLEAN;
}

static bool used_up(const struct columns_work *w)
{
	size_t i;

	for (i = 0; i < w->n_columns; i++)
		if (w->columns[i].pos != w->columns[i].end)
			return false;
	return true;
}

int prim_columns_undo(const struct decode_tools *tools, struct span params,
		      struct span input, uint8_t *dst, size_t len)
{
	struct columns_work *w = tools->columns;

	if (params.len != 0 || read_head(w, input) < 0)
		return corrupt("columns: bad head");
	if (weave(w, dst, len) < 0 || !used_up(w))
		return corrupt("columns: fields do not make %zu bytes", len);
	return 0;
}
