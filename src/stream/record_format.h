/* SPDX-License-Identifier: MIT */
/*
 * record_format.h - layout of records; mirror of FORMAT.md sections 3 and 5.
 */
#ifndef STREAM_RECORD_FORMAT_H
#define STREAM_RECORD_FORMAT_H

#include <assert.h>

enum record_type {
	RECORD_FRAME = 1,
	RECORD_CODEBOOK = 2,
	RECORD_OPS = 3,
	RECORD_COMMIT = 4,
	RECORD_CHECKPOINT = 5,
	RECORD_FOOTER = 6,
	RECORD_SEEK = 7,
	RECORD_LAST = RECORD_SEEK, /* of this version */
};

enum {
	RECORD_PACKED = 1 << 0, /* flag: the payload is encoded (OPS) */
	RECORD_INTENT = 1 << 1, /* flag: a FRAME made durable raw */
};

enum record_offsets {
	REC_MAGIC_OFF = 0,
	REC_VERSION_OFF = 4,
	REC_HEADER_LEN_OFF = 5,
	REC_TYPE_OFF = 6,
	REC_FLAGS_OFF = 7,
	REC_KEY_ID_OFF = 8,
	REC_HASH_ALG_OFF = 10,
	REC_ZERO_OFF = 11,
	REC_PAYLOAD_LEN_OFF = 12,
	REC_EPOCH_OFF = 16,
	REC_SEQ_OFF = 24,
	REC_PAYLOAD_HASH_OFF = 32,
	REC_HEADER_HASH_OFF = 40,
	RECORD_HEADER_LEN = 48,
};

enum {
	RECORD_MAGIC = 0x43455243,
	RECORD_VERSION = 1,
	RECORD_HASH_XXH3 = 1,
	RECORD_ALIGN = 8,
	RECORD_PAYLOAD_MAX = 8 << 20,
};

enum commit_offsets {
	COMMIT_FIRST_SEQ_OFF = 0,
	COMMIT_N_RECORDS_OFF = 8,
	COMMIT_HASH_OFF = 16,
	COMMIT_DURABLE_OFF = 24,
	COMMIT_LEN = 32,
};

static_assert(REC_HEADER_HASH_OFF + 8 == RECORD_HEADER_LEN, "record header");
static_assert(COMMIT_DURABLE_OFF + 8 == COMMIT_LEN, "commit payload");

#endif
