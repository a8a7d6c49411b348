/* SPDX-License-Identifier: MIT */
/*
 * dump.h - one page of a table's rows, as operations, for a checkpoint; and
 * that rows come in order.
 */
#ifndef STORE_DUMP_H
#define STORE_DUMP_H

#include "base/buffer.h"
#include "store/db.h"
#include "store/store.h"

/* Appends a row's operation and sets the cursor's keys to the row's. */
typedef int dump_row_fn(struct db_stmt *row, struct dump_cursor *c,
			struct buffer *ops);

/*
 * Steps `page`, whose parameters are bound, until DUMP_LEN or DUMP_ROWS is
 * reached. 1: there may be more; 0: that was the last row. INDEX is held.
 */
int dump_page(struct db_stmt *page, dump_row_fn *fn, struct dump_cursor *c,
	      struct buffer *ops);

/*
 * Whether who goes from row to row by their keys goes forward: in a damaged table
 * the way could be a circle. 1; -EUCLEAN: no, and `rows` are told.
 */
int dump_check_order(const char *rows, uint64_t after, uint64_t key);

#endif
