/* SPDX-License-Identifier: MIT */
/*
 * suites.h - the suites of src/volume.
 */
#ifndef TESTS_UNIT_VOLUME_SUITES_H
#define TESTS_UNIT_VOLUME_SUITES_H

#include <check.h>

Suite *suite_file_crash(void);
Suite *suite_acl(void);
Suite *suite_atime(void);
Suite *suite_attr(void);
Suite *suite_check(void);
Suite *suite_damage(void);
Suite *suite_dir(void);
Suite *suite_dirent(void);
Suite *suite_extent(void);
Suite *suite_file(void);
Suite *suite_file_explain(void);
Suite *suite_file_read(void);
Suite *suite_file_stored(void);
Suite *suite_file_threads(void);
Suite *suite_flush(void);
Suite *suite_filemap(void);
Suite *suite_full(void);
Suite *suite_inode(void);
Suite *suite_leaf_ring(void);
Suite *suite_ops(void);
Suite *suite_readdir(void);
Suite *suite_rename(void);
Suite *suite_setattr(void);
Suite *suite_spans(void);
Suite *suite_volume(void);
Suite *suite_xattr(void);

#endif
