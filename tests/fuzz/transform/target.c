/* SPDX-License-Identifier: MIT */
/*
 * target.c - fuzzes the transforms alone: their input is stored, so that every
 * byte of it is in reach, which behind zstd it hardly is.
 *
 * Input: a byte for the mode and two more, a and b, then for
 *     an even mode: the parameters of transform mode / 2, a of them, at most 20,
 *                   and its input, to be undone; columns make b * 16 + 1 bytes,
 *                   the others as many as there are
 *     an odd mode:  bytes that kernel mode / 2 transforms, as a and b say, and
 *                   that must come back
 */
#include "fuzz/codec.h"
#include "fuzz/fuzz.h"

#include "base/bytes.h"
#include "base/varint.h"
#include "codec/columns.h"
#include "codec/glyph.h"
#include "codec/primitive.h"

enum {
	HEAD_LEN = 3,
	PARAMS_MAX = 20,
	PAYLOAD_MAX = 2 * VARINT_MAX + PARAMS_MAX,
	SAMPLE_LEN = 2000,
};

static const enum primitive_id transforms[] = {
	PRIM_COLUMNS, PRIM_DELTA8,    PRIM_DELTA16, PRIM_DELTA32,
	PRIM_DELTA64, PRIM_TRANSPOSE, PRIM_X86,     PRIM_ARM64,
};

/* The first byte of the input, after it the parameters, after them the rest. */
struct job {
	unsigned a;
	unsigned b;
	struct span bytes;
};

/* One transform of stored bytes. The caller frees the tree. */
static struct span make_tree(enum primitive_id id, struct span params,
			     struct span input)
{
	uint8_t *tree = malloc(2 * GLYPH_HEADER_MAX + PAYLOAD_MAX + input.len);
	uint8_t payload[PAYLOAD_MAX];
	size_t len = 0;
	size_t n;

	must(params.len <= PARAMS_MAX);
	if (!tree)
		abort();
	if (id == PRIM_COLUMNS) {
		len = varint_put(payload, 1);
		len += varint_put(payload + len, input.len);
	}
	if (params.len > 0)
		memcpy(payload + len, params.ptr, params.len);
	len += params.len;
	if (len > 0)
		n = glyph_put(tree, GLYPH_COMPOSITE, id, len);
	else
		n = glyph_put_bare(tree, GLYPH_COMPOSITE, id);
	memcpy(tree + n, payload, len);
	n += len;
	n += glyph_put(tree + n, GLYPH_PRIMITIVE, PRIM_STORE, input.len);
	memcpy(tree + n, input.ptr, input.len);
	return span_of(tree, n + input.len);
}

/* ---- hostile input ------------------------------------------------------- */

static void check_undo(enum primitive_id id, const struct job *job)
{
	size_t n = (size_t)min_u64(job->a, PARAMS_MAX);
	struct span tree;

	if (job->bytes.len <= n)
		return;
	tree = make_tree(id, span_of(job->bytes.ptr, n),
			 span_of(job->bytes.ptr + n, job->bytes.len - n));
	free(fuzz_decode(tree, NULL,
			 id == PRIM_COLUMNS ? job->b * 16 + 1
					    : job->bytes.len - n));
	free((void *)(uintptr_t)tree.ptr);
}

/* ---- round trips --------------------------------------------------------- */

static void check_back(enum primitive_id id, struct span params,
		       struct span input, struct span raw)
{
	struct span tree = make_tree(id, params, input);
	uint8_t *out = fuzz_decode(tree, NULL, raw.len);

	must(out && memcmp(out, raw.ptr, raw.len) == 0);
	free(out);
	free((void *)(uintptr_t)tree.ptr);
}

static void check_columns(enum columns_style style, const struct job *job)
{
	const struct columns_form form = { style, (uint8_t)job->a };
	uint8_t *scratch = malloc(columns_scratch_len(job->bytes.len));
	static struct columns_view view;
	static struct columns *columns;

	must(scratch && (columns || columns_new(&columns) == 0));
	if (columns_split(columns, job->bytes, &form, scratch, &view))
		check_back(PRIM_COLUMNS, span_of(NULL, 0), view.input,
			   job->bytes);
	free(scratch);
}

static void check_delta(const struct job *job, uint8_t *copy)
{
	unsigned size = 1U << job->a % 4;
	unsigned skip = job->a / 4 % size;
	uint8_t params[2 * VARINT_MAX];
	size_t len = varint_put(params, job->b + 1);

	len += varint_put(params + len, skip);
	if (skip < job->bytes.len)
		prim_delta_do(8 * size, job->b + 1, copy + skip,
			      job->bytes.len - skip);
	check_back(transforms[1 + job->a % 4], span_of(params, len),
		   span_of(copy, job->bytes.len), job->bytes);
}

static void check_transpose(const struct job *job, uint8_t *copy)
{
	unsigned width = 2 + (job->b << 8 | job->a) % (TRANSPOSE_WIDTH_MAX - 1);
	uint8_t params[VARINT_MAX];

	prim_transpose_do(width, job->bytes, copy);
	check_back(PRIM_TRANSPOSE, span_of(params, varint_put(params, width)),
		   span_of(copy, job->bytes.len), job->bytes);
}

static void check_code(enum primitive_id id, const struct job *job,
		       uint8_t *copy)
{
	const uint8_t phase = (uint8_t)(job->a % PRIM_ARM64_PHASES);

	if (id == PRIM_X86)
		prim_x86_do(copy, job->bytes.len);
	else
		prim_arm64_do(phase, copy, job->bytes.len);
	check_back(id, span_of(&phase, id == PRIM_ARM64),
		   span_of(copy, job->bytes.len), job->bytes);
}

static void check_kernel(unsigned kernel, const struct job *job)
{
	static const enum columns_style styles[] = {
		COLUMNS_CELLS, COLUMNS_WORDS, COLUMNS_KEYS, COLUMNS_JSON
	};
	uint8_t *copy;

	if (kernel < ARRAY_LEN(styles)) {
		check_columns(styles[kernel], job);
		return;
	}
	copy = malloc(job->bytes.len);
	must(copy);
	memcpy(copy, job->bytes.ptr, job->bytes.len);
	switch (kernel - ARRAY_LEN(styles)) {
	case 0:
		check_delta(job, copy);
		break;
	case 1:
		check_transpose(job, copy);
		break;
	case 2:
		check_code(PRIM_X86, job, copy);
		break;
	default:
		check_code(PRIM_ARM64, job, copy);
		break;
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct job job;

	if (size <= HEAD_LEN)
		return 0;
	job = (struct job){ data[1], data[2],
			    span_of(data + HEAD_LEN, size - HEAD_LEN) };
	if (data[0] % 2 == 0)
		check_undo(transforms[data[0] / 2 % ARRAY_LEN(transforms)],
			   &job);
	else
		check_kernel(data[0] / 2 % ARRAY_LEN(transforms), &job);
	return 0;
}

/* ---- seeds --------------------------------------------------------------- */

/* Lines of each style, then code and numbers: '#' is a digit, '$' one of a
 * hexadecimal number, '*' a letter or none, '?' a byte. */
static void sample(unsigned kernel, uint8_t *dst)
{
	static const char *const forms[] = {
		"#,000#,$$$$$$$$$$$$$$$$,word**,,12:##\n",
		"2024-03-01 10:##:00 h# [0###] $$$$$$$$$$$$$$$$: word **\n",
		"Name: n**\nSize: 0##\nHash: $$$$$$$$$$$$$$$$\nKind: k*\n #\n",
		"{\"id\":#,\"n\":##,\"h\":\"$$$$$$$$$$$$$$$$\",\"k\":[*#,**]}\n",
		"\x90\xe8??\1\1\x8b\5??\1\1*",
		"????\1\2\3\4",
		"\xe8??\1\1\x90*",
		"??\1\x94\x90??\xb0",
	};
	const char *form = forms[kernel];
	uint32_t state = 1;
	size_t pos = 0;

	for (; pos < SAMPLE_LEN; form = form[1] ? form + 1 : forms[kernel]) {
		unsigned chance;

		state = state * 1664525 + 1013904223;
		chance = state >> 24;
		if (*form == '#')
			dst[pos++] = (uint8_t)('0' + chance % 10);
		else if (*form == '$')
			dst[pos++] = (uint8_t) "0123456789abcdef"[chance % 16];
		else if (*form == '?')
			dst[pos++] = (uint8_t)chance;
		else if (*form != '*')
			dst[pos++] = (uint8_t)*form;
		else if (chance % 2)
			dst[pos++] = (uint8_t)('a' + chance % 3);
	}
}

/* What columns are undone from. */
static int put_columns_seed(unsigned kernel, uint8_t *buf, size_t cap)
{
	static const enum columns_style styles[] = {
		COLUMNS_CELLS, COLUMNS_WORDS, COLUMNS_KEYS, COLUMNS_JSON
	};
	const struct columns_form form = { styles[kernel], ',' };
	uint8_t *scratch = malloc(columns_scratch_len(SAMPLE_LEN));
	struct columns *columns = NULL;
	static struct columns_view view;
	static uint8_t raw[SAMPLE_LEN];
	size_t len;

	must(scratch && columns_new(&columns) == 0);
	sample(kernel, raw);
	/* As long as the mode can say. */
	buf[2] = SAMPLE_LEN / 16 - 1;
	len = buf[2] * 16U + 1;
	must(columns_split(columns, span_of(raw, len), &form, scratch, &view));
	must(view.input.len <= cap - HEAD_LEN);
	memcpy(buf + HEAD_LEN, view.input.ptr, view.input.len);
	len = HEAD_LEN + view.input.len;
	columns_free(columns);
	free(scratch);
	return (int)len;
}

/* Seeds: round trips by each kernel, the transforms of four texts, each other
 * transform of bytes. */
int fuzz_seed(unsigned i, uint8_t *buf, size_t cap)
{
	const unsigned n = ARRAY_LEN(transforms);

	must(cap >= FUZZ_SEED_MAX);
	memset(buf, 0, HEAD_LEN);
	if (i < n) {
		buf[0] = (uint8_t)(2 * i + 1);
		buf[1] = i == 0 ? ',' : 2;
		buf[2] = 3;
		sample(i, buf + HEAD_LEN);
		return HEAD_LEN + SAMPLE_LEN;
	}
	i -= n;
	if (i < 4)
		return put_columns_seed(i, buf, cap);
	i -= 3;
	if (i >= n)
		return -1;
	buf[0] = (uint8_t)(2 * i);
	/* A lag and no bytes to skip; a width; nothing; a phase. */
	buf[1] =
		transforms[i] == PRIM_X86 ? 0
		: transforms[i] == PRIM_TRANSPOSE || transforms[i] == PRIM_ARM64
			? 1
			: 2;
	buf[HEAD_LEN] = 3;
	buf[HEAD_LEN + 1] = 0;
	sample(5, buf + HEAD_LEN + buf[1]);
	return HEAD_LEN + buf[1] + SAMPLE_LEN;
}
