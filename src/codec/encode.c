/* SPDX-License-Identifier: MIT */
/*
 * encode.c - a frame is filled, stored, or what its class's plan makes of it.
 *
 * Happy path: no pattern is found (a look at the first bytes), the sniffer
 * names a class, and the plan of effort and class says which transform to try
 * and which codec. A transform that beats the plain bytes by far on a sample is
 * taken at once, one that does not at all is not tried; else the plain bytes are
 * encoded as well, and it must gain 1/50. Nothing gets more room than a result that
 * pays may take, so hopeless data ends early.
 *
 * Frames are not cut by content: those whose 32 KiB pieces the probe tells
 * apart, cut and encoded by piece, grew by 1 to 4 % against one zstd frame
 * (package documentation, compressed files, both interleaved), and the better
 * of both gained 0.05 %; zstd leaves hopeless blocks as they are by itself.
 */
#include "codec/encode.h"

#include "base/varint.h"
#include "codec/glyph.h"
#include "codec/primitive.h"
#include "codec/probe.h"
#include "codec/sniff.h"
#include "codec/transform.h"

#include <assert.h>
#include <stdlib.h>

enum {
	SAVES_SHIFT = 6,  /* a result must save more than 1/64 */
	RAW_LEN_MIN = 16, /* below, no codec is asked */
	GAIN = 50,        /* a transform must gain 1/50 */
};

struct encoder {
	struct ZSTD_CCtx_s *zstd;        /* owned */
	void *lz4;                       /* owned, prim_lz4_state_len() bytes */
	struct transformer *transformer; /* owned */
};

/*
 * The probe pays at zstd 9 only. On compressed files (png, gz, xz, zip), in
 * frames of 128 KiB, it more than doubles the speed (181 to 386 MB/s) and loses
 * 0.4 % of the raw bytes, with zstd 3 as the second try; elsewhere it changes
 * nothing. To skip zstd 1 or 3 on its word would lose 0.5 % and gain no speed
 * (zstd 1) or a fifth (zstd 3).
 */
struct plan {
	enum { CODEC_NONE, CODEC_LZ4, CODEC_ZSTD } codec;
	int level;
	int level_hopeless; /* what the probe calls incompressible; 0: no probe */
	bool transforms;
	int level_transform; /* of zstd in them; 0: what the trial says */
};

static const struct plan plans[] = {
	[EFFORT_STORE] = { CODEC_NONE, 0, 0, false, 0 },
	[EFFORT_FASTEST] = { CODEC_LZ4, 0, 0, false, 0 },
	[EFFORT_FAST] = { CODEC_ZSTD, 1, 0, false, 0 },
	[EFFORT_BALANCED] = { CODEC_ZSTD, 4, 0, true, 0 },
	[EFFORT_SMALL] = { CODEC_ZSTD, 9, 3, true, 9 },
};

/* The transform that a class is tried with. */
struct trial {
	enum encode_step step;
	int level; /* EFFORT_BALANCED */
	transform_make *make;
};

static const struct trial trials[CONTENT_N_CLASSES] = {
	[CONTENT_X86] = { STEP_CODE, 5, transform_code },
	[CONTENT_ARM64] = { STEP_CODE, 5, transform_code },
	[CONTENT_NUMBERS] = { STEP_NUMBERS, 4, transform_numbers },
	[CONTENT_JSON] = { STEP_COLUMNS, 5, transform_columns },
	[CONTENT_CELLS] = { STEP_COLUMNS, 5, transform_columns },
	[CONTENT_KEYS] = { STEP_COLUMNS, 5, transform_columns },
	[CONTENT_LOG] = { STEP_COLUMNS, 5, transform_columns },
};

static const char *const effort_names[] = {
	[EFFORT_STORE] = "off",   [EFFORT_FASTEST] = "fastest",
	[EFFORT_FAST] = "fast",   [EFFORT_BALANCED] = "balanced",
	[EFFORT_SMALL] = "small",
};

const char *encode_effort_name(enum encode_effort effort)
{
	return effort_names[effort];
}

int encode_effort_parse(struct span word, enum encode_effort *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(effort_names); i++) {
		if (word.len == strlen(effort_names[i]) &&
		    memcmp(word.ptr, effort_names[i], word.len) == 0) {
			*ret = (enum encode_effort)i;
			return 0;
		}
	}
	return -EINVAL;
}

int encoder_new(struct encoder **ret)
{
	struct encoder *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->zstd = prim_zstd_cctx_new();
	e->lz4 = malloc(prim_lz4_state_len());
	if (!e->zstd || !e->lz4 ||
	    transformer_new(e->zstd, &e->transformer) < 0) {
		encoder_free(e);
		return -ENOMEM;
	}
	*ret = e;
	return 0;
}

void encoder_free(struct encoder *e)
{
	if (!e)
		return;
	transformer_free(e->transformer);
	prim_zstd_cctx_free(e->zstd);
	free(e->lz4);
	free(e);
}

size_t encoder_memory(enum encode_effort effort, size_t raw_len)
{
	const struct plan *plan = &plans[effort];
	size_t len = sizeof(struct encoder) + prim_lz4_state_len();
	size_t zstd_len = 0;
	size_t i;

	if (plan->codec == CODEC_ZSTD)
		zstd_len = prim_zstd_cctx_len(plan->level, raw_len);
	if (!plan->transforms)
		return len + zstd_len;
	for (i = 0; i < CONTENT_N_CLASSES; i++) {
		int level = plan->level_transform ? plan->level_transform
						  : trials[i].level;

		if (trials[i].make)
			zstd_len = (size_t)max_u64(
				zstd_len, prim_zstd_cctx_len(level, raw_len));
	}
	return len + zstd_len + transformer_memory(raw_len);
}

size_t encode_bound(size_t raw_len)
{
	return raw_len + GLYPH_HEADER_MAX;
}

static size_t put_leaf(uint8_t *dst, enum primitive_id id, struct span payload)
{
	size_t n = glyph_put(dst, primitive_find(id)->type, id, payload.len);

	/* The payload may lie in `dst` already, a few bytes off its place. */
	memmove(dst + n, payload.ptr, payload.len);
	return n + payload.len;
}

/* Length of the payload at `dst` (room for `cap`), 0: it does not fit. */
static ssize_t run_codec(struct encoder *e, const struct plan *plan,
			 struct span raw, uint8_t *dst, size_t cap)
{
	int level = plan->level;

	if (plan->codec == CODEC_NONE || raw.len < RAW_LEN_MIN)
		return 0;
	if (plan->codec == CODEC_LZ4)
		return (ssize_t)prim_lz4_encode(e->lz4, raw, dst, cap);
	if (plan->level_hopeless != 0 && probe_incompressible(raw, e->lz4))
		level = plan->level_hopeless;
	return prim_zstd_encode(e->zstd, level, raw, dst, cap);
}

/* The tree of the plain bytes, at most `limit` bytes of payload, else stored.
 */
static ssize_t put_plain(struct encoder *e, const struct plan *plan,
			 struct span raw, size_t limit, uint8_t *dst)
{
	uint8_t *body = dst + 1 + varint_len(limit);
	ssize_t n = run_codec(e, plan, raw, body, limit);

	if (n < 0)
		return n;
	if (n == 0)
		return (ssize_t)put_leaf(dst, PRIM_STORE, raw);
	return (ssize_t)put_leaf(
		dst, plan->codec == CODEC_LZ4 ? PRIM_LZ4 : PRIM_ZSTD,
		span_of(body, (size_t)n));
}

/* The class's trial under the plan; NULL: none. */
static const struct trial *find_trial(const struct encode_request *request,
				      const struct plan *plan, struct span raw,
				      struct sniffed *sniffed)
{
	if (!plan->transforms ||
	    (request->classified && !trials[request->class].make))
		return NULL;
	sniff(raw, sniffed);
	if (request->without & trials[sniffed->class].step)
		return NULL;
	return trials[sniffed->class].make ? &trials[sniffed->class] : NULL;
}

ssize_t encode_frame(struct encoder *e, const struct encode_request *request,
		     struct span raw, uint8_t *dst)
{
	struct plan plan = plans[request->effort];
	size_t pattern_len = prim_fill_find(raw);
	size_t limit = raw.len - (raw.len >> SAVES_SHIFT) - 1;
	struct sniffed sniffed;
	const struct trial *trial;
	struct transform_tree rival = { .sure = false };
	ssize_t rival_len = 0;
	ssize_t n;

	if (request->level != 0) {
		plan.level = request->level;
		plan.level_transform = plan.level;
	}
	assert(raw.len > 0 && raw.len <= GLYPH_OUTPUT_MAX);
	if (pattern_len > 0)
		return (ssize_t)put_leaf(dst, PRIM_FILL,
					 span_of(raw.ptr, pattern_len));
	trial = find_trial(request, &plan, raw, &sniffed);
	if (trial) {
		const struct transform_request wanted = {
			.raw = raw,
			.sniffed = &sniffed,
			.level = plan.level_transform ? plan.level_transform
						      : trial->level,
			.thorough = plan.level_transform != 0,
		};

		rival_len = trial->make(e->transformer, &wanted, limit, &rival);
	}
	if (rival_len < 0)
		return rival_len;
	if (rival_len > 0 && rival.sure) {
		memcpy(dst, rival.bytes, (size_t)rival_len);
		return rival_len;
	}
	n = put_plain(e, &plan, raw, limit, dst);
	if (n < 0 || rival_len == 0 || rival_len > n - n / GAIN)
		return n;
	memcpy(dst, rival.bytes, (size_t)rival_len);
	return rival_len;
}

enum encode_kind encode_kind_of(struct span glyphs)
{
	static const enum encode_kind kinds[] = {
		[PRIM_STORE] = ENCODE_STORE,
		[PRIM_FILL] = ENCODE_FILL,
		[PRIM_LZ4] = ENCODE_LZ4,
		[PRIM_ZSTD] = ENCODE_ZSTD,
		[PRIM_CONCAT] = ENCODE_MIXED,
		[PRIM_ZSTD_DELTA] = ENCODE_DELTA,
		[PRIM_ZSTD_CODEBOOK] = ENCODE_CODEBOOK,
		[PRIM_COLUMNS] = ENCODE_COLUMNS,
		[PRIM_DELTA8] = ENCODE_NUMBERS,
		[PRIM_DELTA16] = ENCODE_NUMBERS,
		[PRIM_DELTA32] = ENCODE_NUMBERS,
		[PRIM_DELTA64] = ENCODE_NUMBERS,
		[PRIM_TRANSPOSE] = ENCODE_NUMBERS,
		[PRIM_X86] = ENCODE_CODE,
		[PRIM_ARM64] = ENCODE_CODE,
	};
	struct reader in = reader_of(glyphs);
	struct glyph g;

	if (glyph_get(&in, &g) < 0 || !primitive_find(g.primitive))
		return ENCODE_STORE;
	/* A frame with a delta in it has nothing else. */
	if (g.type == GLYPH_COMPOSITE && g.primitive == PRIM_CONCAT &&
	    reader_left(&in) > 0 && *in.pos >> GLYPH_TYPE_SHIFT == GLYPH_DELTA)
		return ENCODE_DELTA;
	return kinds[g.primitive];
}

/* A base does most of the work: what a slower level would find, it has. */
static int delta_level(enum encode_effort effort)
{
	return effort == EFFORT_SMALL ? 9 : effort == EFFORT_BALANCED ? 3 : 1;
}

ssize_t encode_delta(struct encoder *e, const struct encode_base *base,
		     struct span raw, uint8_t *dst, size_t cap)
{
	const struct zstd_delta delta = {
		.level = delta_level(base->effort),
		.base_id = base->chunk,
		.base = base->bytes,
	};
	size_t head_len = 1 + varint_len(cap);
	ssize_t n;

	assert(raw.len > 0 && raw.len <= GLYPH_OUTPUT_MAX && base->chunk != 0);
	if (cap <= head_len)
		return 0;
	n = prim_zstd_delta_encode(e->zstd, &delta, raw, dst + head_len,
				   cap - head_len);
	if (n <= 0)
		return n;
	return (ssize_t)put_leaf(dst, PRIM_ZSTD_DELTA,
				 span_of(dst + head_len, (size_t)n));
}

int encode_codebook_level(const struct encode_request *request)
{
	if (request->level != 0)
		return request->level;
	return plans[request->effort].level;
}

ssize_t encode_codebook(struct encoder *e, const struct encode_book *with,
			struct span raw, uint8_t *dst, size_t cap)
{
	const struct zstd_codebook by = {
		.level = with->level,
		.book = with->codebook,
	};
	size_t head_len = 1 + varint_len(cap);
	ssize_t n;

	assert(raw.len > 0 && raw.len <= GLYPH_OUTPUT_MAX);
	if (cap <= head_len)
		return 0;
	n = prim_zstd_codebook_encode(e->zstd, &by, raw, dst + head_len,
				      cap - head_len);
	if (n <= 0)
		return n;
	return (ssize_t)put_leaf(dst, PRIM_ZSTD_CODEBOOK,
				 span_of(dst + head_len, (size_t)n));
}

/* Up to four bytes for each length: GLYPH_OUTPUT_MAX takes 23 bits. */
size_t encode_concat_bound(size_t n)
{
	return GLYPH_HEADER_MAX + VARINT_MAX + 4 * n;
}

size_t encode_concat(const uint32_t *lens, size_t n, uint8_t *dst)
{
	size_t payload_len = varint_len(n);
	size_t len;
	size_t i;

	assert(n >= 2 && n < GLYPH_NODES_MAX);
	for (i = 0; i < n; i++)
		payload_len += varint_len(lens[i]);
	len = glyph_put(dst, GLYPH_COMPOSITE, PRIM_CONCAT, payload_len);
	len += varint_put(dst + len, n);
	for (i = 0; i < n; i++)
		len += varint_put(dst + len, lens[i]);
	return len;
}
