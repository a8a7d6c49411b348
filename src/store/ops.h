/* SPDX-License-Identifier: MIT */
/*
 * ops.h - the payload of OPS: operations, one after the other.
 *
 * FORMAT.md section 6. Pure.
 */
#ifndef STORE_OPS_H
#define STORE_OPS_H

#include "base/buffer.h"
#include "codec/decode.h"
#include "codec/encode.h"
#include "stream/record_format.h"

struct log_entry;

enum {
	/* The store's own: 1..63. */
	OP_CODEBOOK_DEL = 1,
	OP_FRAME_ROWS = 2, /* these five in checkpoints only */
	OP_CHUNK_ROWS = 3,
	OP_CONTENT_ROWS = 4,
	OP_BASE_ROWS = 5,
	OP_CODEBOOK_ROW = 6,
	OP_FRAME_DEL = 7,
	OP_SEGMENT_DEL = 8,
	OP_USER_FIRST = 64, /* the volume's */
	OP_USER_LAST = 127,
};

/* Appends one operation. */
int ops_put(struct buffer *b, uint8_t type, struct span body);

struct op {
	uint8_t type;
	struct span body;
};

/* 1: an operation; 0: the end. -EUCLEAN. */
int ops_next(struct reader *r, struct op *ret);

/* Levels of zstd: of a batch, for which somebody may wait, and of a checkpoint's
 * part: 6 % shorter for 2.5 times the time. */
enum { OPS_LEVEL = 3, OPS_LEVEL_PART = 9 };

/*
 * What the record of a batch holds: the batch itself, or if that is smaller
 * its packed form, in `packed`. Sets flags and payload of `ret`.
 */
int ops_pack(struct encoder *e, int level, struct span batch,
	     struct buffer *packed, struct log_entry *ret);

/* The batch of a record's payload, in `room` if it was packed. -EUCLEAN. */
int ops_unpack(struct decoder *d, uint8_t flags, struct span payload,
	       struct buffer *room, struct span *ret);

#endif
