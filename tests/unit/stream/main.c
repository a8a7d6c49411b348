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
		suite_record, suite_frame, suite_chunker, suite_codebook_record,
		suite_head,   suite_seek,  suite_sieve,   suite_pipeline,
		suite_pack,   suite_thaw,  suite_unpack,  suite_range,
		NULL,
	};

	report_silence(true); /* the tests make damage by the thousand */
	return suite_run(suites);
}
