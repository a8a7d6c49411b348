/* SPDX-License-Identifier: MIT */
/*
 * dump.c - walks a page of rows.
 */
#include "store/dump.h"

int dump_page(struct db_stmt *page, dump_row_fn *fn, struct dump_cursor *c,
	      struct buffer *ops)
{
	unsigned n = 0;
	int rc;

	while ((rc = db_step(page)) == 1) {
		rc = fn(page, c, ops);
		n++;
		if (rc < 0 || n == DUMP_ROWS || ops->len >= DUMP_LEN)
			break;
	}
	db_reset(page);
	if (rc < 0)
		return rc;
	return n == DUMP_ROWS || ops->len >= DUMP_LEN;
}
