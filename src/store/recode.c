/* SPDX-License-Identifier: MIT */
/*
 * recode.c - with the class's transform, with a codebook, with neither.
 *
 * The time that decoding takes is measured on what has just been encoded, in
 * CPU time, the best of a few runs: a machine that is busy must not change what
 * becomes of the data.
 */
#include "store/recode.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "codec/codebook.h"
#include "codec/decode.h"
#include "codec/glyph_format.h"

#include <stdlib.h>

#define NS_PER_S UINT64_C(1000000000)

enum {
	N_RUNS = 4, /* of the decoder, at most */
	/* Decoding with a codebook takes longer. */
	SAVES_PERCENT = 1,
	N_WAYS = 3,
	/* Which of two codebooks suits is told by the beginning of a frame. */
	TASTE_LEN = 128 << 10,
	TASTE_LEVEL = 3,
};

struct recoder {
	struct encoder *encoder;
	struct decoder *decoder;
	struct buffer ways[N_WAYS]; /* glyphs; empty: not tried, or no use */
	struct buffer raw;          /* decoded */
};

enum way { WAY_CODEBOOK, WAY_CLASS, WAY_PLAIN };

int recoder_new(struct recoder **ret)
{
	struct recoder *r = calloc(1, sizeof(*r));
	size_t i;
	int rc;

	if (!r)
		return -ENOMEM;
	for (i = 0; i < N_WAYS; i++)
		buffer_init(&r->ways[i], encode_bound(GLYPH_OUTPUT_MAX));
	buffer_init(&r->raw, GLYPH_OUTPUT_MAX);
	rc = encoder_new(&r->encoder);
	if (rc == 0)
		rc = decoder_new(&r->decoder);
	if (rc < 0)
		recoder_free(r);
	else
		*ret = r;
	return rc;
}

void recoder_free(struct recoder *r)
{
	size_t i;

	if (!r)
		return;
	for (i = 0; i < N_WAYS; i++)
		buffer_release(&r->ways[i]);
	buffer_release(&r->raw);
	encoder_free(r->encoder);
	decoder_free(r->decoder);
	free(r);
}

/* ---- encoding ------------------------------------------------------------- */

/* To encode takes up to half a second each time. */
static int go_on(const struct recode_request *request)
{
	return request->stop && atomic_load(request->stop) ? -ECANCELED : 0;
}

static int encode_way(struct recoder *r, const struct recode_request *request,
		      enum way way)
{
	const struct encode_request how = {
		.effort = EFFORT_SMALL,
		.level = RECODE_LEVEL,
		.classified = true,
		.class = request->class,
		.without = way == WAY_PLAIN
				   ? STEP_COLUMNS | STEP_CODE | STEP_NUMBERS
				   : 0,
	};
	struct buffer *b = &r->ways[way];
	ssize_t n;
	int rc = go_on(request);

	buffer_clear(b);
	if (rc == 0)
		rc = buffer_reserve(b, encode_bound(request->raw.len));
	if (rc < 0)
		return rc;
	n = encode_frame(r->encoder, &how, request->raw, b->data);
	b->len = n > 0 ? (size_t)n : 0;
	return n < 0 ? (int)n : 0;
}

/* Of the beginning with a codebook, or what it is without. */
static ssize_t taste(struct recoder *r, struct span raw, struct codebook *b)
{
	const struct encode_book with = { TASTE_LEVEL, b };
	struct buffer *room = &r->ways[WAY_CODEBOOK];
	ssize_t n;
	int rc;

	buffer_clear(room);
	rc = buffer_reserve(room, raw.len);
	if (rc < 0)
		return rc;
	n = encode_codebook(r->encoder, &with, raw, room->data, raw.len);
	return n == 0 ? (ssize_t)raw.len : n;
}

/* One of two codebooks stays in the request. */
static int choose(struct recoder *r, struct recode_request *request)
{
	struct span head = request->raw;
	ssize_t n;
	ssize_t other;

	if (!request->other)
		return 0;
	if (!request->codebook) {
		request->codebook = request->other;
		return 0;
	}
	head.len = (size_t)min_u64(head.len, TASTE_LEN);
	n = taste(r, head, request->codebook);
	other = n < 0 ? n : taste(r, head, request->other);
	if (other < 0)
		return (int)other;
	if (other < n)
		request->codebook = request->other;
	return 0;
}

/* Only if it is shorter than the other one. */
static int encode_with(struct recoder *r, const struct recode_request *request)
{
	const struct encode_book with = { RECODE_LEVEL, request->codebook };
	struct buffer *b = &r->ways[WAY_CODEBOOK];
	size_t other = r->ways[WAY_CLASS].len;
	size_t cap = other - other * SAVES_PERCENT / 100;
	ssize_t n;
	int rc = go_on(request);

	buffer_clear(b);
	if (!request->codebook)
		return 0;
	if (rc == 0)
		rc = buffer_reserve(b, cap);
	if (rc < 0)
		return rc;
	n = encode_codebook(r->encoder, &with, request->raw, b->data, cap);
	b->len = n > 0 ? (size_t)n : 0;
	return n < 0 ? (int)n : 0;
}

/* ---- decoding ------------------------------------------------------------- */

static int lend_codebook(void *ctx, uint64_t id, const struct codebook **ret)
{
	const struct recode_request *request = ctx;

	if (!request->codebook || codebook_head(request->codebook)->id != id)
		return corrupt("a codebook that was not given");
	*ret = request->codebook;
	return 0;
}

/* One run of the decoder, which has to make the same bytes. */
static int decode_once(struct recoder *r, const struct recode_request *request,
		       struct span glyphs, uint64_t *ret_ns)
{
	const struct decode_source source = {
		.ctx = (void *)(uintptr_t)request,
		.codebook = lend_codebook,
	};
	struct span raw = request->raw;
	uint64_t start = clock_thread_ns();
	int rc =
		decode_frame(r->decoder, glyphs, &source, r->raw.data, raw.len);

	*ret_ns = clock_thread_ns() - start;
	if (rc == 0 && memcmp(r->raw.data, raw.ptr, raw.len) != 0)
		rc = corrupt("a frame was not decoded to what was encoded");
	return rc;
}

static uint64_t speed_of(const struct recode_request *request, uint64_t ns)
{
	return request->useful_len * NS_PER_S / (ns > 0 ? ns : 1);
}

/* 1: fast enough. */
static int judge(struct recoder *r, const struct recode_request *request,
		 enum way way, struct recoded *ret)
{
	struct span glyphs = buffer_span(&r->ways[way]);
	unsigned i;

	*ret = (struct recoded){
		.glyphs = glyphs,
		.has_codebook = way == WAY_CODEBOOK,
	};
	for (i = 0; i < N_RUNS; i++) {
		uint64_t ns = 0;
		int rc = decode_once(r, request, glyphs, &ns);

		if (rc < 0)
			return rc;
		ret->speed = max_u64(ret->speed, speed_of(request, ns));
		if (ret->speed >= request->min_speed)
			return 1;
	}
	return 0;
}

int recode(struct recoder *r, const struct recode_request *wanted,
	   struct recoded *ret)
{
	struct recode_request own = *wanted;
	const struct recode_request *request = &own;
	int rc = choose(r, &own);

	if (rc == 0)
		rc = encode_way(r, request, WAY_CLASS);
	if (rc == 0)
		rc = encode_with(r, request);
	if (rc == 0) {
		buffer_clear(&r->raw);
		rc = buffer_reserve(&r->raw, request->raw.len);
	}
	if (rc == 0 && r->ways[WAY_CODEBOOK].len > 0)
		rc = judge(r, request, WAY_CODEBOOK, ret);
	if (rc == 0)
		rc = judge(r, request, WAY_CLASS, ret);
	/* Without a transform the second way is the third. */
	if (rc == 0)
		rc = encode_way(r, request, WAY_PLAIN);
	if (rc == 0 && r->ways[WAY_PLAIN].len != r->ways[WAY_CLASS].len)
		rc = judge(r, request, WAY_PLAIN, ret);
	return rc;
}
