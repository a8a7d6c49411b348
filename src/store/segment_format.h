/* SPDX-License-Identifier: MIT */
/*
 * segment_format.h - layout of a segment's header; mirror of FORMAT.md
 * section 2.
 */
#ifndef STORE_SEGMENT_FORMAT_H
#define STORE_SEGMENT_FORMAT_H

#include <assert.h>

#define SEGMENT_MAGIC "SIGMASEG"

enum segment_offsets {
	SEG_MAGIC_OFF = 0,
	SEG_VERSION_OFF = 8,
	SEG_HEADER_LEN_OFF = 10,
	SEG_FLAGS_OFF = 12,
	SEG_NUMBER_OFF = 16,
	SEG_EPOCH_OFF = 24,
	SEG_UUID_OFF = 32,
	SEG_SECRET_OFF = 48,
	SEG_FIRST_SEQ_OFF = 56,
	SEG_PREVIOUS_COMMIT_OFF = 64,
	SEG_CHECKPOINT_OFF = 72,
	SEG_ZERO_OFF = 80,
	SEG_HASH_OFF = 120,
	SEGMENT_HEADER_LEN = 128,
};

enum {
	SEGMENT_MAGIC_LEN = 8,
	SEGMENT_VERSION = 1,
	SEGMENT_UUID_LEN = 16,
	SEGMENT_NAME_DIGITS = 10,
};

static_assert(SEG_UUID_OFF + SEGMENT_UUID_LEN == SEG_SECRET_OFF, "uuid");
static_assert(SEG_HASH_OFF + 8 == SEGMENT_HEADER_LEN, "segment header");
static_assert(sizeof(SEGMENT_MAGIC) - 1 == SEGMENT_MAGIC_LEN, "magic");

#endif
