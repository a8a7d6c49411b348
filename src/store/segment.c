/* SPDX-License-Identifier: MIT */
/*
 * segment.c - builds and parses segment headers and names.
 */
#include "store/segment.h"

#include "base/hash.h"

#include <stdio.h>

void segment_header_put(const struct segment_header *h,
			uint8_t dst[SEGMENT_HEADER_LEN])
{
	memset(dst, 0, SEGMENT_HEADER_LEN);
	memcpy(dst + SEG_MAGIC_OFF, SEGMENT_MAGIC, SEGMENT_MAGIC_LEN);
	put_le16(dst + SEG_VERSION_OFF, SEGMENT_VERSION);
	put_le16(dst + SEG_HEADER_LEN_OFF, SEGMENT_HEADER_LEN);
	put_le64(dst + SEG_NUMBER_OFF, h->number);
	put_le64(dst + SEG_EPOCH_OFF, h->epoch);
	memcpy(dst + SEG_UUID_OFF, h->uuid, SEGMENT_UUID_LEN);
	put_le64(dst + SEG_SECRET_OFF, h->secret);
	put_le64(dst + SEG_FIRST_SEQ_OFF, h->first_seq);
	put_le64(dst + SEG_PREVIOUS_COMMIT_OFF, h->previous_commit);
	put_le64(dst + SEG_CHECKPOINT_OFF, h->checkpoint);
	put_le64(dst + SEG_HASH_OFF, hash64(span_of(dst, SEG_HASH_OFF), 0));
}

int segment_header_get(struct span bytes, struct segment_header *ret)
{
	const uint8_t *p = bytes.ptr;

	if (bytes.len < SEGMENT_HEADER_LEN ||
	    memcmp(p + SEG_MAGIC_OFF, SEGMENT_MAGIC, SEGMENT_MAGIC_LEN) != 0)
		return -EUCLEAN;
	if (get_le64(p + SEG_HASH_OFF) != hash64(span_of(p, SEG_HASH_OFF), 0))
		return -EBADMSG;
	if (get_le16(p + SEG_VERSION_OFF) != SEGMENT_VERSION ||
	    get_le16(p + SEG_HEADER_LEN_OFF) != SEGMENT_HEADER_LEN ||
	    get_le32(p + SEG_FLAGS_OFF) != 0)
		return -EOPNOTSUPP;
	*ret = (struct segment_header){
		.number = get_le64(p + SEG_NUMBER_OFF),
		.epoch = get_le64(p + SEG_EPOCH_OFF),
		.secret = get_le64(p + SEG_SECRET_OFF),
		.first_seq = get_le64(p + SEG_FIRST_SEQ_OFF),
		.previous_commit = get_le64(p + SEG_PREVIOUS_COMMIT_OFF),
		.checkpoint = get_le64(p + SEG_CHECKPOINT_OFF),
	};
	memcpy(ret->uuid, p + SEG_UUID_OFF, SEGMENT_UUID_LEN);
	return 0;
}

void segment_name(uint64_t number, char ret[SEGMENT_NAME_LEN + 1])
{
	int i;

	for (i = SEGMENT_NAME_DIGITS - 1; i >= 0; i--) {
		ret[i] = (char)('0' + number % 10);
		number /= 10;
	}
	memcpy(ret + SEGMENT_NAME_DIGITS, ".seg", 5);
}

uint64_t segment_number(const char *name)
{
	uint64_t number = 0;
	int i;

	for (i = 0; i < SEGMENT_NAME_DIGITS; i++) {
		if (name[i] < '0' || name[i] > '9')
			return 0;
		number = number * 10 + (uint64_t)(name[i] - '0');
	}
	return strcmp(name + i, ".seg") == 0 ? number : 0;
}
