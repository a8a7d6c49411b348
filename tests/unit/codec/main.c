/* SPDX-License-Identifier: MIT */
/*
 * main.c - the unit tests of src/codec.
 */
#include "unit/codec/suites.h"

#include "base/report.h"
#include "lib/suite.h"

int main(void)
{
	static const suite_maker suites[] = {
		suite_glyph, suite_primitive, suite_decode,  suite_encode,
		suite_probe, suite_sniff,     suite_columns, suite_transform,
		suite_delta, suite_policy,    suite_sketch,  suite_codebook,
		suite_train, suite_describe,  suite_cover,   NULL,
	};

	report_silence(true); /* the tests make damage by the thousand */
	return suite_run(suites);
}
