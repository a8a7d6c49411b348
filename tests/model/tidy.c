/* SPDX-License-Identifier: MIT */
/* tidy.c - step by step, until there is nothing more to gain. */
#include "model/tidy.h"

#include "store/maintain.h"

int tidy_store(struct store *s, struct clean_result *ret)
{
	struct clean_result all = { 0 };
	int rc;

	maintain_enter(s);
	rc = clean_begin(s);
	maintain_leave(s);
	if (rc == 0)
		rc = 1;
	while (rc == 1) {
		maintain_enter(s);
		rc = clean_step(s, &all);
		maintain_leave(s);
	}
	if (ret)
		*ret = all;
	return rc;
}
