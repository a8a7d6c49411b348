/* SPDX-License-Identifier: MIT */
/*
 * bed.h - an index of its own with a bank, and no log.
 */
#ifndef TESTS_UNIT_STORE_BED_H
#define TESTS_UNIT_STORE_BED_H

#include "lib/tmpdir.h"
#include "store/bank.h"
#include "store/index.h"

struct bed {
	struct tmpdir tmp;
	struct index index;
	struct bank *bank;
	atomic_int_fast64_t totals[STORE_N_TOTALS];
};

/* Both are empty, and a transaction is open. */
void bed_begin(struct bed *b);
void bed_end(struct bed *b);

#endif
