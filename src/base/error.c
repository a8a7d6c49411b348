/* SPDX-License-Identifier: MIT */
/*
 * error.c - damage reports, and words for error numbers.
 */
#include "base/error.h"

#include "base/clock.h"
#include "base/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { WINDOW_NS = 1000000000, WINDOW_MAX = 20, TEXT_MAX = 512 };

/* atomic: counters only. Two threads that open a new window at once may let a
 * few reports more through, which harms nobody. */
static atomic_uint_fast64_t n_corrupt;
static atomic_uint_fast64_t window_start;
static atomic_uint window_used;
static atomic_uint window_dropped;

/* Whether a report may go out now. */
static bool window_take(void)
{
	uint_fast64_t now = clock_mono_ns();
	uint_fast64_t start = atomic_load(&window_start);
	unsigned n_dropped;

	if ((start == 0 || now - start >= WINDOW_NS) &&
	    atomic_compare_exchange_strong(&window_start, &start, now)) {
		atomic_store(&window_used, 0);
		n_dropped = atomic_exchange(&window_dropped, 0);
		if (n_dropped > 0)
			report_error("%u more reports of damage suppressed",
				     n_dropped);
	}
	if (atomic_fetch_add(&window_used, 1) < WINDOW_MAX)
		return true;
	atomic_fetch_add(&window_dropped, 1);
	return false;
}

int corrupt(const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	atomic_fetch_add(&n_corrupt, 1);
	if (!window_take())
		return -EUCLEAN;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	report_error("damage: %s", text);
	return -EUCLEAN;
}

uint64_t corrupt_count(void)
{
	return atomic_load(&n_corrupt);
}

const char *error_text(int err)
{
	const char *text;

	switch (err < 0 ? -(unsigned)err : (unsigned)err) {
	case 0:
		return "no error";
	case EUCLEAN:
		return "the store is damaged";
	case EBADMSG:
		return "a checksum is wrong";
	case EOPNOTSUPP:
		return "not supported by this version";
	default:
		break;
	}
	text = strerrordesc_np(err < 0 ? (int)-(unsigned)err : err);
	return text ? text : "unknown error";
}
