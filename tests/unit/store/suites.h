/* SPDX-License-Identifier: MIT */
/*
 * suites.h - the suites of src/store.
 */
#ifndef TESTS_UNIT_STORE_SUITES_H
#define TESTS_UNIT_STORE_SUITES_H

#include <check.h>

Suite *suite_ahead(void);
Suite *suite_bank(void);
Suite *suite_cache(void);
Suite *suite_carve(void);
Suite *suite_checkpoint(void);
Suite *suite_chunk(void);
Suite *suite_chunk_rows(void);
Suite *suite_clean(void);
Suite *suite_commit(void);
Suite *suite_context(void);
Suite *suite_db(void);
Suite *suite_deltas(void);
Suite *suite_disorder(void);
Suite *suite_fault(void);
Suite *suite_idle(void);
Suite *suite_index(void);
Suite *suite_ingest(void);
Suite *suite_layout(void);
Suite *suite_leisure(void);
Suite *suite_library(void);
Suite *suite_log(void);
Suite *suite_move(void);
Suite *suite_ops(void);
Suite *suite_optimize(void);
Suite *suite_study(void);
Suite *suite_recode(void);
Suite *suite_replay(void);
Suite *suite_sampler(void);
Suite *suite_rounds(void);
Suite *suite_scan(void);
Suite *suite_scrub(void);
Suite *suite_segment(void);
Suite *suite_sketches(void);
Suite *suite_store(void);
Suite *suite_superblock(void);
Suite *suite_superblock_restore(void);

#endif
