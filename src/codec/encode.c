/* SPDX-License-Identifier: MIT */
/*
 * encode.c - a frame is filled, stored, or what its effort's plan makes of it.
 *
 * Happy path: no pattern is found (a look at the first bytes), the plan's
 * kernel writes its payload behind the room kept for a header, and the result
 * is small enough to stay. A kernel gets no more room than a result that pays
 * may take, so hopeless data ends early.
 *
 * No composite is made: frames whose 32 KiB pieces the probe tells apart, cut
 * and encoded by piece, grew by 1 to 4 % against one zstd frame (package
 * documentation, compressed files, both interleaved), and the better of both
 * gained 0.05 %; zstd leaves hopeless blocks as they are by itself.
 */
#include "codec/encode.h"

#include "codec/glyph.h"
#include "codec/primitive.h"
#include "codec/probe.h"
#include "codec/sniff.h"

#include <assert.h>
#include <stdlib.h>

enum {
	SAVES_SHIFT = 6,  /* a result must save more than 1/64 */
	RAW_LEN_MIN = 16, /* below, no codec is asked */
};

struct encoder {
	struct ZSTD_CCtx_s *zstd; /* owned */
	void *lz4;                /* owned, prim_lz4_state_len() bytes */
};

/*
 * The probe pays at zstd 9 only. On compressed files (png, gz, xz, zip), in
 * frames of 128 KiB, it more than doubles the speed (181 to 386 MB/s) and loses
 * 0.4 % of the raw bytes, with zstd 3 as the second try; elsewhere it changes
 * nothing. To skip zstd 1 or 3 on its word would lose 0.5 % and gain no speed
 * (zstd 1) or a fifth (zstd 3).
 */
struct plan {
	enum encode_kind kind; /* which kernel: ENCODE_STORE for none */
	int level;
	int level_hopeless; /* what the probe calls incompressible; 0: no probe */
};

/*
 * In frames of 256 KiB, zstd 4 instead of 3 saves 7 % of source (4.23 to 4.52)
 * and 8 % of JSON, CSV and logs (4.66 to 5.09) at 55 to 65 % of the speed; of
 * binaries 1 % only.
 */
static const struct plan plans[][CONTENT_N_CLASSES] = {
	[EFFORT_STORE] = { { ENCODE_STORE, 0, 0 }, { ENCODE_STORE, 0, 0 } },
	[EFFORT_FASTEST] = { { ENCODE_LZ4, 0, 0 }, { ENCODE_LZ4, 0, 0 } },
	[EFFORT_FAST] = { { ENCODE_ZSTD, 1, 0 }, { ENCODE_ZSTD, 1, 0 } },
	[EFFORT_BALANCED] = { { ENCODE_ZSTD, 3, 0 }, { ENCODE_ZSTD, 4, 0 } },
	[EFFORT_SMALL] = { { ENCODE_ZSTD, 9, 3 }, { ENCODE_ZSTD, 9, 3 } },
};

int encoder_new(struct encoder **ret)
{
	struct encoder *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->zstd = prim_zstd_cctx_new();
	e->lz4 = malloc(prim_lz4_state_len());
	if (!e->zstd || !e->lz4) {
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
	prim_zstd_cctx_free(e->zstd);
	free(e->lz4);
	free(e);
}

size_t encode_bound(size_t raw_len)
{
	return raw_len + GLYPH_HEADER_MAX;
}

static size_t put_leaf(uint8_t *dst, enum primitive_id id, struct span payload)
{
	size_t n = glyph_put(dst, GLYPH_PRIMITIVE, id, payload.len);

	/* The payload may lie in `dst` already, a few bytes off its place. */
	memmove(dst + n, payload.ptr, payload.len);
	return n + payload.len;
}

/* Length of the payload at `dst` (room for `cap`), 0: it does not fit. */
static ssize_t run_plan(struct encoder *e, const struct plan *plan,
			struct span raw, uint8_t *dst, size_t cap)
{
	int level = plan->level;

	if (plan->kind == ENCODE_LZ4)
		return (ssize_t)prim_lz4_encode(e->lz4, raw, dst, cap);
	if (plan->level_hopeless != 0 && probe_incompressible(raw, e->lz4))
		level = plan->level_hopeless;
	return prim_zstd_encode(e->zstd, level, raw, dst, cap);
}

ssize_t encode_frame(struct encoder *e, enum encode_effort effort,
		     struct span raw, uint8_t *dst, enum encode_kind *ret_kind)
{
	const struct plan *plan = &plans[effort][sniff_class(raw)];
	size_t pattern_len = prim_fill_find(raw);
	size_t limit = raw.len - (raw.len >> SAVES_SHIFT) - 1;
	uint8_t *body = dst + 1 + varint_len(limit);
	ssize_t n = 0;

	assert(raw.len > 0 && raw.len <= GLYPH_OUTPUT_MAX);
	if (pattern_len > 0) {
		*ret_kind = ENCODE_FILL;
		return (ssize_t)put_leaf(dst, PRIM_FILL,
					 span_of(raw.ptr, pattern_len));
	}
	if (plan->kind != ENCODE_STORE && raw.len >= RAW_LEN_MIN)
		n = run_plan(e, plan, raw, body, limit);
	if (n < 0)
		return n;
	if (n == 0) {
		*ret_kind = ENCODE_STORE;
		return (ssize_t)put_leaf(dst, PRIM_STORE, raw);
	}
	*ret_kind = plan->kind;
	return (ssize_t)put_leaf(
		dst, plan->kind == ENCODE_LZ4 ? PRIM_LZ4 : PRIM_ZSTD,
		span_of(body, (size_t)n));
}
