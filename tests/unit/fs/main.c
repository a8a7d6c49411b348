/* SPDX-License-Identifier: MIT */
/*
 * main.c - the unit tests of fs.
 */
#include "unit/fs/suites.h"

#include "lib/suite.h"

int main(void)
{
	static const suite_maker suites[] = {
		suite_cmd,      suite_control,  suite_daemon,
		suite_explain,  suite_json,     suite_mountinfo,
		suite_options,  suite_output,   suite_refusals,
		suite_stats,    suite_transfer, suite_wire,
		suite_codebook, suite_pieces,   suite_gc,
		suite_names,    suite_view,     suite_raw,
		suite_recover,  suite_tar,      suite_scrub_state,
		NULL,
	};

	return suite_run(suites);
}
