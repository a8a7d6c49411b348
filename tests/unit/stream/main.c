/* SPDX-License-Identifier: MIT */
/*
 * main.c - the unit tests of src/stream.
 */
#include "unit/stream/suites.h"

#include "base/report.h"
#include "lib/suite.h"

int main(void)
{
	static const suite_maker suites[] = {
		suite_record,
		suite_frame,
		suite_chunker,
		NULL,
	};

	report_silence(true); /* the tests make damage by the thousand */
	return suite_run(suites);
}
