/* SPDX-License-Identifier: MIT */
/*
 * record.c - record headers and the body of a COMMIT.
 *
 * Nothing here reports damage by itself: that a place holds no record is the
 * usual end of a log, and only the caller knows what should be there.
 */
#include "stream/record.h"

#include "base/hash.h"

#include <assert.h>

enum {
	RECORD_FLAGS = RECORD_PACKED | RECORD_INTENT, /* all that are defined */
};

uint64_t record_payload_hash(struct span payload, uint64_t secret)
{
	return hash64(payload, secret);
}

static uint64_t header_hash(const uint8_t *header, uint64_t secret)
{
	return hash64(span_of(header, REC_HEADER_HASH_OFF), secret);
}

/* Whether a type of this version may carry these known flags. */
static bool flags_fit(enum record_type type, unsigned flags)
{
	if ((flags & RECORD_PACKED) && type != RECORD_OPS &&
	    type != RECORD_CHECKPOINT && type != RECORD_FOOTER)
		return false;
	return !(flags & RECORD_INTENT) || type == RECORD_FRAME;
}

void record_build_header(struct record *rec, uint64_t secret, uint8_t *dst)
{
	assert(rec->payload_len <= RECORD_PAYLOAD_MAX);
	assert(!(rec->flags & ~RECORD_FLAGS));
	assert(flags_fit(rec->type, rec->flags));
	put_le32(dst + REC_MAGIC_OFF, RECORD_MAGIC);
	dst[REC_VERSION_OFF] = RECORD_VERSION;
	dst[REC_HEADER_LEN_OFF] = RECORD_HEADER_LEN;
	dst[REC_TYPE_OFF] = (uint8_t)rec->type;
	dst[REC_FLAGS_OFF] = rec->flags;
	put_le16(dst + REC_KEY_ID_OFF, 0);
	dst[REC_HASH_ALG_OFF] = RECORD_HASH_XXH3;
	dst[REC_ZERO_OFF] = 0;
	put_le32(dst + REC_PAYLOAD_LEN_OFF, rec->payload_len);
	put_le64(dst + REC_EPOCH_OFF, rec->epoch);
	put_le64(dst + REC_SEQ_OFF, rec->seq);
	put_le64(dst + REC_PAYLOAD_HASH_OFF, rec->payload_hash);
	rec->header_hash = header_hash(dst, secret);
	put_le64(dst + REC_HEADER_HASH_OFF, rec->header_hash);
}

/*
 * What a header with a right checksum says. It was written on purpose, so what
 * this version does not know is a newer one's.
 */
static int check_fields(const uint8_t *h, const struct record *rec)
{
	if (h[REC_VERSION_OFF] != RECORD_VERSION ||
	    get_le16(h + REC_KEY_ID_OFF) != 0 ||
	    h[REC_HASH_ALG_OFF] != RECORD_HASH_XXH3 || h[REC_ZERO_OFF] != 0 ||
	    (rec->flags & ~RECORD_FLAGS) || rec->type > RECORD_LAST)
		return -EOPNOTSUPP;
	if (h[REC_HEADER_LEN_OFF] != RECORD_HEADER_LEN ||
	    rec->type < RECORD_FRAME || !flags_fit(rec->type, rec->flags) ||
	    rec->payload_len > RECORD_PAYLOAD_MAX)
		return -EUCLEAN;
	return 0;
}

int record_parse_header(struct span bytes, uint64_t secret, struct record *ret)
{
	const uint8_t *h = bytes.ptr;
	struct record rec;
	int rc;

	if (bytes.len < RECORD_HEADER_LEN ||
	    get_le32(h + REC_MAGIC_OFF) != RECORD_MAGIC)
		return -EUCLEAN;
	rec = (struct record){
		.type = (enum record_type)h[REC_TYPE_OFF],
		.flags = h[REC_FLAGS_OFF],
		.payload_len = get_le32(h + REC_PAYLOAD_LEN_OFF),
		.epoch = get_le64(h + REC_EPOCH_OFF),
		.seq = get_le64(h + REC_SEQ_OFF),
		.payload_hash = get_le64(h + REC_PAYLOAD_HASH_OFF),
		.header_hash = get_le64(h + REC_HEADER_HASH_OFF),
	};
	if (header_hash(h, secret) != rec.header_hash)
		return -EBADMSG;
	rc = check_fields(h, &rec);
	if (rc < 0)
		return rc;
	*ret = rec;
	return 0;
}

int record_verify(const struct record *rec, struct span payload,
		  uint64_t secret)
{
	if (payload.len != rec->payload_len ||
	    record_payload_hash(payload, secret) != rec->payload_hash)
		return -EBADMSG;
	return 0;
}

ssize_t record_find(struct span bytes, uint64_t secret, struct record *ret)
{
	size_t pos;

	for (pos = 0; bytes.len - pos >= RECORD_HEADER_LEN;
	     pos += RECORD_ALIGN) {
		if (get_le32(bytes.ptr + pos) != RECORD_MAGIC)
			continue;
		if (record_parse_header(
			    span_of(bytes.ptr + pos, bytes.len - pos), secret,
			    ret) == 0)
			return (ssize_t)pos;
	}
	return -ENOENT;
}

void commit_body_put(const struct commit_body *c, uint8_t dst[COMMIT_LEN])
{
	put_le64(dst + COMMIT_FIRST_SEQ_OFF, c->first_seq);
	put_le64(dst + COMMIT_N_RECORDS_OFF, c->n_records);
	put_le64(dst + COMMIT_HASH_OFF, c->hash);
	put_le64(dst + COMMIT_DURABLE_OFF, c->durable);
}

int commit_body_get(struct span payload, struct commit_body *ret)
{
	if (payload.len < COMMIT_LEN)
		return -EUCLEAN;
	*ret = (struct commit_body){
		.first_seq = get_le64(payload.ptr + COMMIT_FIRST_SEQ_OFF),
		.n_records = get_le64(payload.ptr + COMMIT_N_RECORDS_OFF),
		.hash = get_le64(payload.ptr + COMMIT_HASH_OFF),
		.durable = get_le64(payload.ptr + COMMIT_DURABLE_OFF),
	};
	return 0;
}
