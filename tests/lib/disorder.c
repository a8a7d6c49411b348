/* SPDX-License-Identifier: MIT */
/*
 * disorder.c - swaps two of the pointers that a page of a B-tree begins with.
 */
#include "lib/disorder.h"

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "lib/suite.h"

#include <fcntl.h>
#include <stdlib.h>

/* The file's head, and a page of a table's tree, big-endian. */
enum {
	HEAD_LEN = 100,
	PAGE_LEN_OFF = 16,
	PAGE_INNER = 5,
	PAGE_LEAF = 13,
	PAGE_CELLS_OFF = 3,
	INNER_POINTERS_OFF = 12,
	LEAF_POINTERS_OFF = 8,
};

static unsigned number(const uint8_t *p, size_t len)
{
	unsigned n = 0;

	while (len-- > 0)
		n = n << 8 | *p++;
	return n;
}

void disorder(const char *path, unsigned root)
{
	AUTO_CLOSE int fd = io_open(AT_FDCWD, path, O_RDWR, 0);
	AUTO_FREE uint8_t *page = NULL;
	uint8_t pointer[2];
	uint8_t *middle;
	uint8_t *last;
	uint8_t head[HEAD_LEN];
	unsigned no = root;
	unsigned len;
	unsigned n;

	ck_assert_int_ge(fd, 0);
	ck_ok(io_pread_full(fd, head, sizeof(head), 0));
	len = number(head + PAGE_LEN_OFF, 2);
	page = malloc(len);
	ck_assert_ptr_nonnull(page);
	for (;;) {
		ck_ok(io_pread_full(fd, page, len, (no - 1ull) * len));
		if (page[0] != PAGE_INNER)
			break;
		/* Down to the first one. */
		no = number(page + number(page + INNER_POINTERS_OFF, 2), 4);
	}
	ck_assert_uint_eq(page[0], PAGE_LEAF);
	n = number(page + PAGE_CELLS_OFF, 2);
	ck_assert_uint_ge(n, 4);
	middle = page + LEAF_POINTERS_OFF + (n - 1) / 2 * sizeof(pointer);
	last = page + LEAF_POINTERS_OFF + (n - 1) * sizeof(pointer);
	memcpy(pointer, middle, sizeof(pointer));
	memcpy(middle, last, sizeof(pointer));
	memcpy(last, pointer, sizeof(pointer));
	ck_ok(io_pwrite(fd, page, len, (no - 1ull) * len));
}
