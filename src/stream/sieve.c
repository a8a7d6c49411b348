/* SPDX-License-Identifier: MIT */
/*
 * sieve.c - a window that slides over the stream.
 *
 * Happy path: the window holds a whole record at its start, which is handed out
 * where it lies and dropped at the next call. The window is longer than the
 * longest record by some slack, so that what is left over has to be moved to
 * its front once in a while only.
 *
 * A lenient sieve moves on by one byte from a record that is not good, because
 * bytes may be missing in its middle. A made up stream could so have nearly
 * each byte hashed as part of very many payloads; beyond a bound it moves on by
 * whole records.
 */
#include "stream/sieve.h"

#include "base/error.h"

#include <stdlib.h>

enum {
	SLACK = 64 << 10,
	HASHED_FREE = 64 << 20, /* bytes of bad payloads that are for nothing */
	HASHED_TIMES = 16,      /* and for each byte of the stream */
	MAGIC_LEN = 4,
};

/* ---- the window ----------------------------------------------------------- */

static size_t record_max(const struct stream_head *h)
{
	return record_len(stream_payload_max(h));
}

int sieve_init(struct sieve *s, bool lenient)
{
	*s = (struct sieve){
		.lenient = lenient,
		.cap = SLACK,
		.head.frame_max = FRAME_RAW_MAX,
	};
	s->window = malloc(s->cap);
	return s->window ? 0 : -ENOMEM;
}

void sieve_release(struct sieve *s)
{
	free(s->window);
	s->window = NULL;
}

/* Room for the longest record of this stream. */
static int grow(struct sieve *s)
{
	size_t cap = record_max(&s->head) + SLACK;
	uint8_t *window = malloc(cap);

	if (!window)
		return -ENOMEM;
	memcpy(window, s->window + s->start, s->len);
	free(s->window);
	s->window = window;
	s->cap = cap;
	s->start = 0;
	return 0;
}

static void consume(struct sieve *s, size_t len)
{
	s->start += len;
	s->len -= len;
	s->off += len;
}

size_t sieve_room(struct sieve *s, uint8_t **ret)
{
	if (s->start + s->len == s->cap) {
		memmove(s->window, s->window + s->start, s->len);
		s->start = 0;
	}
	*ret = s->window + s->start + s->len;
	return s->cap - s->start - s->len;
}

void sieve_filled(struct sieve *s, size_t len)
{
	s->len += len;
}

void sieve_end(struct sieve *s)
{
	s->ended = true;
}

static struct span here(const struct sieve *s)
{
	return span_of(s->window + s->start, s->len);
}

/* ---- what stands there ---------------------------------------------------- */

static int cut_off(const struct sieve *s)
{
	uint64_t off = s->off + s->len;

	return corrupt("stream: it is cut off at byte %llu",
		       (unsigned long long)off);
}

/* 1: known, or given up. 0: more bytes are needed. */
static int take_head(struct sieve *s)
{
	int rc;

	if (s->len < STREAM_HEAD_LEN && !s->ended)
		return 0;
	rc = stream_head_get(here(s), &s->head);
	if (rc == 0) {
		s->has_epoch = true;
		consume(s, STREAM_HEAD_LEN);
	} else if (!s->lenient) {
		return rc == -EINVAL || rc == -EOPNOTSUPP
			       ? rc
			       : corrupt("stream: its header is bad");
	}
	rc = grow(s);
	if (rc < 0)
		return rc;
	s->has_head = true;
	return 1;
}

/* The header of a record at the start of the window. Errors as those of
 * record_parse_header(). */
static int parse_header(const struct sieve *s, struct record *ret)
{
	struct span bytes = here(s);
	uint64_t secret = s->head.epoch;
	struct record rec;
	int rc;

	if (bytes.len < RECORD_HEADER_LEN)
		return -EUCLEAN;
	if (!s->has_epoch)
		secret = get_le64(bytes.ptr + REC_EPOCH_OFF);
	rc = record_parse_header(bytes, secret, &rec);
	if (rc < 0)
		return rc;
	if (rec.epoch != secret || rec.flags != 0 ||
	    rec.payload_len > stream_payload_max(&s->head) ||
	    (rec.type != RECORD_FRAME && rec.type != RECORD_SEEK &&
	     rec.type != RECORD_FOOTER))
		return -EUCLEAN;
	*ret = rec;
	return 0;
}

static bool padding_is_zero(const struct sieve *s, const struct record *rec)
{
	size_t i;

	for (i = RECORD_HEADER_LEN + rec->payload_len;
	     i < record_len(rec->payload_len); i++)
		if (s->window[s->start + i] != 0)
			return false;
	return true;
}

static struct span payload_of(const struct sieve *s, const struct record *rec)
{
	return span_of(s->window + s->start + RECORD_HEADER_LEN,
		       rec->payload_len);
}

static int hand_out(struct sieve *s, const struct record *rec,
		    struct sieve_record *ret)
{
	s->last_seq = rec->seq;
	s->has_footer = rec->type == RECORD_FOOTER;
	/* Of a damaged stream even padding may be missing: a lenient sieve
	 * passes over it as over anything else. */
	s->consumed = s->lenient ? RECORD_HEADER_LEN + rec->payload_len
				 : record_len(rec->payload_len);
	*ret = (struct sieve_record){
		.head = *rec,
		.off = s->off,
		.payload = payload_of(s, rec),
	};
	return 1;
}

/* ---- strict --------------------------------------------------------------- */

static int next_strict(struct sieve *s, struct sieve_record *ret)
{
	struct record rec;
	int rc;

	if (s->has_footer && s->len > 0)
		return corrupt("stream: there are bytes behind its end");
	if (s->has_footer)
		return 0;
	if (s->len < RECORD_HEADER_LEN)
		return s->ended ? cut_off(s) : 0;
	rc = parse_header(s, &rec);
	if (rc == -EOPNOTSUPP)
		return rc;
	if (rc < 0 || rec.seq != s->last_seq + 1)
		return corrupt("stream: bad record at byte %llu",
			       (unsigned long long)s->off);
	if (s->len < record_len(rec.payload_len))
		return s->ended ? cut_off(s) : 0;
	if (record_verify(&rec, payload_of(s, &rec), s->head.epoch) < 0 ||
	    !padding_is_zero(s, &rec))
		return corrupt("stream: the record at byte %llu has a bad "
			       "checksum",
			       (unsigned long long)s->off);
	return hand_out(s, &rec, ret);
}

/* ---- lenient -------------------------------------------------------------- */

/* Moves to the next magic number, if it is near; else to the last bytes, of
 * which one may begin. */
static void skip_to_magic(struct sieve *s)
{
	uint8_t magic[MAGIC_LEN];
	const uint8_t *at;

	put_le32(magic, RECORD_MAGIC);
	at = memmem(s->window + s->start, s->len, magic, MAGIC_LEN);
	if (at)
		consume(s, (size_t)(at - (s->window + s->start)));
	else if (s->ended)
		consume(s, s->len);
	else if (s->len >= MAGIC_LEN)
		consume(s, s->len - (MAGIC_LEN - 1));
}

/* Whether the budget for hashing allows to look into the payload. */
static bool may_look_inside(const struct sieve *s)
{
	return s->n_hashed < HASHED_FREE + HASHED_TIMES * s->off;
}

/* 1: the record at the start is good. 0: more bytes are needed. -EUCLEAN: it is
 * no good, `ret_len` bytes are to be skipped. */
static int try_record(struct sieve *s, struct record *ret, size_t *ret_len)
{
	size_t len;

	*ret_len = 1;
	if (s->len < RECORD_HEADER_LEN)
		return s->ended ? -EUCLEAN : 0;
	if (parse_header(s, ret) < 0)
		return -EUCLEAN;
	len = RECORD_HEADER_LEN + ret->payload_len;
	if (s->len < len)
		return s->ended ? -EUCLEAN : 0;
	if (record_verify(ret, payload_of(s, ret), ret->epoch) == 0)
		return 1;
	s->n_hashed += ret->payload_len;
	if (!may_look_inside(s))
		*ret_len = len;
	return -EUCLEAN;
}

static int next_lenient(struct sieve *s, struct sieve_record *ret)
{
	struct record rec;
	size_t len;
	int rc;

	if (s->has_footer) {
		consume(s, s->len);
		return 0;
	}
	for (;;) {
		skip_to_magic(s);
		if (s->len < MAGIC_LEN)
			return 0;
		rc = try_record(s, &rec, &len);
		if (rc >= 0)
			break;
		consume(s, len);
	}
	if (rc == 0)
		return 0;
	s->head.epoch = rec.epoch;
	s->has_epoch = true;
	return hand_out(s, &rec, ret);
}

int sieve_next(struct sieve *s, struct sieve_record *ret)
{
	int rc;

	consume(s, s->consumed);
	s->consumed = 0;
	if (!s->has_head) {
		rc = take_head(s);
		if (rc <= 0)
			return rc;
	}
	return s->lenient ? next_lenient(s, ret) : next_strict(s, ret);
}
