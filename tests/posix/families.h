/* SPDX-License-Identifier: MIT */
/* families.h - the cases, by what they are about. */
#ifndef POSIX_FAMILIES_H
#define POSIX_FAMILIES_H

#include "tap.h"

extern const struct tap_family families[];

extern const struct tap_case acl_cases[];
extern const struct tap_case change_cases[];
extern const struct tap_case copy_cases[];
extern const struct tap_case data_cases[];
extern const struct tap_case dir_cases[];
extern const struct tap_case handle_cases[];
extern const struct tap_case link_cases[];
extern const struct tap_case lock_cases[];
extern const struct tap_case mmap_cases[];
extern const struct tap_case name_cases[];
extern const struct tap_case open_cases[];
extern const struct tap_case path_cases[];
extern const struct tap_case perm_cases[];
extern const struct tap_case readdir_cases[];
extern const struct tap_case rename_cases[];
extern const struct tap_case space_cases[];
extern const struct tap_case special_cases[];
extern const struct tap_case symlink_cases[];
extern const struct tap_case time_cases[];
extern const struct tap_case xattr_cases[];

#endif
