/* SPDX-License-Identifier: MIT */
/*
 * buffer.h - a growable byte buffer with a limit.
 *
 * Owner thread only. After a failure the buffer is as it was before.
 * Errors: -ENOMEM, -EFBIG (the limit).
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "base/bytes.h"

struct buffer {
	uint8_t *data; /* owned */
	size_t len;
	size_t cap;
	size_t limit; /* bytes that `len` may never exceed */
};

void buffer_init(struct buffer *b, size_t limit);
void buffer_release(struct buffer *b);

/* Forgets the content, keeps the memory. */
static inline void buffer_clear(struct buffer *b)
{
	b->len = 0;
}

static inline struct span buffer_span(const struct buffer *b)
{
	return span_of(b->data, b->len);
}

/* Room for `more` bytes after `len`; `len` itself stays. */
int buffer_reserve(struct buffer *b, size_t more);

int buffer_append(struct buffer *b, struct span bytes);
int buffer_append_u8(struct buffer *b, uint8_t v);
int buffer_append_le32(struct buffer *b, uint32_t v);
int buffer_append_le64(struct buffer *b, uint64_t v);
int buffer_append_varint(struct buffer *b, uint64_t v);

#endif
