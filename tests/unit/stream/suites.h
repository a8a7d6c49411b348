/* SPDX-License-Identifier: MIT */
/*
 * suites.h - the suites of src/stream.
 */
#ifndef TESTS_UNIT_STREAM_SUITES_H
#define TESTS_UNIT_STREAM_SUITES_H

#include <check.h>

Suite *suite_chunker(void);
Suite *suite_codebook_record(void);
Suite *suite_frame(void);
Suite *suite_head(void);
Suite *suite_pack(void);
Suite *suite_pipeline(void);
Suite *suite_range(void);
Suite *suite_record(void);
Suite *suite_seek(void);
Suite *suite_sieve(void);
Suite *suite_thaw(void);
Suite *suite_unpack(void);

#endif
