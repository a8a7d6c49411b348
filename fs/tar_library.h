/* SPDX-License-Identifier: MIT */
/*
 * tar_library.h - libarchive, loaded when it is needed.
 *
 * It brings ten libraries with it; linked to the program, each command, and each
 * mount, would take a megabyte more memory and need longer to begin.
 */
#ifndef FS_TAR_LIBRARY_H
#define FS_TAR_LIBRARY_H

#include <archive.h>
#include <archive_entry.h>

/* clang-format off */
#define TAR_LIBRARY_FUNCTIONS(X) \
	X(archive_entry_acl_add_entry) \
	X(archive_entry_acl_next) \
	X(archive_entry_acl_reset) \
	X(archive_entry_atime) \
	X(archive_entry_atime_is_set) \
	X(archive_entry_atime_nsec) \
	X(archive_entry_copy_hardlink) \
	X(archive_entry_copy_pathname) \
	X(archive_entry_copy_symlink) \
	X(archive_entry_filetype) \
	X(archive_entry_free) \
	X(archive_entry_gid) \
	X(archive_entry_hardlink) \
	X(archive_entry_mode) \
	X(archive_entry_mtime) \
	X(archive_entry_mtime_is_set) \
	X(archive_entry_mtime_nsec) \
	X(archive_entry_new) \
	X(archive_entry_pathname) \
	X(archive_entry_perm) \
	X(archive_entry_rdevmajor) \
	X(archive_entry_rdevminor) \
	X(archive_entry_set_atime) \
	X(archive_entry_set_ctime) \
	X(archive_entry_set_gid) \
	X(archive_entry_set_mode) \
	X(archive_entry_set_mtime) \
	X(archive_entry_set_rdevmajor) \
	X(archive_entry_set_rdevminor) \
	X(archive_entry_set_size) \
	X(archive_entry_set_uid) \
	X(archive_entry_size) \
	X(archive_entry_sparse_add_entry) \
	X(archive_entry_symlink) \
	X(archive_entry_uid) \
	X(archive_entry_xattr_add_entry) \
	X(archive_entry_xattr_next) \
	X(archive_entry_xattr_reset) \
	X(archive_errno) \
	X(archive_error_string) \
	X(archive_filter_bytes) \
	X(archive_read_data_block) \
	X(archive_read_free) \
	X(archive_read_new) \
	X(archive_read_next_header) \
	X(archive_read_open) \
	X(archive_read_support_format_tar) \
	X(archive_set_error) \
	X(archive_write_close) \
	X(archive_write_data) \
	X(archive_write_fail) \
	X(archive_write_free) \
	X(archive_write_header) \
	X(archive_write_new) \
	X(archive_write_open) \
	X(archive_write_set_format_pax) \
	X(archive_write_set_options)

#define TAR_LIBRARY_FIELD(name) __typeof__(name) *(name);
/* clang-format on */

struct tar_library {
	TAR_LIBRARY_FUNCTIONS(TAR_LIBRARY_FIELD)
};

/* It stays until the process ends. Says why, if it is not there. -ENOENT. */
int tar_library_open(struct tar_library *ret);

#endif
