/* SPDX-License-Identifier: MIT */
/*
 * main.c - the unit tests of src/base.
 */
#include "unit/base/suites.h"

#include "lib/suite.h"

int main(void)
{
	static const suite_maker suites[] = {
		suite_buffer, suite_bytes,   suite_cleanup, suite_clock,
		suite_error,  suite_hash,    suite_idmap,   suite_io,
		suite_pool,   suite_report,  suite_slabs,   suite_sync,
		suite_varint, suite_workers, suite_grace,   NULL,
	};

	return suite_run(suites);
}
