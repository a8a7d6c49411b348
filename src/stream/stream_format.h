/* SPDX-License-Identifier: MIT */
/*
 * stream_format.h - layout of a stream's own parts; mirror of FORMAT.md
 * section 9.
 */
#ifndef STREAM_STREAM_FORMAT_H
#define STREAM_STREAM_FORMAT_H

#include "stream/frame.h"
#include "stream/record_format.h"

#include <assert.h>

#define STREAM_MAGIC "SIGMASTR"

enum stream_head_offsets {
	HEAD_MAGIC_OFF = 0,
	HEAD_VERSION_OFF = 8,
	HEAD_LEN_OFF = 10,
	HEAD_FLAGS_OFF = 12,
	HEAD_EPOCH_OFF = 16,
	HEAD_FRAME_MAX_OFF = 24,
	HEAD_ZERO_OFF = 28,
	HEAD_HASH_OFF = 40,
	STREAM_HEAD_LEN = 48,
};

enum stream_end_offsets {
	END_RAW_LEN_OFF = 0,
	END_N_FRAMES_OFF = 8,
	END_ROOT_OFF = 16,
	END_ROOT_LEN_OFF = 24,
	END_ROOT_LEVEL_OFF = 28,
	END_ZERO_OFF = 29,
	STREAM_END_LEN = 32,
};

enum {
	STREAM_MAGIC_LEN = 8,
	STREAM_VERSION = 1,
	STREAM_FIRST_SEQ = 1,
	/* Bytes of a FRAME's payload beyond its raw bytes. */
	STREAM_FRAME_EXTRA = 64,
	/* The FOOTER with its header: the last bytes of a whole stream. */
	STREAM_TAIL_LEN = RECORD_HEADER_LEN + STREAM_END_LEN,
	STREAM_RAW_BITS = 62, /* of a whole stream's raw length */
};

enum {
	SEEK_ENTRIES_MAX = 256,
	SEEK_LEVEL_MAX = 8,
	/* Level, number of entries; raw length, place, payload length. */
	SEEK_PAYLOAD_MAX = 1 + 2 + SEEK_ENTRIES_MAX * (9 + 9 + 4),
};

static_assert(HEAD_HASH_OFF + 8 == STREAM_HEAD_LEN, "head");
static_assert(STREAM_HEAD_LEN % RECORD_ALIGN == 0, "records are aligned");
static_assert(sizeof(STREAM_MAGIC) - 1 == STREAM_MAGIC_LEN, "magic");
static_assert(END_ZERO_OFF + 3 == STREAM_END_LEN, "end");
static_assert(STREAM_END_LEN % RECORD_ALIGN == 0, "no padding at the end");
static_assert(FRAME_RAW_MAX + STREAM_FRAME_EXTRA <= RECORD_PAYLOAD_MAX,
	      "the longest frame is a record");

#endif
