/* SPDX-License-Identifier: MIT */
/*
 * record.h - framing and checksums of the units of the log.
 *
 * Pure: works on memory. The secret is the segment's; it seeds all checksums.
 */
#ifndef STREAM_RECORD_H
#define STREAM_RECORD_H

#include "base/bytes.h"
#include "stream/record_format.h"

#include <sys/types.h>

struct record {
	enum record_type type;
	uint8_t flags;
	uint32_t payload_len;
	uint64_t epoch;
	uint64_t seq;
	uint64_t payload_hash;
	uint64_t header_hash; /* of the parsed or built header */
};

/* Bytes that a record occupies, header and padding included. */
static inline size_t record_len(size_t payload_len)
{
	return (RECORD_HEADER_LEN + payload_len + RECORD_ALIGN - 1) &
	       ~(size_t)(RECORD_ALIGN - 1);
}

/* Hash of a payload, as it stands in the header. */
uint64_t record_payload_hash(struct span payload, uint64_t secret);

/*
 * Writes the header for `rec` (RECORD_HEADER_LEN bytes) at `dst` and sets
 * rec->header_hash. payload_len and payload_hash are taken from `rec`.
 */
void record_build_header(struct record *rec, uint64_t secret, uint8_t *dst);

/*
 * Parses and verifies a header. -EUCLEAN: no record here (also: fewer bytes
 * than a header). -EBADMSG: it looks like one, its checksum is wrong.
 * -EOPNOTSUPP: a newer version, a key or another hash.
 */
int record_parse_header(struct span bytes, uint64_t secret, struct record *ret);

/* -EBADMSG when `payload` is not what the header says. */
int record_verify(const struct record *rec, struct span payload,
		  uint64_t secret);

/*
 * Looks for the next valid header in `bytes`, whose start is aligned: returns
 * its offset, or -ENOENT. For salvage and for telling a torn tail from damage.
 */
ssize_t record_find(struct span bytes, uint64_t secret, struct record *ret);

struct commit_body {
	uint64_t first_seq;
	uint64_t n_records;
	uint64_t hash;
	uint64_t durable;
};

void commit_body_put(const struct commit_body *c, uint8_t dst[COMMIT_LEN]);

/* -EUCLEAN: too short. */
int commit_body_get(struct span payload, struct commit_body *ret);

#endif
