/* SPDX-License-Identifier: MIT */
/*
 * suites.h - the suites of src/base.
 */
#ifndef TESTS_UNIT_BASE_SUITES_H
#define TESTS_UNIT_BASE_SUITES_H

#include <check.h>

Suite *suite_buffer(void);
Suite *suite_bytes(void);
Suite *suite_cleanup(void);
Suite *suite_clock(void);
Suite *suite_error(void);
Suite *suite_grace(void);
Suite *suite_hash(void);
Suite *suite_idmap(void);
Suite *suite_io(void);
Suite *suite_pool(void);
Suite *suite_report(void);
Suite *suite_slabs(void);
Suite *suite_sync(void);
Suite *suite_varint(void);
Suite *suite_workers(void);

#endif
