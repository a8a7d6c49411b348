/* SPDX-License-Identifier: MIT */
/* tidy.c - step by step, until there is nothing more to gain. */
#include "model/tidy.h"

int tidy_store(struct store *s, struct clean_result *ret)
{
	struct clean_result all = { 0 };
	int rc = clean_begin(s);

	if (rc == 0)
		rc = 1;
	while (rc == 1)
		rc = clean_step(s, &all);
	if (ret)
		*ret = all;
	return rc;
}
