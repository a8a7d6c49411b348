/* SPDX-License-Identifier: MIT */
/*
 * main.c - the unit tests of src/store.
 */
#include "lib/suite.h"

int main(void)
{
	static const suite_maker suites[] = { NULL };

	return suite_run(suites);
}
