/* SPDX-License-Identifier: MIT */
/*
 * prim_fill.c - one short pattern, repeated.
 */
#include "codec/primitive.h"

/* Whether every byte equals the one `period` bytes before it. */
static bool repeats(struct span raw, size_t period)
{
	return raw.len > period &&
	       memcmp(raw.ptr, raw.ptr + period, raw.len - period) == 0;
}

size_t prim_fill_find(struct span raw)
{
	size_t period;

	/* 1, 2 and 4 divide 8: most data leaves here, at its first bytes. */
	if (raw.len > FILL_PATTERN_MAX && !repeats(raw, FILL_PATTERN_MAX))
		return 0;
	for (period = 1; period <= FILL_PATTERN_MAX; period *= 2)
		if (repeats(raw, period))
			return period;
	return 0;
}

int prim_fill_decode(const struct decode_tools *tools, struct span payload,
		     uint8_t *dst, size_t len)
{
	size_t done = payload.len < len ? payload.len : len;
	size_t n;

	(void)tools;
	if (payload.len == 1) {
		memset(dst, payload.ptr[0], len);
		return 0;
	}
	memcpy(dst, payload.ptr, done);
	/* What is done is a whole number of patterns: copied, it doubles. */
	for (; done < len; done += n) {
		n = done < len - done ? done : len - done;
		memcpy(dst + done, dst, n);
	}
	return 0;
}
