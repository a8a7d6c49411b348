/* SPDX-License-Identifier: MIT */
/*
 * streams.c - see streams.h.
 */
#include "unit/stream/streams.h"

#include "base/hash.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "stream/record.h"

#include <stdlib.h>

enum { SINK_MAX = 64 << 20, STRETCH = 3000, NOISE = 500 };

void store_init(struct store_sink *s)
{
	*s = (struct store_sink){ .fail_at = UINT_MAX };
	buffer_init(&s->out, SINK_MAX);
}

void store_release(struct store_sink *s)
{
	buffer_release(&s->out);
}

int store_write(void *ctx, struct span bytes)
{
	struct store_sink *s = ctx;

	if (++s->n_calls >= s->fail_at)
		return s->rc;
	return buffer_append(&s->out, bytes);
}

static int store_zeros(void *ctx, uint64_t len)
{
	struct store_sink *s = ctx;

	ck_ok(buffer_reserve(&s->out, (size_t)len));
	memset(s->out.data + s->out.len, 0, (size_t)len);
	s->out.len += (size_t)len;
	return 0;
}

static void store_missing(void *ctx, uint64_t raw_off, uint64_t len)
{
	struct store_sink *s = ctx;

	ck_assert_uint_lt(s->n_missing, ARRAY_LEN(s->missing));
	s->missing[s->n_missing][0] = raw_off;
	s->missing[s->n_missing++][1] = len;
}

struct thaw_sink store_sink_of(struct store_sink *s)
{
	return (struct thaw_sink){
		.ctx = s,
		.write = store_write,
		.zeros = store_zeros,
		.missing = store_missing,
	};
}

uint8_t *mixed_bytes(size_t len)
{
	uint8_t *bytes = malloc(len + STRETCH);
	struct rng rng = rng_of(7);
	size_t pos;
	size_t i;

	ck_assert_ptr_nonnull(bytes);
	for (pos = 0; pos < len; pos += STRETCH) {
		memset(bytes + pos, 0, STRETCH);
		if (pos / STRETCH % 3 == 0)
			for (i = 0; i < STRETCH; i++)
				bytes[pos + i] = (uint8_t)(i * i >> 8);
		else if (pos / STRETCH % 3 == 1)
			rng_fill(&rng, bytes + pos, NOISE);
	}
	return bytes;
}

void make_stream(struct store_sink *s, struct span raw, size_t frame_len)
{
	const struct pack_options options = {
		.n_workers = 1,
		.effort = EFFORT_FAST,
		.frame_len = frame_len,
		.ctx = s,
		.write = store_write,
	};
	struct pack_totals totals;
	struct pack *pack;

	ck_ok(pack_new(&options, &pack));
	ck_ok(pack_feed(pack, raw));
	ck_ok(pack_finish(pack, &totals));
	pack_free(pack);
	ck_assert_uint_eq(totals.raw_len, raw.len);
	ck_assert_uint_eq(totals.stored_len, s->out.len);
}

void stream_sample_init(struct stream_sample *s, size_t raw_len)
{
	s->raw = mixed_bytes(raw_len);
	store_init(&s->stream);
	store_init(&s->out);
	make_stream(&s->stream, span_of(s->raw, raw_len), SMALL_FRAME);
}

void stream_sample_release(struct stream_sample *s)
{
	store_release(&s->out);
	store_release(&s->stream);
	free(s->raw);
}

int unpack_bytes(struct store_sink *s, struct span stream, bool lenient,
		 struct unpack_totals *ret)
{
	const struct unpack_options options = {
		.n_workers = 1,
		.lenient = lenient,
		.sink = store_sink_of(s),
	};
	struct unpack_totals totals;
	struct unpack *u;
	int rc;

	ck_ok(unpack_new(&options, &u));
	rc = unpack_feed(u, stream);
	if (rc == 0)
		rc = unpack_finish(u, &totals);
	unpack_free(u);
	if (rc == 0 && ret)
		*ret = totals;
	return rc;
}

size_t record_at(struct span stream, size_t n, size_t *ret_len)
{
	uint64_t secret = get_le64(stream.ptr + HEAD_EPOCH_OFF);
	size_t off = STREAM_HEAD_LEN;
	struct record rec;

	for (;;) {
		ck_assert_uint_lt(off, stream.len);
		ck_ok(record_parse_header(
			span_of(stream.ptr + off, stream.len - off), secret,
			&rec));
		if (n-- == 0)
			break;
		off += record_len(rec.payload_len);
	}
	if (ret_len)
		*ret_len = rec.payload_len;
	return off;
}

void mend_record(uint8_t *stream, size_t off)
{
	uint64_t secret = get_le64(stream + HEAD_EPOCH_OFF);
	uint8_t *h = stream + off;
	struct span payload = span_of(h + RECORD_HEADER_LEN,
				      get_le32(h + REC_PAYLOAD_LEN_OFF));

	put_le64(h + REC_PAYLOAD_HASH_OFF,
		 record_payload_hash(payload, secret));
	put_le64(h + REC_HEADER_HASH_OFF,
		 hash64(span_of(h, REC_HEADER_HASH_OFF), secret));
}
