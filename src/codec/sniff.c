/* SPDX-License-Identifier: MIT */
/*
 * sniff.c - signatures, then what samples of the bytes look like.
 *
 * Text is what has next to no control characters; its lines tell the rest.
 * Code is known by its calls, numbers by how often a byte is the one a record
 * before.
 */
#include "codec/sniff.h"

#include "codec/primitive.h"

enum {
	N_WINDOWS = 4,
	WINDOW_LEN = 128,
	CONTROLS_MAX_SHIFT = 6, /* of the bytes seen, 1/64 may be controls */
};

/* ---- signatures ---------------------------------------------------------- */

struct signature {
	const char *bytes;
	uint8_t len;
	uint16_t offset;
	enum content_class class;
};

/* clang-format off */
static const struct signature signatures[] = {
	{ "\x7f" "ELF\2\1\1",      7, 0, CONTENT_BINARY }, /* code is seen by itself */
	{ "\x1f\x8b\x08",          3, 0, CONTENT_PACKED }, /* gzip */
	{ "\x28\xb5\x2f\xfd",      4, 0, CONTENT_PACKED }, /* zstd */
	{ "\xfd" "7zXZ\0",         6, 0, CONTENT_PACKED },
	{ "BZh",                   3, 0, CONTENT_PACKED },
	{ "\x04\x22\x4d\x18",      4, 0, CONTENT_PACKED }, /* lz4 */
	{ "PK\3\4",                4, 0, CONTENT_PACKED }, /* zip, jar, docx */
	{ "7z\xbc\xaf\x27\x1c",    6, 0, CONTENT_PACKED },
	{ "Rar!\x1a\7",            6, 0, CONTENT_PACKED },
	{ "!<arch>\ndebian-binary", 21, 0, CONTENT_PACKED },
	{ "\xed\xab\xee\xdb",      4, 0, CONTENT_PACKED }, /* rpm */
	{ "hsqs",                  4, 0, CONTENT_PACKED }, /* squashfs */
	{ "PAR1",                  4, 0, CONTENT_PACKED }, /* parquet */
	{ "\x89PNG\r\n\x1a\n",     8, 0, CONTENT_PACKED },
	{ "\xff\xd8\xff",          3, 0, CONTENT_PACKED }, /* jpeg */
	{ "GIF8",                  4, 0, CONTENT_PACKED },
	{ "WEBPVP8",               7, 8, CONTENT_PACKED },
	{ "ftyp",                  4, 4, CONTENT_PACKED }, /* mp4, heif, avif */
	{ "\x1a\x45\xdf\xa3",      4, 0, CONTENT_PACKED }, /* matroska */
	{ "OggS",                  4, 0, CONTENT_PACKED },
	{ "fLaC",                  4, 0, CONTENT_PACKED },
	{ "ID3",                   3, 0, CONTENT_PACKED }, /* mp3 */
	{ "wOF2",                  4, 0, CONTENT_PACKED },
	{ "SQLite format 3\0",     16, 0, CONTENT_PAGES },
	{ "\x00\x06\x15\x61",      4, 0, CONTENT_PAGES },  /* berkeley db */
	{ "WAVEfmt ",              8, 8, CONTENT_MEDIA },
	{ "FORM",                  4, 0, CONTENT_MEDIA },  /* aiff */
	{ "P6\n",                  3, 0, CONTENT_MEDIA },
	{ "P5\n",                  3, 0, CONTENT_MEDIA },
	{ "II*\0",                 4, 0, CONTENT_MEDIA },  /* tiff */
	{ "MM\0*",                 4, 0, CONTENT_MEDIA },
	{ "SIMPLE  =",             9, 0, CONTENT_MEDIA },  /* fits */
};
/* clang-format on */

static const struct signature *find_signature(struct span bytes)
{
	const struct signature *s = signatures;

	for (; s < signatures + ARRAY_LEN(signatures); s++)
		if (bytes.len >= (size_t)s->offset + s->len &&
		    memcmp(bytes.ptr + s->offset, s->bytes, s->len) == 0)
			return s;
	return NULL;
}

/* ---- text or not --------------------------------------------------------- */

/* All but tab, newline, form feed, carriage return and escape. */
static const uint8_t controls[256] = {
	[0] = 1,    [1] = 1,    [2] = 1,    [3] = 1,    [4] = 1,    [5] = 1,
	[6] = 1,    [7] = 1,    [8] = 1,    [0x0b] = 1, [0x0e] = 1, [0x0f] = 1,
	[0x10] = 1, [0x11] = 1, [0x12] = 1, [0x13] = 1, [0x14] = 1, [0x15] = 1,
	[0x16] = 1, [0x17] = 1, [0x18] = 1, [0x19] = 1, [0x1a] = 1, [0x1c] = 1,
	[0x1d] = 1, [0x1e] = 1, [0x1f] = 1, [0x7f] = 1,
};

static size_t count_controls(const uint8_t *p, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += controls[p[i]];
	return n;
}

bool sniff_is_text(struct span bytes)
{
	size_t seen = bytes.len;
	size_t n = 0;

	if (bytes.len <= (size_t)N_WINDOWS * WINDOW_LEN) {
		n = count_controls(bytes.ptr, bytes.len);
	} else {
		size_t step = (bytes.len - WINDOW_LEN) / (N_WINDOWS - 1);

		seen = (size_t)N_WINDOWS * WINDOW_LEN;
		for (size_t i = 0; i < N_WINDOWS; i++)
			n += count_controls(bytes.ptr + i * step, WINDOW_LEN);
	}
	return n <= seen >> CONTROLS_MAX_SHIFT;
}

/* ---- lines --------------------------------------------------------------- */

enum {
	N_SAMPLES = 3,
	SAMPLE_MIN = 256,
	SAMPLE_MAX = 1024,
	SAMPLE_SHIFT = 6, /* a sample is 1/64 of the bytes, within these */
	N_TOKENS = 4,     /* that make the shape of a line */
	KEY_MAX = 40,
	PAIR_LEN = 200, /* JSON has a pair in so many bytes at least */
};

static const char delimiters[] = { '\t', ';', ',', '|' };

/* What was counted in the lines of the samples. */
struct lines {
	size_t len;
	size_t n;
	size_t n_keys;  /* `key: …` */
	size_t n_more;  /* begin with a blank */
	size_t n_tags;  /* begin with < */
	size_t n_code;  /* end like statements */
	size_t n_alike; /* of the shape of the line before, with a digit */
	size_t n_pairs; /* "…": */
	unsigned shape; /* of the last line */
	size_t n_cells[ARRAY_LEN(delimiters)]; /* of the last line */
	size_t n_even[ARRAY_LEN(delimiters)];  /* lines with as many as the
						* one before */
};

static bool is_letter(uint8_t c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool has_key(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *from = p;

	while (p < end && p - from < KEY_MAX &&
	       (is_letter(*p) || is_digit(*p) || *p == '-'))
		p++;
	return p > from && end - p > 1 && p[0] == ':' && p[1] == ' ';
}

/* Two bits for each of the first words: whether it is there, has a digit. */
static unsigned shape_of(const uint8_t *p, const uint8_t *end)
{
	unsigned shape = 0;
	unsigned i;

	for (i = 0; i < N_TOKENS; i++) {
		while (p < end && (*p == ' ' || *p == '\t'))
			p++;
		if (p == end)
			break;
		shape |= 1U << 2 * i;
		for (; p < end && *p != ' ' && *p != '\t'; p++)
			if (is_digit(*p))
				shape |= 2U << 2 * i;
	}
	return shape;
}

static void count_cells(struct lines *l, const uint8_t *p, const uint8_t *end)
{
	size_t n[ARRAY_LEN(delimiters)] = { 0 };
	size_t i;

	while (p < end && *p == '\t') /* code is indented */
		p++;
	for (; p < end; p++)
		for (i = 0; i < ARRAY_LEN(delimiters); i++)
			n[i] += *p == (uint8_t)delimiters[i];
	for (i = 0; i < ARRAY_LEN(delimiters); i++) {
		l->n_even[i] += n[i] > 1 && n[i] == l->n_cells[i];
		l->n_cells[i] = n[i];
	}
}

static void count_line(struct lines *l, const uint8_t *p, const uint8_t *end)
{
	unsigned shape;
	const uint8_t *q;

	if (end > p && end[-1] == '\r')
		end--;
	if (p == end)
		return;
	l->n++;
	l->n_keys += has_key(p, end);
	l->n_more += *p == ' ';
	shape = shape_of(p, end);
	l->n_alike += shape == l->shape && (shape & 0xaa) != 0 &&
		      (shape & 0x15) == 0x15;
	l->shape = shape;
	count_cells(l, p, end);
	l->n_code += end[-1] == ';' || end[-1] == '{' || end[-1] == '}' ||
		     end[-1] == ',' || end[-1] == ')' || end[-1] == ':';
	for (q = p; q < end && (*q == ' ' || *q == '\t'); q++)
		;
	l->n_tags += q < end && *q == '<';
}

static void count_pairs(struct lines *l, struct span sample)
{
	size_t i;

	for (i = 1; i < sample.len; i++)
		l->n_pairs += sample.ptr[i - 1] == '"' && sample.ptr[i] == ':';
}

static void count_sample(struct lines *l, struct span sample, bool from_start)
{
	const uint8_t *p = sample.ptr;
	const uint8_t *end = p + sample.len;
	const uint8_t *stop;

	if (sample.len == 0)
		return;
	l->len += sample.len;
	count_pairs(l, sample);
	if (!from_start) {
		p = memchr(p, '\n', sample.len);
		p = p ? p + 1 : end;
	}
	for (; p < end; p = stop + 1) {
		stop = memchr(p, '\n', (size_t)(end - p));
		if (!stop)
			break;
		count_line(l, p, stop);
	}
}

static void classify_text(struct span bytes, struct sniffed *ret)
{
	struct lines l = { .n = 0 };
	size_t len = bytes.len >> SAMPLE_SHIFT;
	size_t i, best = 0;

	len = len < SAMPLE_MIN   ? SAMPLE_MIN
	      : len > SAMPLE_MAX ? SAMPLE_MAX
				 : len;
	ret->class = CONTENT_TEXT;
	if (bytes.len < N_SAMPLES * len)
		count_sample(&l, bytes, true);
	else
		for (i = 0; i < N_SAMPLES; i++)
			count_sample(
				&l,
				span_of(bytes.ptr + (bytes.len - len) /
							    (N_SAMPLES - 1) * i,
					len),
				i == 0);
	for (i = 1; i < ARRAY_LEN(delimiters); i++)
		if (l.n_even[i] > l.n_even[best])
			best = i;
	if (l.n_pairs > 0 && l.n_pairs * PAIR_LEN >= l.len) {
		ret->class = CONTENT_JSON;
	} else if (l.n_tags * 2 >= l.n && l.n_tags > 0) {
		ret->class = CONTENT_MARKUP;
	} else if (l.n_even[best] * 5 >= l.n * 3 && l.n > 3) {
		ret->class = CONTENT_CELLS;
		ret->delimiter = (uint8_t)delimiters[best];
	} else if ((l.n_keys + l.n_more) * 5 >= l.n * 4 &&
		   l.n_keys * 3 >= l.n && l.n > 3) {
		ret->class = CONTENT_KEYS;
	} else if (l.n_alike * 2 >= l.n && l.n > 3) {
		ret->class = CONTENT_LOG;
	} else if (l.n_code * 5 >= l.n * 2 && l.n > 3) {
		ret->class = CONTENT_SOURCE;
	}
}

/* ---- code and numbers ---------------------------------------------------- */

enum {
	N_CODE_WINDOWS = 4,
	CODE_WINDOW_LEN = 256,
	CODE_LEN_MIN = 4096,
	X86_EACH = 160, /* code has an operand to move in so many bytes */
	ARM64_EACH = 128,
	NUMBER_SAMPLE = 1024,
	EQUAL_SHIFT = 4, /* a byte in 16 more than at other distances */
};

static struct span code_window(struct span bytes, size_t i)
{
	size_t step = (bytes.len - CODE_WINDOW_LEN) / (N_CODE_WINDOWS - 1);

	/* Instructions of AArch64 stay where they were, modulo four. */
	return span_of(bytes.ptr + (i * step & ~(size_t)3), CODE_WINDOW_LEN);
}

static bool is_code(struct span bytes, struct sniffed *ret)
{
	size_t n_arm64[PRIM_ARM64_PHASES] = { 0 };
	size_t n_x86 = 0;
	size_t best = 0;
	size_t i;

	for (i = 0; i < N_CODE_WINDOWS; i++) {
		n_x86 += prim_x86_count(code_window(bytes, i));
		prim_arm64_count(code_window(bytes, i), n_arm64);
	}
	if (n_x86 * X86_EACH >= (size_t)N_CODE_WINDOWS * CODE_WINDOW_LEN) {
		ret->class = CONTENT_X86;
		return true;
	}
	for (i = 1; i < PRIM_ARM64_PHASES; i++)
		if (n_arm64[i] > n_arm64[best])
			best = i;
	if (n_arm64[best] * ARM64_EACH <
	    (size_t)N_CODE_WINDOWS * CODE_WINDOW_LEN)
		return false;
	ret->class = CONTENT_ARM64;
	ret->phase = (uint8_t)best;
	return true;
}

typedef uint8_t bytes16 __attribute__((vector_size(16)));

/* How many bytes of the sample are what they were `width` bytes before. */
static unsigned count_equal(const uint8_t *p, size_t width)
{
	bytes16 n = { 0 };
	bytes16 a, b;
	unsigned sum = 0;
	size_t i;

	/* At most NUMBER_SAMPLE / 16 for each of the counters. */
	for (i = 0; i < NUMBER_SAMPLE; i += sizeof(a)) {
		memcpy(&a, p + i, sizeof(a));
		memcpy(&b, p + i - width, sizeof(b));
		n -= (bytes16)(a == b);
	}
	for (i = 0; i < sizeof(n); i++)
		sum += n[i];
	return sum;
}

/* Records: more bytes are what they were a record before than at the other
 * distances. Zeros alone say nothing: they are equal everywhere. */
static bool is_records(struct span bytes, struct sniffed *ret)
{
	static const uint8_t widths[] = { 1,  2,  3,  4,  6,  8,  10, 12, 14,
					  16, 20, 24, 28, 32, 40, 48, 56, 64 };
	const uint8_t *p = bytes.ptr + (bytes.len - NUMBER_SAMPLE) / 2;
	unsigned n[ARRAY_LEN(widths)];
	unsigned sum = 0;
	size_t i, best = 0;

	for (i = 0; i < ARRAY_LEN(widths); i++) {
		n[i] = count_equal(p, widths[i]);
		sum += n[i];
		/* A multiple of a width is as good, but not better. */
		if (n[i] > n[best] + n[best] / 16)
			best = i;
	}
	if (n[best] < sum / ARRAY_LEN(widths) + (NUMBER_SAMPLE >> EQUAL_SHIFT))
		return false;
	ret->class = CONTENT_NUMBERS;
	ret->width = widths[best];
	return true;
}

void sniff(struct span bytes, struct sniffed *ret)
{
	const struct signature *s = find_signature(bytes);

	*ret = (struct sniffed){ .class = CONTENT_BINARY };
	if (s && s->class != CONTENT_BINARY) {
		ret->class = s->class;
	} else if (!s && sniff_is_text(bytes)) {
		classify_text(bytes, ret);
	} else if (bytes.len >= CODE_LEN_MIN && !is_code(bytes, ret)) {
		(void)is_records(bytes, ret);
	}
}

enum content_class sniff_class(struct span bytes)
{
	struct sniffed s;

	sniff(bytes, &s);
	return s.class;
}

const char *content_name(enum content_class class)
{
	static const char *const names[CONTENT_N_CLASSES] = {
		[CONTENT_BINARY] = "binary",   [CONTENT_PACKED] = "packed",
		[CONTENT_X86] = "x86",         [CONTENT_ARM64] = "arm64",
		[CONTENT_PAGES] = "pages",     [CONTENT_MEDIA] = "media",
		[CONTENT_NUMBERS] = "numbers", [CONTENT_TEXT] = "text",
		[CONTENT_SOURCE] = "source",   [CONTENT_MARKUP] = "markup",
		[CONTENT_JSON] = "json",       [CONTENT_CELLS] = "cells",
		[CONTENT_KEYS] = "keys",       [CONTENT_LOG] = "log",
	};

	return names[class];
}
