/* SPDX-License-Identifier: MIT */
/*
 * bytes.h - spans of memory, little-endian fields, and a bounded reader.
 *
 * Threads: any; nothing here has state. Errors: -EUCLEAN when a reader would
 * run past its end.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KIB ((size_t)1024)
#define MIB ((size_t)1048576)

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Bytes that somebody else owns. `ptr` may be NULL when `len` is 0. */
struct span {
	const uint8_t *ptr;
	size_t len;
};

static inline struct span span_of(const void *ptr, size_t len)
{
	return (struct span){ .ptr = ptr, .len = len };
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline uint16_t get_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | (uint16_t)p[1] << 8);
}

static inline uint32_t get_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static inline uint64_t get_le64(const uint8_t *p)
{
	return (uint64_t)get_le32(p) | (uint64_t)get_le32(p + 4) << 32;
}

static inline void put_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void put_le32(uint8_t *p, uint32_t v)
{
	put_le16(p, (uint16_t)v);
	put_le16(p + 2, (uint16_t)(v >> 16));
}

static inline void put_le64(uint8_t *p, uint64_t v)
{
	put_le32(p, (uint32_t)v);
	put_le32(p + 4, (uint32_t)(v >> 32));
}

/* Reads fields from hostile bytes, never past `end`. */
struct reader {
	const uint8_t *pos;
	const uint8_t *end;
};

static inline struct reader reader_of(struct span s)
{
	/* Nothing may be added to a NULL pointer, not even 0. */
	return (struct reader){
		.pos = s.ptr,
		.end = s.len > 0 ? s.ptr + s.len : s.ptr,
	};
}

static inline size_t reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->pos);
}

static inline int reader_u8(struct reader *r, uint8_t *ret)
{
	if (reader_left(r) < 1)
		return -EUCLEAN;
	*ret = *r->pos++;
	return 0;
}

static inline int reader_le32(struct reader *r, uint32_t *ret)
{
	if (reader_left(r) < 4)
		return -EUCLEAN;
	*ret = get_le32(r->pos);
	r->pos += 4;
	return 0;
}

static inline int reader_le64(struct reader *r, uint64_t *ret)
{
	if (reader_left(r) < 8)
		return -EUCLEAN;
	*ret = get_le64(r->pos);
	r->pos += 8;
	return 0;
}

/* The next `len` bytes, still owned by whoever owns the reader's span. */
static inline int reader_bytes(struct reader *r, uint64_t len, struct span *ret)
{
	if (reader_left(r) < len)
		return -EUCLEAN;
	*ret = span_of(r->pos, (size_t)len);
	if (len > 0)
		r->pos += len;
	return 0;
}

#endif
