/* SPDX-License-Identifier: MIT */
/*
 * columns_scan.c - finds the fields of text, a scanner for each style.
 */
#include "codec/columns_scan.h"

enum {
	INDEX_MAX = 63, /* fields of a line beyond this are all one */
	TIME_LEN_MIN = 5,
	TIME_LEN_MAX = 40,
};

enum byte_class {
	DIGIT = 1,
	BREAK = 2, /* between words */
	NUMERIC = 4,
	SPACE = 8,
	LETTER = 16,
};

static const uint8_t classes[256] = {
	['0'] = DIGIT | NUMERIC, ['1'] = DIGIT | NUMERIC,
	['2'] = DIGIT | NUMERIC, ['3'] = DIGIT | NUMERIC,
	['4'] = DIGIT | NUMERIC, ['5'] = DIGIT | NUMERIC,
	['6'] = DIGIT | NUMERIC, ['7'] = DIGIT | NUMERIC,
	['8'] = DIGIT | NUMERIC, ['9'] = DIGIT | NUMERIC,
	['-'] = NUMERIC,         ['+'] = NUMERIC,
	['.'] = NUMERIC,         ['e'] = NUMERIC,
	['E'] = NUMERIC,         [' '] = BREAK | SPACE,
	['\t'] = BREAK | SPACE,  ['\n'] = BREAK | SPACE,
	['\r'] = BREAK | SPACE,  ['"'] = BREAK,
	['['] = BREAK,           [']'] = BREAK,
	['('] = BREAK,           [')'] = BREAK,
	['{'] = BREAK,           ['}'] = BREAK,
	[','] = BREAK,           [';'] = BREAK,
	['='] = BREAK,           ['|'] = BREAK,
	['<'] = BREAK,           ['>'] = BREAK,
	['\''] = BREAK,
};

static bool is(uint8_t c, unsigned class)
{
	return classes[c] & class;
}

/* Whether `p` has the form 12:34 somewhere. */
static bool has_time(const uint8_t *p, size_t len)
{
	const uint8_t *colon;
	const uint8_t *end = p + len;

	if (len < TIME_LEN_MIN || len > TIME_LEN_MAX)
		return false;
	colon = memchr(p, ':', len);
	return colon && colon - p >= 2 && end - colon > 2 &&
	       is(colon[-1], DIGIT) && is(colon[-2], DIGIT) &&
	       is(colon[1], DIGIT) && is(colon[2], DIGIT);
}

/* A field; the numbers in a point of time are fields of their own. */
static bool take(struct columns *c, const uint8_t *p, size_t len,
		 uint32_t context)
{
	const uint8_t *end = p + len;
	const uint8_t *from;
	uint32_t n = 0;

	if (!has_time(p, len))
		return columns_field(c, p, len, context);
	for (; p < end; p++) {
		if (!is(*p, DIGIT))
			continue;
		for (from = p; p < end && is(*p, DIGIT); p++)
			;
		if (!columns_field(c, from, (size_t)(p - from),
				   context + ++n * 4096))
			return false;
	}
	return true;
}

static bool scan_words(struct columns *c, struct span raw)
{
	const uint8_t *p = raw.ptr;
	const uint8_t *end = p + raw.len;
	uint32_t index = 0;
	const uint8_t *from;

	while (p < end) {
		if (is(*p, BREAK)) {
			index = *p == '\n' ? 0 : index;
			p++;
			continue;
		}
		for (from = p; p < end && !is(*p, BREAK); p++)
			;
		if (!take(c, from, (size_t)(p - from), index))
			return false;
		index += index < INDEX_MAX;
	}
	return true;
}

static bool scan_cells(struct columns *c, struct span raw, uint8_t delimiter)
{
	const uint8_t *p = raw.ptr;
	const uint8_t *end = p + raw.len;
	uint32_t index = 0;
	const uint8_t *from;

	while (p < end) {
		bool quoted = *p == '"';

		p += quoted;
		for (from = p; p < end && *p != '\n'; p++) {
			if (quoted ? *p == '"' : *p == delimiter || *p == '\r')
				break;
		}
		if (!take(c, from, (size_t)(p - from), index))
			return false;
		for (; p < end && *p != '\n' && *p != delimiter; p++)
			;
		if (p == end)
			break;
		index = *p == '\n' ? 0 : index + (index < INDEX_MAX);
		p++;
	}
	return true;
}

static bool scan_keys(struct columns *c, struct span raw)
{
	const uint8_t *p = raw.ptr;
	const uint8_t *end = p + raw.len;
	uint32_t key = 0;

	while (p < end) {
		const uint8_t *stop = memchr(p, '\n', (size_t)(end - p));
		const uint8_t *colon;

		stop = stop ? stop : end;
		colon = *p == ' ' ? NULL : memchr(p, ':', (size_t)(stop - p));
		if (colon) {
			key = (uint32_t)(colon - p);
			p = colon + 1;
		}
		while (p < stop && *p == ' ')
			p++;
		if (p < stop && !take(c, p, (size_t)(stop - p), key))
			return false;
		p = stop + 1;
	}
	return true;
}

/* The quote that ends the string at `p`; NULL: none in this line. */
static const uint8_t *string_end(const uint8_t *p, const uint8_t *end)
{
	for (; p < end && *p != '\n'; p++) {
		if (*p == '"')
			return p;
		if (*p == '\\' && end - p > 1 && p[1] != '\n')
			p++;
	}
	return NULL;
}

static bool is_key(const uint8_t *p, const uint8_t *end)
{
	while (p < end && is(*p, SPACE))
		p++;
	return p < end && *p == ':';
}

static bool is_bare(uint8_t byte)
{
	return is(byte, NUMERIC) || (byte >= 'a' && byte <= 'z');
}

/*
 * A string at `*pos`, where its first quote is: a key, which is remembered, or
 * a value, which is taken. One that does not end is a value up to its line's
 * end.
 */
static bool scan_string(struct columns *c, const uint8_t **pos,
			const uint8_t *end, uint32_t *key)
{
	const uint8_t *from = *pos + 1;
	const uint8_t *quote = string_end(from, end);
	const uint8_t *stop = quote;

	if (quote && is_key(quote + 1, end)) {
		*key = (uint32_t)(quote - from) + (uint32_t)from[0] * 256;
		*pos = quote + 1;
		return true;
	}
	if (!stop)
		stop = memchr(from, '\n', (size_t)(end - from));
	if (!stop)
		stop = end;
	*pos = stop + (quote != NULL);
	return take(c, from, (size_t)(stop - from), *key);
}

static bool scan_json(struct columns *c, struct span raw)
{
	const uint8_t *p = raw.ptr;
	const uint8_t *end = p + raw.len;
	uint32_t key = 0;
	bool fits = true;

	while (fits && p < end) {
		const uint8_t *from = p;

		if (*p == '"') {
			fits = scan_string(c, &p, end, &key);
		} else if (is_bare(*p)) {
			while (p < end && is_bare(*p))
				p++;
			fits = columns_field(c, from, (size_t)(p - from), key);
		} else {
			p++;
		}
	}
	return fits;
}

bool columns_scan(struct columns *c, struct span raw,
		  const struct columns_form *form)
{
	switch (form->style) {
	case COLUMNS_CELLS:
		return scan_cells(c, raw, form->delimiter);
	case COLUMNS_WORDS:
		return scan_words(c, raw);
	case COLUMNS_KEYS:
		return scan_keys(c, raw);
	case COLUMNS_JSON:
		return scan_json(c, raw);
	case COLUMNS_NONE:
	default:
		return false;
	}
}
