/* SPDX-License-Identifier: MIT */
/*
 * head.c - fixed fields at both ends of a stream.
 */
#include "stream/head.h"

#include "base/hash.h"

#include <assert.h>

static const uint64_t raw_len_max = UINT64_C(1) << STREAM_RAW_BITS;

void stream_head_put(const struct stream_head *h, uint8_t dst[STREAM_HEAD_LEN])
{
	assert(h->frame_max > 0 && h->frame_max <= FRAME_RAW_MAX);
	memset(dst, 0, STREAM_HEAD_LEN);
	memcpy(dst + HEAD_MAGIC_OFF, STREAM_MAGIC, STREAM_MAGIC_LEN);
	put_le16(dst + HEAD_VERSION_OFF, STREAM_VERSION);
	put_le16(dst + HEAD_LEN_OFF, STREAM_HEAD_LEN);
	put_le64(dst + HEAD_EPOCH_OFF, h->epoch);
	put_le32(dst + HEAD_FRAME_MAX_OFF, h->frame_max);
	put_le64(dst + HEAD_HASH_OFF, hash64(span_of(dst, HEAD_HASH_OFF), 0));
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
	while (len > 0 && *bytes == 0) {
		bytes++;
		len--;
	}
	return len == 0;
}

int stream_head_get(struct span bytes, struct stream_head *ret)
{
	const uint8_t *h = bytes.ptr;
	struct stream_head head;

	if (bytes.len < STREAM_HEAD_LEN ||
	    memcmp(h, STREAM_MAGIC, STREAM_MAGIC_LEN) != 0)
		return -EINVAL;
	if (hash64(span_of(h, HEAD_HASH_OFF), 0) != get_le64(h + HEAD_HASH_OFF))
		return -EBADMSG;
	if (get_le16(h + HEAD_VERSION_OFF) != STREAM_VERSION ||
	    get_le32(h + HEAD_FLAGS_OFF) != 0 ||
	    !all_zero(h + HEAD_ZERO_OFF, HEAD_HASH_OFF - HEAD_ZERO_OFF))
		return -EOPNOTSUPP;
	head = (struct stream_head){
		.epoch = get_le64(h + HEAD_EPOCH_OFF),
		.frame_max = get_le32(h + HEAD_FRAME_MAX_OFF),
	};
	if (get_le16(h + HEAD_LEN_OFF) != STREAM_HEAD_LEN ||
	    head.frame_max == 0 || head.frame_max > FRAME_RAW_MAX)
		return -EUCLEAN;
	*ret = head;
	return 0;
}

void stream_end_put(const struct stream_end *e, uint8_t dst[STREAM_END_LEN])
{
	memset(dst, 0, STREAM_END_LEN);
	put_le64(dst + END_RAW_LEN_OFF, e->raw_len);
	put_le64(dst + END_N_FRAMES_OFF, e->n_frames);
	put_le64(dst + END_ROOT_OFF, e->root_off);
	put_le32(dst + END_ROOT_LEN_OFF, e->root_len);
	dst[END_ROOT_LEVEL_OFF] = e->root_level;
}

static bool end_fits(const struct stream_end *e)
{
	if (e->n_frames == 0)
		return e->raw_len == 0 && e->root_off == 0 &&
		       e->root_len == 0 && e->root_level == 0;
	return e->raw_len >= e->n_frames && e->raw_len <= raw_len_max &&
	       e->root_off >= STREAM_HEAD_LEN &&
	       e->root_off % RECORD_ALIGN == 0 && e->root_len > 0 &&
	       e->root_len <= SEEK_PAYLOAD_MAX && e->root_level >= 1 &&
	       e->root_level <= SEEK_LEVEL_MAX;
}

int stream_end_get(struct span payload, struct stream_end *ret)
{
	const uint8_t *p = payload.ptr;
	struct stream_end end;

	if (payload.len != STREAM_END_LEN ||
	    !all_zero(p + END_ZERO_OFF, STREAM_END_LEN - END_ZERO_OFF))
		return -EUCLEAN;
	end = (struct stream_end){
		.raw_len = get_le64(p + END_RAW_LEN_OFF),
		.n_frames = get_le64(p + END_N_FRAMES_OFF),
		.root_off = get_le64(p + END_ROOT_OFF),
		.root_len = get_le32(p + END_ROOT_LEN_OFF),
		.root_level = p[END_ROOT_LEVEL_OFF],
	};
	if (!end_fits(&end))
		return -EUCLEAN;
	*ret = end;
	return 0;
}
