/* SPDX-License-Identifier: MIT */
/*
 * head.h - the first and the last bytes of a stream: its header, its FOOTER.
 *
 * FORMAT.md section 9. Pure. A stream's epoch is also the secret that seeds
 * the checksums of its records.
 */
#ifndef STREAM_HEAD_H
#define STREAM_HEAD_H

#include "base/bytes.h"
#include "stream/stream_format.h"

struct stream_head {
	uint64_t epoch;
	uint32_t
		frame_max; /* raw bytes of the longest frame, 1..FRAME_RAW_MAX */
};

void stream_head_put(const struct stream_head *h, uint8_t dst[STREAM_HEAD_LEN]);

/* -EINVAL: no stream begins here (also: too short). -EUCLEAN, -EBADMSG:
 * damage. -EOPNOTSUPP: a newer version. */
int stream_head_get(struct span bytes, struct stream_head *ret);

/* Bytes that the payload of no record of a stream exceeds. */
static inline size_t stream_payload_max(const struct stream_head *h)
{
	return (size_t)max_u64(h->frame_max + (uint64_t)STREAM_FRAME_EXTRA,
			       SEEK_PAYLOAD_MAX);
}

/* What the FOOTER says. */
struct stream_end {
	uint64_t raw_len;  /* of all frames */
	uint64_t n_frames; /* 0: the rest is 0 as well */
	uint64_t root_off; /* of the SEEK record that leads to all others */
	uint32_t root_len; /* of its payload */
	uint8_t root_level;
};

void stream_end_put(const struct stream_end *e, uint8_t dst[STREAM_END_LEN]);

/* -EUCLEAN: damage. */
int stream_end_get(struct span payload, struct stream_end *ret);

#endif
