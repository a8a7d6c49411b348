/* SPDX-License-Identifier: MIT */
/* families.c - the table of the suite. */
#include "families.h"

#include <stddef.h>

/* clang-format off */
const struct tap_family families[] = {
	{ "path", path_cases },
	{ "name", name_cases },
	{ "dir", dir_cases },
	{ "link", link_cases },
	{ "symlink", symlink_cases },
	{ "rename", rename_cases },
	{ "open", open_cases },
	{ "change", change_cases },
	{ "time", time_cases },
	{ "perm", perm_cases },
	{ "xattr", xattr_cases },
	{ "acl", acl_cases },
	{ "data", data_cases },
	{ "copy", copy_cases },
	{ "space", space_cases },
	{ "mmap", mmap_cases },
	{ "readdir", readdir_cases },
	{ "lock", lock_cases },
	{ "special", special_cases },
	{ "handle", handle_cases },
	{ NULL, NULL },
};
/* clang-format on */
