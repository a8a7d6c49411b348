/* SPDX-License-Identifier: MIT */
/*
 * prim_delta.c - differences of numbers, and their sums.
 *
 * With a lag of 1 each sum waits for the one before, which costs a few cycles
 * a number; the loops for each size are one function, made four times.
 */
#include "base/error.h"
#include "base/varint.h"
#include "codec/primitive.h"

#define FLAT inline __attribute__((always_inline))

static FLAT uint64_t load(const uint8_t *p, size_t size)
{
	switch (size) {
	case 1:
		return *p;
	case 2:
		return get_le16(p);
	case 4:
		return get_le32(p);
	default:
		return get_le64(p);
	}
}

static FLAT void save(uint8_t *p, size_t size, uint64_t v)
{
	switch (size) {
	case 1:
		*p = (uint8_t)v;
		break;
	case 2:
		put_le16(p, (uint16_t)v);
		break;
	case 4:
		put_le32(p, (uint32_t)v);
		break;
	default:
		put_le64(p, v);
		break;
	}
}

/* `back`: bytes between a number and the one that it is added to. */
static FLAT void sum(size_t size, size_t back, uint8_t *bytes, size_t len)
{
	size_t i;

	for (i = back; i + size <= len; i += size)
		save(bytes + i, size,
		     load(bytes + i, size) + load(bytes + i - back, size));
}

/* With a lag of 1: the sum stays in a register. */
static FLAT void sum_next(size_t size, uint8_t *bytes, size_t len)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i + size <= len; i += size) {
		v += load(bytes + i, size);
		save(bytes + i, size, v);
	}
}

static FLAT void differ(size_t size, size_t back, uint8_t *bytes, size_t len)
{
	size_t i;

	for (i = len - len % size; i >= back + size; i -= size)
		save(bytes + i - size, size,
		     load(bytes + i - size, size) -
			     load(bytes + i - size - back, size));
}

void prim_delta_do(unsigned bits, unsigned lag, uint8_t *bytes, size_t len)
{
	switch (bits) {
	case 8:
		differ(1, lag, bytes, len);
		break;
	case 16:
		differ(2, (size_t)lag * 2, bytes, len);
		break;
	case 32:
		differ(4, (size_t)lag * 4, bytes, len);
		break;
	default:
		differ(8, (size_t)lag * 8, bytes, len);
		break;
	}
}

static FLAT int undo(size_t size, struct span params, uint8_t *dst, size_t len)
{
	struct reader in = reader_of(params);
	uint64_t lag, skip;

	if (varint_get_max(&in, DELTA_LAG_MAX, &lag) < 0 || lag == 0 ||
	    varint_get_max(&in, size - 1, &skip) < 0 || reader_left(&in) > 0)
		return corrupt("delta: bad lag");
	if (skip >= len)
		return 0;
	if (lag == 1)
		sum_next(size, dst + skip, len - (size_t)skip);
	else
		sum(size, size * (size_t)lag, dst + skip, len - (size_t)skip);
	return 0;
}

int prim_delta8_undo(const struct decode_tools *tools, struct span params,
		     struct span input, uint8_t *dst, size_t len)
{
	(void)tools;
	(void)input;
	return undo(1, params, dst, len);
}

int prim_delta16_undo(const struct decode_tools *tools, struct span params,
		      struct span input, uint8_t *dst, size_t len)
{
	(void)tools;
	(void)input;
	return undo(2, params, dst, len);
}

int prim_delta32_undo(const struct decode_tools *tools, struct span params,
		      struct span input, uint8_t *dst, size_t len)
{
	(void)tools;
	(void)input;
	return undo(4, params, dst, len);
}

int prim_delta64_undo(const struct decode_tools *tools, struct span params,
		      struct span input, uint8_t *dst, size_t len)
{
	(void)tools;
	(void)input;
	return undo(8, params, dst, len);
}
