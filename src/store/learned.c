/* SPDX-License-Identifier: MIT */
/*
 * learned.c - with a codebook, without, or both, of which the shorter stays.
 */
#include "store/learned.h"

#include "store/library.h"
#include "store/state.h"

/* Decoding with a codebook takes longer (1.25 instead of 1.85 GB/s for source
 * code in long frames), so it has to save a little. */
enum { SAVES_PERCENT = 1 };

struct both {
	uint8_t *dst; /* where the shorter glyphs come to */
	bool won;     /* those with the codebook */
};

/* With the codebook and nothing else, unless that is of no use at all. */
static ssize_t encode_only(struct context *x, const struct encode_book *with,
			   const struct encode_request *request,
			   struct span raw, uint8_t *dst)
{
	ssize_t n = encode_codebook(x->encoder, with, raw, dst,
				    raw.len - raw.len / 64);

	return n != 0 ? n : encode_frame(x->encoder, request, raw, dst);
}

/* Both ways. */
static ssize_t encode_both(struct context *x, const struct encode_book *with,
			   const struct encode_request *request,
			   struct span raw, struct both *ret)
{
	struct buffer *spare = &x->spare;
	ssize_t n = encode_frame(x->encoder, request, raw, ret->dst);
	ssize_t m;
	size_t cap;

	if (n <= 0)
		return n;
	cap = (size_t)n - (size_t)n * SAVES_PERCENT / 100;
	buffer_clear(spare);
	m = buffer_reserve(spare, cap + 1);
	if (m == 0)
		m = encode_codebook(x->encoder, with, raw, spare->data, cap);
	if (m < 0)
		return m;
	ret->won = m > 0;
	if (m == 0)
		return n;
	memcpy(ret->dst, spare->data, (size_t)m);
	return m;
}

ssize_t learned_encode(struct store *s, struct context *x,
		       const struct encode_request *request, struct span raw,
		       uint8_t *dst)
{
	struct encode_book with = { .level = encode_codebook_level(request) };
	struct both both = { .dst = dst };
	bool compare = false;
	ssize_t n;

	if (request->effort >= EFFORT_BALANCED)
		with.codebook =
			library_pick(s, request->class, raw.len, &compare);
	if (!with.codebook)
		return encode_frame(x->encoder, request, raw, dst);
	if (compare)
		n = encode_both(x, &with, request, raw, &both);
	else
		n = encode_only(x, &with, request, raw, dst);
	if (compare && n > 0)
		codebooks_tell(s->codebooks, request->class, raw.len, both.won);
	codebook_put(with.codebook);
	return n;
}
