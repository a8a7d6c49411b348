/* SPDX-License-Identifier: MIT */
/* bed.c - makes the index, then the bank on it. */
#include "unit/store/bed.h"

#include "lib/suite.h"

#include <string.h>

void bed_begin(struct bed *b)
{
	bool fresh;

	memset(b, 0, sizeof(*b));
	tmpdir_init(&b->tmp);
	ck_ok(index_open(&b->index, b->tmp.path, NULL, &fresh));
	ck_assert(fresh);
	ck_ok(bank_new(NULL, &b->bank));
	ck_ok(bank_attach(b->bank, b->index.db));
	ck_ok(db_begin(b->index.db));
}

void bed_end(struct bed *b)
{
	bank_free(b->bank);
	index_close(&b->index);
	tmpdir_release(&b->tmp);
}
