/* SPDX-License-Identifier: MIT */
/*
 * suites.h - the suites of src/stream.
 */
#ifndef TESTS_UNIT_STREAM_SUITES_H
#define TESTS_UNIT_STREAM_SUITES_H

#include <check.h>

Suite *suite_chunker(void);
Suite *suite_frame(void);
Suite *suite_record(void);

#endif
