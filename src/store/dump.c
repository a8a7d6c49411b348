/* SPDX-License-Identifier: MIT */
/*
 * dump.c - walks a page of rows.
 */
#include "store/dump.h"

#include "base/error.h"

int dump_check_order(const char *rows, uint64_t after, uint64_t key)
{
	return key > after ? 1
			   : corrupt("%s of the index are out of order: %llu "
				     "behind %llu",
				     rows, (unsigned long long)key,
				     (unsigned long long)after);
}

/* Whether the cursor has come to a row that is behind the one before. */
static bool is_behind(const struct dump_cursor *c,
		      const struct dump_cursor *before)
{
	size_t len = min_u64(c->name_len, before->name_len);
	size_t i;
	int order;

	for (i = 0; i < ARRAY_LEN(c->keys); i++) {
		if (c->keys[i] != before->keys[i])
			return c->keys[i] > before->keys[i];
	}
	order = memcmp(c->name, before->name, len);
	return order != 0 ? order > 0 : c->name_len > before->name_len;
}

int dump_page(struct db_stmt *page, dump_row_fn *fn, struct dump_cursor *c,
	      struct buffer *ops)
{
	struct dump_cursor before;
	unsigned n = 0;
	int rc;

	while ((rc = db_step(page)) == 1) {
		before = *c;
		rc = fn(page, c, ops);
		/* The next page would begin where one has been before. */
		if (rc >= 0 && !is_behind(c, &before))
			rc = corrupt("rows of the index are out of order");
		n++;
		if (rc < 0 || n == DUMP_ROWS || ops->len >= DUMP_LEN)
			break;
	}
	db_reset(page);
	if (rc < 0)
		return rc;
	return n == DUMP_ROWS || ops->len >= DUMP_LEN;
}
