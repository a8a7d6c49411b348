/* SPDX-License-Identifier: MIT */
/* sniff.c - text is what has next to no control characters. */
#include "codec/sniff.h"

enum {
	N_WINDOWS = 4,
	WINDOW_LEN = 128,
	CONTROLS_MAX_SHIFT = 6, /* of the bytes seen, 1/64 may be controls */
};

static bool is_control(uint8_t c)
{
	return c == 0x7f || (c < 0x20 && c != '\t' && c != '\n' && c != '\r' &&
			     c != '\f' && c != 0x1b);
}

static size_t count_controls(const uint8_t *p, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += is_control(p[i]);
	return n;
}

enum content_class sniff_class(struct span bytes)
{
	size_t seen = bytes.len;
	size_t n = 0;

	if (bytes.len <= (size_t)N_WINDOWS * WINDOW_LEN) {
		n = count_controls(bytes.ptr, bytes.len);
	} else {
		size_t step = (bytes.len - WINDOW_LEN) / (N_WINDOWS - 1);

		seen = (size_t)N_WINDOWS * WINDOW_LEN;
		for (size_t i = 0; i < N_WINDOWS; i++)
			n += count_controls(bytes.ptr + i * step, WINDOW_LEN);
	}
	return n <= seen >> CONTROLS_MAX_SHIFT ? CONTENT_TEXT : CONTENT_BINARY;
}
