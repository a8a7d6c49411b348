/* SPDX-License-Identifier: MIT */
/*
 * varint.c - canonical LEB128.
 */
#include "base/varint.h"

size_t varint_put(uint8_t *dst, uint64_t v)
{
	size_t n = 0;

	while (v >= 0x80) {
		dst[n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	dst[n++] = (uint8_t)v;
	return n;
}

size_t varint_len(uint64_t v)
{
	size_t n = 1;

	for (; v >= 0x80; v >>= 7)
		n++;
	return n;
}

int varint_get(struct reader *r, uint64_t *ret)
{
	uint64_t v = 0;
	unsigned shift = 0;
	uint8_t byte;
	int rc;

	do {
		rc = reader_u8(r, &byte);
		if (rc < 0)
			return rc;
		/* The tenth byte has one bit left, and nothing after it. */
		if (shift == 63 && byte > 1)
			return -EUCLEAN;
		v |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	if (byte == 0 && shift > 7)
		return -EUCLEAN;
	*ret = v;
	return 0;
}

int varint_get_max(struct reader *r, uint64_t max, uint64_t *ret)
{
	uint64_t v;
	int rc = varint_get(r, &v);

	if (rc < 0)
		return rc;
	if (v > max)
		return -EUCLEAN;
	*ret = v;
	return 0;
}
