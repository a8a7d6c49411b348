/* SPDX-License-Identifier: MIT */
/*
 * main.c - the unit tests of src/volume.
 */
#include "unit/volume/suites.h"

#include "lib/suite.h"

int main(void)
{
	static const suite_maker suites[] = {
		suite_acl,          suite_atime,        suite_attr,
		suite_check,        suite_damage,       suite_dir,
		suite_dirent,       suite_extent,       suite_file,
		suite_file_explain, suite_file_crash,   suite_file_read,
		suite_file_stored,  suite_file_threads, suite_flush,
		suite_filemap,      suite_full,         suite_inode,
		suite_leaf_ring,    suite_ops,          suite_readdir,
		suite_rename,       suite_setattr,      suite_spans,
		suite_volume,       suite_xattr,        NULL,
	};

	return suite_run(suites);
}
