/* SPDX-License-Identifier: MIT */
/*
 * suites.h - the suites of this program, one per source file of fs.
 */
#ifndef TESTS_UNIT_FS_SUITES_H
#define TESTS_UNIT_FS_SUITES_H

#include <check.h>

Suite *suite_cmd(void);
Suite *suite_codebook(void);
Suite *suite_control(void);
Suite *suite_daemon(void);
Suite *suite_explain(void);
Suite *suite_gc(void);
Suite *suite_json(void);
Suite *suite_mountinfo(void);
Suite *suite_names(void);
Suite *suite_options(void);
Suite *suite_output(void);
Suite *suite_pieces(void);
Suite *suite_raw(void);
Suite *suite_recover(void);
Suite *suite_refusals(void);
Suite *suite_scrub_state(void);
Suite *suite_stats(void);
Suite *suite_tar(void);
Suite *suite_transfer(void);
Suite *suite_view(void);
Suite *suite_wire(void);

#endif
