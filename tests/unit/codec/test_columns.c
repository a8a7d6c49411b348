/* SPDX-License-Identifier: MIT */
/*
 * test_columns.c - tests of src/codec/columns*.c and prim_columns.c.
 *
 * The kernel is held against a plain one, written here from FORMAT.md.
 */
#include "unit/codec/suites.h"

#include "base/cleanup.h"
#include "base/varint.h"
#include "codec/columns.h"
#include "codec/columns_format.h"
#include "codec/primitive.h"
#include "lib/suite.h"
#include "unit/codec/trees.h"

#include <stdio.h>
#include <stdlib.h>

enum { TEXT_LEN = 300 << 10 };

/* ---- a plain kernel ------------------------------------------------------ */

struct plain_column {
	unsigned type, width, size, n_words;
	bool delta;
	uint64_t last;
	struct span words[COLUMN_WORDS_MAX];
	struct span stream;
	size_t pos;
};

static uint64_t must_varint(struct reader *in)
{
	uint64_t v = 0;

	ck_ok(varint_get(in, &v));
	return v;
}

static uint64_t plain_number(struct plain_column *c)
{
	size_t n = c->stream.len / c->size;
	uint64_t v = 0;

	for (unsigned i = 0; i < c->size; i++)
		v |= (uint64_t)c->stream.ptr[c->pos + i * n] << 8 * i;
	c->pos++;
	if (!c->delta)
		return v;
	c->last += (uint64_t)unzigzag(v);
	return c->last;
}

static size_t plain_field(struct plain_column *c, uint8_t *dst)
{
	const uint8_t *p = c->stream.ptr + c->pos;
	size_t len = c->width;
	uint64_t v;

	switch (c->type) {
	case COLUMN_TEXT:
		for (len = 0; p[len] != '\n'; len++)
			dst[len] = p[len];
		c->pos += len + 1;
		return len;
	case COLUMN_FIXED:
		memcpy(dst, p, len);
		c->pos += len;
		return len;
	case COLUMN_WORD:
		v = c->n_words > 1 ? p[0] : 0;
		c->pos += c->n_words > 1;
		memcpy(dst, c->words[v].ptr, c->words[v].len);
		return c->words[v].len;
	case COLUMN_HEX:
		for (size_t i = 0; i < len; i++)
			for (unsigned half = 0; half < 2; half++)
				dst[2 * i + half] = (uint8_t) "0123456789abcdef"
					[half ? p[i] & 15 : p[i] >> 4];
		c->pos += len;
		return 2 * len;
	default:
		v = plain_number(c);
		for (size_t i = len; i > 0; i--, v /= 10)
			dst[i - 1] = (uint8_t)('0' + v % 10);
		return len;
	}
}

static void plain_type(struct plain_column *c, struct reader *in)
{
	uint8_t b;

	ck_ok(reader_u8(in, &b));
	c->type = b;
	if (b == COLUMN_FIXED || b == COLUMN_HEX || b == COLUMN_NUMBER)
		c->width = (unsigned)must_varint(in);
	if (b == COLUMN_NUMBER) {
		ck_ok(reader_u8(in, &b));
		c->delta = b & COLUMN_DELTA;
		c->size = b & 15;
	}
	if (b == COLUMN_WORD && c->type == COLUMN_WORD) {
		c->n_words = (unsigned)must_varint(in);
		for (unsigned i = 0; i < c->n_words; i++)
			ck_ok(reader_bytes(in, must_varint(in), &c->words[i]));
	}
}

/* What the input makes; returns its length. */
static size_t plain_undo(struct span input, uint8_t *dst)
{
	static struct plain_column columns[COLUMNS_MAX];
	struct span literals[COLUMNS_ENTRIES_MAX];
	uint64_t of_entry[COLUMNS_ENTRIES_MAX];
	uint64_t lens[COLUMNS_MAX];
	struct reader in = reader_of(input);
	struct span steps;
	size_t n, n_entries, i;
	size_t len = 0;

	memset(columns, 0, sizeof(columns));
	n = (size_t)must_varint(&in);
	for (i = 0; i < n; i++) {
		plain_type(&columns[i], &in);
		lens[i] = must_varint(&in);
	}
	n_entries = (size_t)must_varint(&in);
	for (i = 0; i < n_entries; i++) {
		of_entry[i] = must_varint(&in);
		ck_ok(reader_bytes(&in, must_varint(&in), &literals[i]));
	}
	ck_ok(reader_bytes(&in, must_varint(&in), &steps));
	for (i = 0; i < n; i++)
		ck_ok(reader_bytes(&in, lens[i], &columns[i].stream));
	for (i = 0; i < steps.len; i++) {
		struct span literal = literals[steps.ptr[i]];

		memcpy(dst + len, literal.ptr, literal.len);
		len += literal.len;
		len += plain_field(&columns[of_entry[steps.ptr[i]]], dst + len);
	}
	return len;
}

/* ---- texts --------------------------------------------------------------- */

typedef size_t line_maker(struct rng *r, unsigned i, char *dst, size_t cap);

static size_t log_line(struct rng *r, unsigned i, char *dst, size_t cap)
{
	static const char *const verbs[] = { "GET", "PUT", "HEAD" };

	return (size_t)snprintf(
		dst, cap,
		"10.%u.0.%u - - [01/Mar/2024:%02u:%02u:%02u +0000] \"%s "
		"/pool/%llx.deb\" %u %u\n",
		(unsigned)rng_below(r, 4), (unsigned)rng_below(r, 256),
		i / 3600 % 24, i / 60 % 60, i % 60, verbs[rng_below(r, 3)],
		(unsigned long long)rng_u64(r), rng_below(r, 9) ? 200 : 304,
		(unsigned)rng_below(r, 1000000));
}

static size_t csv_line(struct rng *r, unsigned i, char *dst, size_t cap)
{
	return (size_t)snprintf(
		dst, cap, "%u,\"a, %u\",,%016llx%016llx,%s,%lld%s", i,
		(unsigned)rng_below(r, 50), (unsigned long long)rng_u64(r),
		(unsigned long long)rng_u64(r),
		rng_below(r, 7) ? "main" : "contrib/net",
		(long long)rng_below(r, 5000) - 100, i % 2 ? "\r\n" : "\n");
}

static size_t key_line(struct rng *r, unsigned i, char *dst, size_t cap)
{
	return (size_t)snprintf(dst, cap,
				"Package: lib%llx\nSize: %u\nVersion: 1.%u-2\n"
				" more of it\n\n",
				(unsigned long long)rng_below(r, 100000),
				(unsigned)rng_below(r, 1000000), i % 100);
}

static size_t json_line(struct rng *r, unsigned i, char *dst, size_t cap)
{
	return (size_t)snprintf(
		dst, cap,
		"{\"ts\": \"2024-03-01T%02u:%02u:00.%03uZ\", \"n\": %u, "
		"\"list\": [\"a\", \"b\\\"c\"], \"ok\": %s, \"req\": "
		"\"%016llx\"}\n",
		i / 60 % 24, i % 60, (unsigned)rng_below(r, 1000),
		(unsigned)rng_below(r, 10), rng_below(r, 2) ? "true" : "null",
		(unsigned long long)rng_u64(r));
}

/* Of no form at all. */
static size_t wild_line(struct rng *r, unsigned i, char *dst, size_t cap)
{
	static const char chars[] = "ab0 19,;\":{}[]=\n\n\\\t:,\"";
	size_t n = (size_t)rng_below(r, cap < 90 ? cap : 90);

	for (size_t k = 0; k < n; k++)
		dst[k] = chars[rng_below(r, sizeof(chars) - 1)];
	(void)i;
	return n;
}

static const struct {
	enum columns_style style;
	line_maker *make;
} texts[] = {
	{ COLUMNS_WORDS, log_line },  { COLUMNS_CELLS, csv_line },
	{ COLUMNS_KEYS, key_line },   { COLUMNS_JSON, json_line },
	{ COLUMNS_WORDS, wild_line },
};

static void fill(line_maker *make, uint64_t seed, uint8_t *dst, size_t len)
{
	struct rng rng = rng_of(seed);
	char line[512];
	size_t pos, n;
	unsigned i;

	for (pos = 0, i = 0; pos < len; pos += n, i++) {
		n = make(&rng, i, line, sizeof(line));
		n = n < len - pos ? n : len - pos;
		memcpy(dst + pos, line, n);
	}
}

/* ---- checks -------------------------------------------------------------- */

struct kernel {
	struct decode_tools tools;
	uint8_t *input; /* with slack */
};

static int undo(struct kernel *k, struct span input, uint8_t *dst, size_t len)
{
	int rc;

	free(k->input);
	k->input = calloc(1, input.len + TRANSFORM_SLACK);
	ck_assert_ptr_nonnull(k->input);
	memcpy(k->input, input.ptr, input.len);
	rc = prim_columns_undo(&k->tools, span_of(NULL, 0),
			       span_of(k->input, input.len), dst, len);
	return rc;
}

static void kernel_init(struct kernel *k)
{
	*k = (struct kernel){ .input = NULL };
	k->tools.columns = malloc(prim_columns_work_len());
	ck_assert_ptr_nonnull(k->tools.columns);
}

static void kernel_release(struct kernel *k)
{
	free(k->tools.columns);
	free(k->input);
}

/* Memory of the very length, so that the tools see what goes beyond it. */
static uint8_t *scratch_for(size_t raw_len)
{
	uint8_t *scratch = malloc(columns_scratch_len(raw_len));

	ck_assert_ptr_nonnull(scratch);
	return scratch;
}

/* Returns whether the text has the form. */
static bool check_text(struct columns *c, struct kernel *k, struct span raw,
		       const struct columns_form *form)
{
	static uint8_t plain[TEXT_LEN];
	AUTO_FREE uint8_t *out = malloc(raw.len + 1);
	AUTO_FREE uint8_t *scratch = scratch_for(raw.len);
	static struct columns_view v;
	size_t sum = 0;
	size_t i;

	if (!columns_split(c, raw, form, scratch, &v))
		return false;
	ck_assert(v.spare >= scratch);
	ck_assert(v.spare + raw.len <= v.input.ptr);
	ck_assert(v.input.ptr + v.input.len <=
		  scratch + columns_scratch_len(raw.len));
	ck_assert_ptr_nonnull(out);
	for (i = 0; i < v.n_parts; i++)
		sum += v.parts[i].len;
	ck_assert_uint_eq(sum, v.input.len);
	ck_assert_uint_eq(plain_undo(v.input, plain), raw.len);
	ck_assert_mem_eq(plain, raw.ptr, raw.len);
	out[raw.len] = 0xa5;
	ck_ok(undo(k, v.input, out, raw.len));
	ck_assert_mem_eq(out, raw.ptr, raw.len);
	ck_assert_uint_eq(out[raw.len], 0xa5);
	ck_rc(undo(k, v.input, out, raw.len - 1), -EUCLEAN);
	return true;
}

START_TEST(texts_come_back)
{
	static const size_t lens[] = { 1,    2,    63,    64,          500,
				       1000, 4096, 40000, TEXT_LEN - 1 };
	static uint8_t raw[TEXT_LEN];
	struct columns *c = NULL;
	struct kernel k;
	size_t i, j, style;
	bool done;

	kernel_init(&k);
	ck_ok(columns_new(&c));
	for (i = 0; i < ARRAY_LEN(texts); i++)
		for (j = 0; j < ARRAY_LEN(lens); j++) {
			fill(texts[i].make, j, raw, lens[j]);
			for (style = COLUMNS_CELLS; style <= COLUMNS_JSON;
			     style++) {
				const struct columns_form form = {
					(enum columns_style)style, ','
				};

				done = check_text(c, &k, span_of(raw, lens[j]),
						  &form);
				/* In its own form every text is done. */
				if (texts[i].style == form.style &&
				    texts[i].make != wild_line)
					ck_assert(done);
			}
		}
	columns_free(c);
	columns_free(NULL);
	kernel_release(&k);
}
END_TEST

START_TEST(wild_texts_come_back)
{
	static uint8_t raw[3000];
	struct columns *c = NULL;
	struct rng rng = rng_of(3);
	struct kernel k;
	unsigned i;

	kernel_init(&k);
	ck_ok(columns_new(&c));
	for (i = 0; i < 4000; i++) {
		const struct columns_form form = {
			(enum columns_style)(COLUMNS_CELLS +
					     rng_below(&rng, 4)),
			",\"\n"[rng_below(&rng, 2)]
		};
		size_t len = 1 + (size_t)rng_below(&rng, sizeof(raw) - 1);

		if (rng_below(&rng, 4) == 0)
			rng_fill(&rng, raw, len);
		else
			fill(wild_line, rng_u64(&rng), raw, len);
		(void)check_text(c, &k, span_of(raw, len), &form);
	}
	columns_free(c);
	kernel_release(&k);
}
END_TEST

/* What was split before leaves no trace. */
START_TEST(splitter_has_no_memory)
{
	static uint8_t raw[50000];
	static struct columns_view a, b;
	AUTO_FREE uint8_t *scratch = scratch_for(sizeof(raw));
	AUTO_FREE uint8_t *other = NULL;
	struct columns *used = NULL;
	struct columns *fresh = NULL;
	size_t n_done = 0;
	size_t i;
	bool done;

	ck_ok(columns_new(&used));
	for (i = 0; i < 20; i++) {
		const struct columns_form form = {
			texts[i % ARRAY_LEN(texts)].style, ','
		};

		fill(texts[i % ARRAY_LEN(texts)].make, i, raw, sizeof(raw) - i);
		ck_ok(columns_new(&fresh));
		free(other);
		other = scratch_for(sizeof(raw) - i);
		done = columns_split(used, span_of(raw, sizeof(raw) - i), &form,
				     scratch, &a);
		ck_assert(done == columns_split(fresh,
						span_of(raw, sizeof(raw) - i),
						&form, other, &b));
		columns_free(fresh);
		if (!done)
			continue;
		n_done++;
		ck_assert_uint_eq(a.input.len, b.input.len);
		ck_assert_mem_eq(a.input.ptr, b.input.ptr, a.input.len);
	}
	ck_assert_uint_ge(n_done, 10);
	columns_free(used);
}
END_TEST

/* ---- an input by hand ---------------------------------------------------- */

/* Two entries, five columns; makes "<ab|cd:w1 0107 0f>x". */
static const uint8_t hand[] = {
	5, /* columns */
	COLUMN_TEXT,
	5, /* "ab", "x" */
	COLUMN_FIXED,
	2,
	2, /* "cd" */
	COLUMN_WORD,
	2,
	1,
	'v',
	2,
	'w',
	'1',
	1, /* w1 */
	COLUMN_NUMBER,
	4,
	1,
	1, /* 107 */
	COLUMN_HEX,
	1,
	1, /* 0f */
	6, /* entries */
	0,
	1,
	'<',
	1,
	1,
	'|',
	2,
	1,
	':',
	3,
	1,
	' ',
	4,
	1,
	' ',
	0,
	1,
	'>',
	6,
	0,
	1,
	2,
	3,
	4,
	5, /* steps */
	'a',
	'b',
	'\n',
	'x',
	'\n',
	'c',
	'd',
	1,
	107,
	0x0f,
};
static const char hand_text[] = "<ab|cd:w1 0107 0f>x";

START_TEST(hand_made_input)
{
	uint8_t out[64];
	struct kernel k;
	size_t len = strlen(hand_text);
	size_t i;

	kernel_init(&k);
	ck_ok(undo(&k, span_of(hand, sizeof(hand)), out, len));
	ck_assert_mem_eq(out, hand_text, len);
	for (i = 0; i < sizeof(hand); i++)
		ck_rc(undo(&k, span_of(hand, i), out, len), -EUCLEAN);
	for (i = 1; i < sizeof(out); i++)
		if (i != len)
			ck_rc(undo(&k, span_of(hand, sizeof(hand)), out, i),
			      -EUCLEAN);
	kernel_release(&k);
}
END_TEST

START_TEST(each_field_is_checked)
{
	static const struct {
		size_t at;
		uint8_t value;
	} breaks[] = {
		{ 0, 0 },    { 0, 4 },   { 0, 6 },     /* number of columns */
		{ 1, 5 },    { 1, 255 },               /* type */
		{ 2, 4 },    { 2, 6 },                 /* length of a stream */
		{ 4, 0 },    { 4, 65 },  { 4, 3 },     /* width */
		{ 7, 0 },    { 7, 3 },                 /* number of words */
		{ 8, 200 },                            /* length of a word */
		{ 15, 0 },   { 15, 19 }, { 15, 2 },    /* digits */
		{ 16, 0 },   { 16, 9 },  { 16, 0x80 }, /* size of a number */
		{ 19, 0 },   { 19, 65 },               /* width of hex */
		{ 21, 0 },   { 21, 5 },                /* number of entries */
		{ 22, 5 },                             /* column of an entry */
		{ 23, 100 },                           /* length of a literal */
		{ 40, 5 },   { 40, 7 },                /* number of steps */
		{ 46, 6 },                             /* a step */
		{ 54, 2 },                             /* a word */
	};
	uint8_t broken[sizeof(hand)];
	uint8_t out[64];
	struct kernel k;
	size_t i;

	kernel_init(&k);
	for (i = 0; i < ARRAY_LEN(breaks); i++) {
		memcpy(broken, hand, sizeof(hand));
		ck_assert_uint_ne(broken[breaks[i].at], breaks[i].value);
		broken[breaks[i].at] = breaks[i].value;
		ck_rc(undo(&k, span_of(broken, sizeof(broken)), out,
			   strlen(hand_text)),
		      -EUCLEAN);
	}
	kernel_release(&k);
}
END_TEST

/* Whatever is broken, nothing is written behind the end; the sanitizers watch
 * what is read. */
START_TEST(hostile_input_keeps_within_bounds)
{
	static uint8_t raw[6000];
	static struct columns_view v;
	AUTO_FREE uint8_t *out = malloc(sizeof(raw) + 1);
	AUTO_FREE uint8_t *broken = NULL;
	AUTO_FREE uint8_t *scratch = scratch_for(sizeof(raw));
	struct columns *c = NULL;
	struct rng rng = rng_of(9);
	struct kernel k;
	size_t i, n, text;

	kernel_init(&k);
	ck_ok(columns_new(&c));
	for (text = 0; text < 4; text++) {
		const struct columns_form form = { texts[text].style, ',' };

		fill(texts[text].make, text, raw, sizeof(raw));
		ck_assert(columns_split(c, span_of(raw, sizeof(raw)), &form,
					scratch, &v));
		free(broken);
		broken = malloc(v.input.len);
		ck_assert(out && broken);
		for (i = 0; i < 5000; i++) {
			memcpy(broken, v.input.ptr, v.input.len);
			for (n = 1 + rng_below(&rng, 4); n > 0; n--)
				broken[rng_below(&rng,
						 i % 2 ? v.input.len : 200)] =
					(uint8_t)rng_u64(&rng);
			out[sizeof(raw)] = 0xa5;
			(void)undo(&k, span_of(broken, v.input.len), out,
				   sizeof(raw));
			ck_assert_uint_eq(out[sizeof(raw)], 0xa5);
		}
	}
	columns_free(c);
	kernel_release(&k);
}
END_TEST

Suite *suite_columns(void)
{
	const TTest *const tests[] = {
		texts_come_back,        wild_texts_come_back,
		splitter_has_no_memory, hand_made_input,
		each_field_is_checked,  hostile_input_keeps_within_bounds,
	};

	return suite_of("columns", tests, ARRAY_LEN(tests), 60);
}
