/* SPDX-License-Identifier: MIT */
/*
 * buffer.c - growing in powers of two, up to the limit.
 */
#include "base/buffer.h"

#include "base/varint.h"

#include <stdlib.h>

enum { BUFFER_CAP_MIN = 64 };

void buffer_init(struct buffer *b, size_t limit)
{
	*b = (struct buffer){ .limit = limit };
}

void buffer_release(struct buffer *b)
{
	free(b->data);
	buffer_init(b, b->limit);
}

int buffer_reserve(struct buffer *b, size_t more)
{
	size_t cap = b->cap < BUFFER_CAP_MIN ? BUFFER_CAP_MIN : b->cap;
	size_t need;
	uint8_t *data;

	if (b->len > b->limit || more > b->limit - b->len)
		return -EFBIG;
	need = b->len + more;
	if (need <= b->cap)
		return 0;
	while (cap < need)
		cap = cap > b->limit / 2 ? b->limit : cap * 2;
	data = realloc(b->data, cap);
	if (!data)
		return -ENOMEM;
	b->data = data;
	b->cap = cap;
	return 0;
}

int buffer_append(struct buffer *b, struct span bytes)
{
	int rc = buffer_reserve(b, bytes.len);

	if (rc < 0)
		return rc;
	if (bytes.len > 0)
		memcpy(b->data + b->len, bytes.ptr, bytes.len);
	b->len += bytes.len;
	return 0;
}

int buffer_append_u8(struct buffer *b, uint8_t v)
{
	return buffer_append(b, span_of(&v, 1));
}

int buffer_append_le32(struct buffer *b, uint32_t v)
{
	uint8_t field[4];

	put_le32(field, v);
	return buffer_append(b, span_of(field, sizeof(field)));
}

int buffer_append_le64(struct buffer *b, uint64_t v)
{
	uint8_t field[8];

	put_le64(field, v);
	return buffer_append(b, span_of(field, sizeof(field)));
}

int buffer_append_varint(struct buffer *b, uint64_t v)
{
	uint8_t field[VARINT_MAX];

	return buffer_append(b, span_of(field, varint_put(field, v)));
}
