/* SPDX-License-Identifier: MIT */
/* families.h - the cases, by what they are about. */
#ifndef POSIX_FAMILIES_H
#define POSIX_FAMILIES_H

#include "tap.h"

extern const struct tap_family families[];

extern const struct tap_case dir_cases[];
extern const struct tap_case link_cases[];
extern const struct tap_case name_cases[];
extern const struct tap_case path_cases[];
extern const struct tap_case rename_cases[];
extern const struct tap_case symlink_cases[];

#endif
